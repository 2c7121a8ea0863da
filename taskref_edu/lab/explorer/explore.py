"""The race lab: run unmodified functions under every interleaving of their SQL statements, on a real SQLite file.

    found = explore([click, click], setup=one_order, invariant=one_live_payment)
    print(found)                 # counts first, then the breaking schedule with the fewest switches
    found.replay("ABBA")         # any schedule, with the rows after each step

A step is a statement that reaches SQLite. BEGIN [DEFERRED], SAVEPOINT, RELEASE and PRAGMA are none; BEGIN IMMEDIATE
is one. COMMIT and ROLLBACK are steps where the transaction holds the write lock, and always with a rollback journal;
elsewhere they belong to the step before. Code between two steps belongs to the step before, too.

Not covered: races between Python variables, other files, and threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from ...schema import SchemaName
from .actor import Function
from .database_snapshot import Journal
from .exploration import Exploration
from .outcome import Limits
from .progress_bar import Bar
from .result import ExplorationResult
from .schedules import AllSchedules, replay
from .trace import Trace, name_of
from .trial import Invariant, Trial

Setup = Callable[[Engine], object]
Progress = Callable[[int], object]


def explore(
    actors: Sequence[Function],
    *,
    invariant: Invariant,
    setup: Setup | None = None,
    schema: SchemaName | None = "both",
    journal: Journal = "wal",
    schedules: Sequence[str] | None = None,
    max_schedules: int = Limits.schedules,
    max_steps: int = Limits.steps,
    patience: float = Limits.patience,
    progress: Progress | None = None,
) -> ExplorationResult:
    """Run every interleaving of the actors' steps once, from the same start, and ask what is broken after each.

    actors: functions f(engine); each gets an engine of its own on the same file. They must depend on the database
        alone: every schedule calls them anew.
    invariant: invariant(session), (session, errors) or (session, errors, results) returns a list of what is broken.
        errors and results are dicts by the actor's letter: the exceptions, and what the other actors returned.
    setup: setup(engine), run once on a fresh file; schema: whose tables that file has, None for no table.
    schedules: run only these, as far as each can be followed; for a test that keeps a schedule.
    max_schedules, max_steps (of one actor), patience (seconds between two steps): the bounds.
    progress: called with the number of schedules after each one; to return True is to stop there.

    After half a second a notebook shows a bar and a terminal a line; an interrupt then ends the exploration after the
    schedule that runs, and the result says so. An actor that waits for a Python lock of another actor's is stuck:
    `patience` ends it on the main thread of a POSIX system; elsewhere only a restart of the process does.
    Raises ActorNeverEnds, PastTheExplorer, NotRepeatable; an actor's own exception is part of the result.
    """

    def open_trial() -> Trial:
        limits = Limits(max_schedules, max_steps, patience)
        return Trial(Exploration(actors, setup=setup, schema=schema, journal=journal, limits=limits), invariant)

    def trace_of(schedule: str) -> Trace:
        with open_trial() as trial:
            return trial.trace(schedule)

    with open_trial() as trial:
        found = ExplorationResult(
            names={actor.letter: name_of(actor.function) for actor in trial.exploration.actors},
            setup_name=name_of(setup) if setup else None,
            invariant_name=name_of(invariant),
            replaying=trace_of,
            schema=schema,
            journal=journal,
        )
        walk = AllSchedules(trial.exploration)
        outcomes = walk if schedules is None else (replay(trial.exploration, each, strict=False) for each in schedules)
        most = max_schedules if schedules is None else min(max_schedules, len(schedules))
        with Bar(lambda: max(walk.share, found.count / most)) as bar:
            for outcome in outcomes:
                found.add(outcome, trial.problems(outcome))
                if found.is_to_stop(max_schedules, progress, bar):
                    found.left = walk.untried if schedules is None else len(schedules) - found.count
                    break
        if found.shortest is not None:
            found.trace = trial.trace(found.shortest)
    return found
