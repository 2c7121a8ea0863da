"""The race lab: run unmodified functions under every interleaving of their SQL statements, on a real database.

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
from functools import partial

from sqlalchemy import Engine

from ...schema import SchemaName
from .actor import Function
from .budget import Budget, Progress
from .invariant import Invariant
from .outcome import Limits
from .progress_bar import Bar
from .question import Journal, Question
from .result import ExplorationResult
from .run_schedules import run_all, run_these, trial_of

Setup = Callable[[Engine], object]


def explore(
    actors: Sequence[Function],
    *,
    invariant: Invariant,
    setup: Setup | None = None,
    schema: SchemaName | None = "both",
    url: str | None = None,
    journal: Journal = "wal",
    schedules: Sequence[str] | None = None,
    merge: bool = True,
    max_runs: int = Limits.runs,
    seconds: float | None = None,
    stop_at_first: bool = False,
    max_steps: int = Limits.steps,
    patience: float = Limits.patience,
    progress: Progress | None = None,
) -> ExplorationResult:
    """Ask after every interleaving of the actors' steps, each from the same start, what is broken.

    actors: functions f(engine); each gets an engine of its own on the same file. They must depend on the database
        alone: every schedule calls them anew.
    invariant: invariant(session), (session, errors) or (session, errors, results) returns a list of what is broken.
        errors and results are dicts by the actor's letter: the exceptions, and what the other actors returned.
    setup: setup(engine), run once on a fresh file; schema: whose tables that file has, None for no table.
    url: of a PostgreSQL server, postgresql+psycopg://…: on a scratch database there, made and dropped. None: a SQLite
        file. journal: of that file.
    schedules: run only these, as far as each can be followed; for a test that keeps a schedule.
    merge: where there are many schedules, run for real only those that lead to something unknown, and conclude the
        others from the states that they pass. False: run every one.
    max_runs (for real), seconds, stop_at_first: where to stop; the result says what was not explored.
    max_steps (of one actor), patience (seconds between two steps): what is taken for an actor that never ends.
    progress: called with the number of runs after each one; to return True is to stop there.

    After half a second a notebook shows a bar and a terminal a line; an interrupt then ends the exploration after the
    schedule that runs, and the result says so. An actor that waits for a Python lock of another actor's is stuck:
    `patience` ends it on the main thread of a POSIX system; elsewhere only a restart of the process does.
    Raises ActorNeverEnds, PastTheExplorer, NotRepeatable; an actor's own exception is part of the result.
    """
    question = Question(actors, invariant, setup, schema=schema, journal=journal, url=url)
    open_trial = partial(trial_of, question, Limits(max_runs, max_steps, patience))

    with open_trial() as trial, Bar() as bar:
        budget = Budget(max_runs, seconds, stop_at_first, progress, bar)
        explored = run_all(trial, budget, bar, merge) if schedules is None else run_these(trial, budget, schedules)
        return ExplorationResult(question, explored, open_trial, trial)
