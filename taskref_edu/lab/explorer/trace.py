"""One schedule, run once more: who ran which SQL, and the rows after each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..player.notebook_cell import module_wanted
from ..player.page import player_html
from ..player.recording import DEATHS, DIES, Recording
from ..player.still import still
from ..player.story import story
from .database_snapshot import Rows
from .observations import Observations


class WithRecording:
    """What has a recording shows itself by it: as a picture, and as a player in a notebook."""

    def recording(self, *, file: str | None = None, code: str | None = None) -> dict[str, Any]:
        """What the player draws, as JSON; docs/recording.md describes the format.

        file: the file whose line numbers are recorded for the steps, by default each actor's own.
        code: that file's source, to be shown beside the lanes.
        """
        return self._record(file) | ({"code": code} if code is not None else {})

    def svg(self) -> str:
        """A still picture of the worst schedule with the fewest switches."""
        recording = Recording(self.recording())
        return still(recording, recording.opened, helped=True)

    def _record(self, file: str | None) -> dict[str, Any]:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return player_html(self.recording(), with_module=module_wanted())


@dataclass(frozen=True)
class TraceStep:
    """One step: the actor's letter, its SQL with the parameters filled in, and every table's rows after it.

    committed: False if only the actor's own transaction sees these rows.
    """

    actor: str
    sql: str
    error: str | None
    rows: Rows
    committed: bool = True

    def __repr__(self) -> str:
        error = f"\n  {self.actor} gets {self.error}" if self.error else ""
        return f"{self.actor}  {self.sql}{'' if self.committed else '   (not committed yet)'}{error}"


@dataclass(repr=False)
class Trace(WithRecording):
    """A schedule, what is broken after it, and its actors' errors. Times differ between replays."""

    schedule: str
    broken: tuple[str, ...]
    errors: dict[str, str]
    seen: Observations = field(repr=False)
    record: Callable[[str | None], dict[str, Any]] = field(repr=False)

    @property
    def steps(self) -> list[TraceStep]:
        """Its steps; the last one is the recovery, if there is one."""
        path = self.seen.graph.walk(self.schedule)
        found = [self._step(move, *edge) for move, edge in zip(self.schedule, pairwise(path), strict=True)]
        if path[-1] in self.seen.recovered:
            state, error = self.seen.recovered[path[-1]]
            found.append(TraceStep("", "recovery", error, state.rows))
        return found

    def _step(self, move: str, before: int, after: int) -> TraceStep:
        step, state = self.seen.steps[before, move], self.seen.states[after]
        if step.dies:
            return TraceStep(step.by, DIES, None, state.rows)
        waits = "  (has to wait)" if move.islower() and move not in DEATHS else ""
        own = state.open.get(step.by)
        return TraceStep(step.by, step.sql + waits, step.error, state.rows if own is None else own, own is None)

    def _record(self, file: str | None) -> dict[str, Any]:
        return self.record(file)

    def __repr__(self) -> str:
        return story(Recording(self.recording()), self.schedule)
