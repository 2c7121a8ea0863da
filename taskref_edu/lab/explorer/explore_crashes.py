"""The crash lab: kill an unmodified function before each of its steps, recover, and check what is broken.

    lost = explore_crashes(pay, setup=one_order, recover=reclaim_and_run, invariant=paid_once)
    print(lost)

A crash closes the actor's connections between two statements: committed changes stay, uncommitted ones are gone, its
locks are released. A function of n steps has n crash points, "before step k". With other actors, every crash point is
tried in every interleaving; in a schedule, `x` marks the crash: "AAxBB". On a server, each COMMIT has one more crash
point, `y`: the COMMIT was sent, but its answer never arrived.

Not covered: power cuts and torn pages, which are SQLite's own responsibility.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from ...arguments import counted
from ...schema import SchemaName
from ..player.recording import DEATHS, DIES
from ..player.short_sql import short_sql
from .budget import MAX_RUNS, Budget, Progress
from .experiment import ActorFunction, Experiment, Invariant, Journal, Recover, Setup
from .result import ExplorationResult
from .run_schedules import run_all, trial_of
from .schedule_outcome import Limits


@dataclass
class Point:
    """A crash point: the SQL that was never run, how many schedules have it, and how many of these break."""

    sql: str
    count: int = 0
    broken: int = 0

    def __repr__(self) -> str:
        return f"{self.verdict}{self.times}: {self.sql}"

    @property
    def verdict(self) -> str:
        """Whether a schedule that dies here breaks, in a word."""
        return "BROKEN" if self.broken else "holds"

    @property
    def times(self) -> str:
        """How many of its schedules break, if there are several."""
        return f" ({self.broken:,} of {self.count:,})" if self.count > 1 else ""


class Crashes(ExplorationResult):
    """The result of explore_crashes(): as ExplorationResult, and what broke at each crash point."""

    @cached_property
    def points(self) -> dict[int, Point]:
        """The crash points by the number of the step."""
        found: dict[int, Point] = {}
        ways, states = self.graph.paths_to(), self.graph.states
        for number, (step, sql) in self.graph.deaths.items():
            point = found.setdefault(step, Point(short_sql(sql)))
            for move in DEATHS:
                if (dead := states[number].edges.get(move)) is not None:
                    point.count += ways[number] * states[dead].all
                    point.broken += ways[number] * states[dead].broken
        return dict(sorted(found.items()))

    def as_test(self, schedule: str | None = None) -> str:
        """A pytest case for all crash points: they are few, and a repair may renumber them. Raises CannotWriteTest."""
        return self.experiment.test_of_crashes()

    def _headline(self) -> str:
        points = counted(len(self.points), "crash point")
        if len(self.names) == 1:
            return f"{len(self.problems):,} of {points} {'breaks' if len(self.problems) == 1 else 'break'}"
        return f"{len(self.problems):,} of {counted(self.count, 'schedule')} break; {points}"

    def _summary(self) -> list[str]:
        lines = (f"  {p.verdict:<6}  killed before step {step}{p.times}: {p.sql}" for step, p in self.points.items())
        return [*lines, *super()._summary()]

    def _opened_headline(self, schedule: str) -> str:
        return f"The simplest crash that breaks it: {schedule} ({DIES} is the moment of death)"


def explore_crashes(
    actors: ActorFunction | Sequence[ActorFunction],
    *,
    invariant: Invariant,
    crash: int = 0,
    setup: Setup | None = None,
    recover: Recover | None = None,
    schema: SchemaName | None = "both",
    url: str | None = None,
    journal: Journal = "wal",
    merge: bool = True,
    max_runs: int = MAX_RUNS,
    seconds: float | None = None,
    stop_at_first: bool = False,
    max_steps: int = Limits.steps,
    patience: float = Limits.patience,
    progress: Progress | None = None,
) -> Crashes:
    """Kill one actor before each of its steps, recover, and check what is broken.

    actors: one function f(engine), or several of which the one with index `crash` dies; then every crash point is
        tried in every interleaving with the others, which survive.
    recover: recover(engine), run when all actors have ended; an exception from it counts as broken.
    The other arguments and the errors are those of explore().
    """
    functions: list[Callable[..., object]] = [actors] if callable(actors) else list(actors)
    experiment = Experiment(functions, invariant, setup, recover, crash, schema, journal, url)
    open_trial = partial(trial_of, experiment, Limits(max_steps, patience))
    with open_trial() as trial, Budget(max_runs, seconds, stop_at_first, progress) as budget:
        return Crashes(run_all(trial, budget, merge), open_trial, trial)
