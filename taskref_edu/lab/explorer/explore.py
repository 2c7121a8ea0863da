"""The race lab: run unmodified functions under every interleaving of their SQL statements, on a real database.

    found = explore([click, click], setup=one_order, invariant=one_live_payment)
    print(found)                 # counts first, then the breaking schedule with the fewest switches
    found.replay("ABBA")         # any schedule, with the rows after each step

A step is a statement that reaches SQLite. BEGIN [DEFERRED], SAVEPOINT, RELEASE and PRAGMA are not steps; BEGIN
IMMEDIATE is one. COMMIT and ROLLBACK are steps if the transaction holds the write lock, and always with a rollback
journal; otherwise they belong to the preceding step, as does the code between two steps.

Not covered: races between Python variables, other files, and threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...schema import SchemaName
from .budget import MAX_RUNS, Budget, Progress
from .experiment import ActorFunction, Experiment, Invariant, Journal, Setup
from .result import ExplorationResult
from .run_schedules import run_all, run_these, trial_of
from .schedule_outcome import Limits


def explore(
    actors: Sequence[ActorFunction],
    *,
    invariant: Invariant,
    setup: Setup | None = None,
    schema: SchemaName | None = "both",
    url: str | None = None,
    journal: Journal = "wal",
    schedules: Sequence[str] | None = None,
    merge: bool = True,
    max_runs: int = MAX_RUNS,
    seconds: float | None = None,
    stop_at_first: bool = False,
    max_steps: int = Limits.steps,
    patience: float = Limits.patience,
    progress: Progress | None = None,
) -> ExplorationResult:
    """Run every interleaving of the actors' steps, each from the same start, and check what is broken after it.

    actors: functions f(engine); each gets its own engine on the same database. They must depend on the database only:
        every schedule calls them again.
    invariant: invariant(session), (session, errors) or (session, errors, results) returns a list of what is broken.
        errors and results are dicts by the actor's letter: the exceptions, and what the other actors returned.
    setup: setup(engine), run once on a new database; schema: which tables that database has, None for no table.
    url: a PostgreSQL server, postgresql+psycopg://…; a scratch database is created there and dropped. None: a SQLite
        file. journal: the journal mode of that file.
    schedules: run only these, each as far as it can be followed; for a regression test of one schedule.
    merge: if there are many schedules, run for real only those that reach an unknown state, and derive the others
        from the states that they pass through. False: run every schedule.
    max_runs (real ones), seconds, stop_at_first: when to stop; the result says what was not explored.
    max_steps (of one actor), patience (seconds between two steps): beyond these, an actor counts as never ending.
    progress: called with the number of runs after each run; return True to stop.

    After half a second a notebook shows a bar and a terminal a line. From then on, an interrupt ends the exploration
    after the current schedule, and the result says so. An actor that waits for a Python lock that another actor holds
    never continues: `patience` ends it on the main thread of a POSIX system; elsewhere, restart the process.
    Raises ActorNeverEnds, PastTheExplorer, NotRepeatable; an actor's own exception is part of the result.
    """
    experiment = Experiment(actors, invariant, setup, schema=schema, journal=journal, url=url)
    open_trial = partial(trial_of, experiment, Limits(max_steps, patience))

    with open_trial() as trial, Budget(max_runs, seconds, stop_at_first, progress) as budget:
        explored = run_all(trial, budget, merge) if schedules is None else run_these(trial, budget, schedules)
        return ExplorationResult(explored, open_trial, trial)
