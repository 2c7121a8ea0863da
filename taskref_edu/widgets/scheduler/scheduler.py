"""Be the scheduler: choose which actor makes the next step, by button or by key, and try to break something.

All schedules are explored first, so that the page can play without a kernel. If a recording of all of them would be too
large, the page gets missing steps from the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...lab import explore
from ...lab.explorer.errors import NoSuchSchedule
from ...lab.explorer.experiment import ActorFunction, Invariant, Journal, Setup
from ...lab.player.notebook_cell import module_wanted
from ...lab.player.page import data, player_html
from ...lab.player.recording import Facts
from ...schema import SchemaName
from .link import link


class Scheduler:
    """Play schedules by hand; put it at the end of a cell. The arguments are those of explore(), and:

    goal: what to try, in words, such as "Make order 7 be paid twice". names: what the actors are called, by letter.
    captions: what a statement is for, by its verb, such as {"SELECT": "Is order 7 being paid?"}.
    found: the exploration of all schedules. tried: those played to their end, and whether each of them broke.
    """

    def __init__(
        self,
        actors: Sequence[ActorFunction],
        *,
        invariant: Invariant,
        setup: Setup | None = None,
        schema: SchemaName | None = "both",
        journal: Journal = "wal",
        goal: str = "",
        names: Mapping[str, str] | None = None,
        captions: Mapping[str, str] | None = None,
    ) -> None:
        self.found = explore(actors, invariant=invariant, setup=setup, schema=schema, journal=journal)
        self.tried: dict[str, bool] = {}
        self._options = {"game": True, "goal": goal, "names": dict(names or {}), "captions": dict(captions or {})}

    @property
    def attempts(self) -> int:
        """How many different schedules were played to their end."""
        return len(self.tried)

    def play(self, schedule: str) -> list[str]:
        """Play a schedule to its end, as by hand; return what is broken then. Raises NoSuchSchedule."""
        try:
            end = self.found.graph.states[self.found.graph.walk(schedule)[-1]]
        except KeyError as missing:
            raise NoSuchSchedule(schedule, f"cannot happen: no step of {missing.args[0]!r} at this place") from None
        if end.edges:
            raise NoSuchSchedule(schedule, f"ends too early: {', '.join(end.edges)} can go on")
        self.tried[schedule] = bool(end.problems)
        return list(end.problems)

    def more(self, schedule: str) -> dict[str, Any]:
        """What the page needs to play on from here, where the recording has no more steps."""
        edges = self.found.graph.states[self.found.graph.walk(schedule)[-1]].edges
        return data(self.found.recording_of([schedule + letter for letter in edges]))

    def __repr__(self) -> str:
        names = ", ".join(f"{letter} = {name}" for letter, name in self.found.names.items())
        return f"Scheduler({names}): shown in a notebook, it lets you play {self.found.count:,} schedules"

    def _repr_html_(self) -> str:
        options = self._options | link(self)
        return player_html(self.found.recording(), options, with_module=module_wanted())


class RecordedGame:
    """The same game from ExplorationResult.recording(): where its database, such as a server, may not be at hand."""

    def __init__(self, recording: Facts, *, goal: str = "") -> None:
        self.recording = recording
        self._options = {"game": True, "goal": goal}

    def __repr__(self) -> str:
        return f"RecordedGame: shown in a notebook, it lets you play {self.recording['count']:,} schedules"

    def _repr_html_(self) -> str:
        return player_html(self.recording, self._options, with_module=module_wanted())
