"""The crash lab: kill an unmodified function before each of its steps, recover, and ask what is broken.

    lost = explore_crashes(pay, setup=one_order, recover=reclaim_and_run, invariant=paid_once)
    print(lost)

A crash closes the actor's connections between two statements: what it committed stays, what it had not is gone, its
locks are free. A function of n steps has n crash points, "before step k". With other actors, every crash point is
tried in every interleaving; in a schedule, `x` is the moment of death: "AAxBB".

Not covered: power cuts and torn pages, which are SQLite's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from string import ascii_uppercase

from ...schema import SchemaName
from .actor import Function
from .database_snapshot import Journal
from .exploration import Exploration
from .explore import Progress, Setup
from .outcome import DIES, Crash, Limits, Outcome
from .progress_bar import Bar
from .result import ExplorationResult
from .schedules import AllSchedules
from .trace import Trace, name_of
from .trial import Invariant, Recover, Trial
from .wording import counted, short_sql


@dataclass
class Point:
    """A crash point: the SQL that the actor did not come to run, and how many schedules were run and broke."""

    sql: str
    count: int = 0
    broken: int = 0

    def __repr__(self) -> str:
        times = f" ({self.broken:,} of {self.count:,})" if self.count > 1 else ""
        return f"{'BREAKS' if self.broken else 'holds'}{times}: {self.sql}"


@dataclass(repr=False)
class Crashes(ExplorationResult):
    """The result of explore_crashes(): as Found, and what broke at each crash point."""

    crash: int = 0
    recover_name: str | None = None
    points: dict[int, Point] = field(default_factory=dict, repr=False)  # by the number of the step

    def add_crash(self, step: int, outcome: Outcome, problems: tuple[str, ...]) -> None:
        """Take note of one schedule in which the actor died before this step."""
        self.add(outcome, problems)
        point = self.points.setdefault(step, Point(short_sql(outcome.crashed or "")))
        point.count += 1
        point.broken += bool(problems)

    def as_test(self, schedule: str | None = None) -> str:
        """A pytest case for all crash points: they are few, and a repair may move them."""
        actors = ", ".join(self.names.values())
        recover = f" recover={self.recover_name}," if self.recover_name else ""
        crash = f" crash={self.crash}," if len(self.names) > 1 else ""
        return (
            f"def test_every_crash_of_{list(self.names.values())[self.crash]}() -> None:\n"
            f"    lost = explore_crashes([{actors}],{crash}{recover}{self.arguments()})\n"
            "    assert lost.holds, str(lost)\n"
        )

    def _headline(self) -> str:
        points = counted(len(self.points), "crash point")
        if len(self.names) == 1:
            return f"{len(self.problems):,} of {points} {'breaks' if len(self.problems) == 1 else 'break'}"
        return f"{len(self.problems):,} of {counted(self.count, 'schedule')} break; {points}"

    def _summary(self) -> list[str]:
        return [*(_line(step, point) for step, point in sorted(self.points.items())), *super()._summary()]

    def _shortest_headline(self) -> str:
        return f"The breaking crash with the fewest switches: {self.shortest} ({DIES} is the moment of death)"


def _line(step: int, point: Point) -> str:
    verdict = "BREAKS" if point.broken else "holds "
    times = f" ({point.broken:,} of {point.count:,})" if point.count > 1 else ""
    return f"  {verdict} dies before step {step}{times}: {point.sql}"


def explore_crashes(
    actors: Function | Sequence[Function],
    *,
    invariant: Invariant,
    crash: int = 0,
    setup: Setup | None = None,
    recover: Recover | None = None,
    schema: SchemaName | None = "both",
    journal: Journal = "wal",
    max_schedules: int = Limits.schedules,
    max_steps: int = Limits.steps,
    patience: float = Limits.patience,
    progress: Progress | None = None,
) -> Crashes:
    """Kill one actor before each of its steps, recover, and ask what is broken.

    actors: one function f(engine), or several of which the one of index `crash` dies: then every crash point is
        tried in every interleaving with the others, which live.
    recover: recover(engine), run when all have ended; what it raises counts as broken.
    The other arguments are those of explore(), as are the errors.
    """
    functions = [actors] if callable(actors) else list(actors)
    if not 0 <= crash < len(functions):
        raise ValueError(f"crash={crash} found, the index of one of {len(functions)} actors expected")

    def open_trial() -> Trial:
        limits = Limits(max_schedules, max_steps, patience)
        exploration = Exploration(functions, setup=setup, schema=schema, journal=journal, limits=limits)
        return Trial(exploration, invariant, recover)

    def replay(schedule: str) -> Trace:
        with open_trial() as trial:
            return trial.trace(schedule, _crash_in(schedule, crash))

    with open_trial() as trial:
        lost = Crashes(
            names={actor.letter: name_of(actor.function) for actor in trial.exploration.actors},
            setup_name=name_of(setup) if setup else None,
            invariant_name=name_of(invariant),
            replaying=replay,
            schema=schema,
            journal=journal,
            crash=crash,
            recover_name=name_of(recover) if recover else None,
        )
        with Bar() as bar:
            for step in count(1):
                walk = AllSchedules(trial.exploration, Crash(crash, step))
                if not _walk_through(walk, step, trial, lost, lambda: lost.is_to_stop(max_schedules, progress, bar)):
                    break
        if lost.shortest is not None:
            lost.trace = trial.trace(lost.shortest, _crash_in(lost.shortest, crash))
    return lost


def _walk_through(walk: AllSchedules, step: int, trial: Trial, lost: Crashes, is_to_stop: Callable[[], bool]) -> bool:
    """Run every schedule with a crash before this step; whether there was one, and more may be run."""
    died = False
    for outcome in walk:
        if outcome.crashed is None:
            continue  # the actor ended before it came to this step
        died = True
        lost.add_crash(step, outcome, trial.problems(outcome))
        if is_to_stop():
            lost.left = walk.untried + 1  # and the later crash points, if there are any
            return False
    return died


def _crash_in(schedule: str, actor: int) -> Crash | None:
    before, dies, _ = schedule.partition(DIES)
    return Crash(actor, before.count(ascii_uppercase[actor]) + 1) if dies else None
