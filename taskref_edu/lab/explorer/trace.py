"""The record of one schedule: who ran which SQL, and the rows after each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..player.notebook_cell import module_wanted
from ..player.page import player_html
from ..player.recording import Recording
from ..player.still import still
from ..player.story import story
from ..sqltrace import filled_in
from .actor import Actor
from .database_snapshot import Rows
from .errors_in_words import error_text
from .experiment import name_of
from .exploration import Exploration
from .schedule_outcome import DIES, ScheduleOutcome
from .schedules import replay


@dataclass(frozen=True)
class TraceStep:
    """One step: the actor's letter, its SQL with the parameters filled in, and every table's rows after it.

    committed: False if only the actor's own transaction sees these rows.
    """

    actor: str
    sql: str
    error: str | None
    rows: Rows
    committed: bool

    def __repr__(self) -> str:
        error = f"\n  {self.actor} gets {self.error}" if self.error else ""
        return f"{self.actor}  {self.sql}{'' if self.committed else '   (not committed yet)'}{error}"


@dataclass(repr=False)
class Trace:
    """A schedule with the rows before it and after each step. Times differ between replays."""

    schedule: str
    names: dict[str, str]
    start: Rows = field(default_factory=dict)
    steps: list[TraceStep] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    times: frozenset[str] = frozenset()  # columns that hold times
    recorder: Callable[[str | None], dict[str, Any]] | None = field(default=None, repr=False)

    def recording(self, *, file: str | None = None, code: str | None = None) -> dict[str, Any]:
        """What the player draws; the arguments are those of ExplorationResult.recording()."""
        if self.recorder is None:
            raise ValueError("a trace without a recorder found; one of found.replay() has it")
        return self.recorder(file) | ({"code": code} if code is not None else {})

    def svg(self) -> str:
        """A still picture of it."""
        return still(Recording(self.recording()), self.schedule, helped=True)

    def __repr__(self) -> str:
        return story(Recording(self.recording()), self.schedule)

    def _repr_html_(self) -> str:
        return player_html(self.recording(), with_module=module_wanted())


def traced(
    exploration: Exploration,
    schedule: str,
    judge: Callable[[ScheduleOutcome], tuple[str, ...]],
    *,
    recover: Callable[[], str | None] | None = None,
) -> Trace:
    """Run `schedule` once more and record what happens."""
    database = exploration.database
    names = {actor.letter: name_of(actor.function) for actor in exploration.actors}
    trace = Trace(schedule, names, times=frozenset(database.times()))
    database.restore()
    trace.start = database.rows()

    def on_step(actor: Actor, died: bool) -> None:
        step = actor.ran
        if died or step is None:
            trace.steps.append(TraceStep(actor.letter, DIES, None, database.rows(), True))
            return
        rows = database.rows() if step.rows is None else step.rows
        sql = filled_in(database.observer, step.sql, step.parameters)
        trace.steps.append(TraceStep(actor.letter, sql, step.error, rows, step.rows is None))

    outcome = replay(exploration, schedule, on_step)
    trace.errors = {letter: error_text(error) for letter, error in outcome.errors.items()}
    if recover is not None:
        error = recover()
        trace.steps.append(TraceStep("", "recovery", error, database.rows(), True))
    trace.broken = judge(outcome)
    outcome.forget()
    return trace
