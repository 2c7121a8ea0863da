"""Observes for display what happens on each edge of the graph, and in each state, by running every edge once.

Observed are SQL with its parameters, fetched rows, who waits, and which fetched rows are out of date. Verdicts do not
depend on it. As few schedules as possible are run; a state on several schedules is observed in one of them.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ...database.observed_connection import ObservedConnection
from ..player.recording import DIES
from ..sqltrace import filled_in
from .actor import Actor, Step
from .answer_log import tell_rows
from .database_snapshot import Rows
from .errors_in_words import database_name, error_text
from .experiment import file_of, line_in
from .graph import Graph
from .repeated_reads import FetchedRows, RepeatedReads
from .schedule_outcome import ScheduleOutcome
from .sqlite_locks import in_transaction
from .step_kinds import Classified, Kind
from .trial import Trial

MOST_EDGES = 2_000  # that are observed
ENDS = ("COMMIT", "END", "ROLLBACK", "RELEASE")


@dataclass
class SeenStep:
    """One edge. before, after: whether a transaction was open; pre, post: statements around it that are not steps."""

    by: str
    sql: str
    kind: str
    answer: FetchedRows | None = None
    changed: int | None = None
    id: int | None = None  # the lastrowid of an INSERT
    error: str | None = None
    ends: str | None = None  # the error with which its actor ended here
    error_name: str | None = None  # the database's name of that error
    before: bool = False
    after: bool = False
    pre: list[str] = field(default_factory=list)
    post: list[str] = field(default_factory=list)
    line: int | None = None  # in the file of the actor's function
    dies: bool = False
    undone: bool = False  # it was killed in an open transaction


@dataclass
class SeenState:
    """One state, by letter: the rows that open write transactions see, each actor's next step, who waits for whom.

    now: by letter and SQL, what an actor's latest SELECTs would return now, if that differs from what they returned.
    """

    rows: Rows
    open: dict[str, Rows]
    next: dict[str, str]
    waits: dict[str, str]
    now: dict[str, dict[str, FetchedRows]]
    ended: str


@dataclass
class Observations:
    """Steps by (state, letter), states by number; recovered: by end, the state after the recovery, and its error."""

    graph: Graph
    steps: dict[tuple[int, str], SeenStep] = field(default_factory=dict)
    states: dict[int, SeenState] = field(default_factory=dict)
    recovered: dict[int, tuple[SeenState, str | None]] = field(default_factory=dict)
    times: set[str] = field(default_factory=set)  # columns that hold times
    keys: dict[str, str] = field(default_factory=dict)  # by table
    references: dict[str, str] = field(default_factory=dict)  # "table.column": table


def observe(trial: Trial, graph: Graph, schedules: Iterable[str] | None, file: str | None = None) -> Observations:
    """Observe the edges of the graph; with `schedules`, only theirs. file: whose line numbers are recorded."""
    database = trial.exploration.database
    seen = Observations(graph, times=database.times(), keys=database.keys(), references=database.references())
    watching = _Watching(trial, file, seen.times)
    for actor in trial.exploration.actors:
        actor.listener = watching
    try:
        paths, left = _paths(graph), dict.fromkeys(_edges(graph, schedules)[:MOST_EDGES])
        while left:
            state, letter = next(iter(left))
            watching.run(paths[state] + letter, seen, left)
    finally:
        for actor in trial.exploration.actors:
            trial.exploration.kill(actor)
            actor.listener = None
    return seen


def _edges(graph: Graph, schedules: Iterable[str] | None) -> list[tuple[int, str]]:
    if schedules is not None:
        passed = ((state, letter) for each in schedules for state, letter in zip(graph.walk(each), each, strict=False))
        return list(dict.fromkeys(passed))
    edges = [(n, move, child) for n, state in enumerate(graph.states) for move, child in state.edges.items()]
    # Beside a crash, the display also shows the run without one.
    return [(n, move) for n, move, child in edges if graph.states[child].all or graph.deaths]


def _paths(graph: Graph) -> list[str]:
    """For each state, a schedule that leads to it."""
    paths = [""] * len(graph.states)
    reached = {0}
    for number, state in enumerate(graph.states):
        for move, child in state.edges.items():
            if number in reached and child not in reached:
                paths[child] = paths[number] + move
                reached.add(child)
    return paths


class _Watching:
    """The listener of the actors, for one schedule after another."""

    def __init__(self, trial: Trial, file: str | None, times: set[str]) -> None:
        self._trial, self._exploration = trial, trial.exploration
        self._database, self._times = trial.exploration.database, times
        self._files = {actor: file or file_of(actor.function) for actor in self._exploration.actors}
        self._begin()

    def _begin(self) -> None:
        actors = self._exploration.actors
        self._free: dict[Actor, list[str]] = {actor: [] for actor in actors}
        self._lines: dict[Actor, int | None] = dict.fromkeys(actors)
        self._open: dict[Actor, bool] = dict.fromkeys(actors, False)
        self._ran: dict[Actor, SeenStep] = {}
        self._reads = {actor: RepeatedReads(self._ask, self._times) for actor in actors}

    # The listener

    def free(
        self, actor: Actor, connection: ObservedConnection, statement: Classified, sql: str, run: Callable[[], Any]
    ) -> Any:
        if statement.word != "PRAGMA":
            self._free[actor].append(sql)
        return run()

    def stands(self, actor: Actor, step: Step) -> None:
        self._lines[actor] = line_in(self._files[actor], sys._getframe(1))
        self._open[actor] = in_transaction(step.connection)

    def ran(self, actor: Actor, step: Step, cursor: Any, error: BaseException | None) -> None:
        before, after = self._open[actor], in_transaction(step.connection)
        seen = SeenStep(actor.letter, self._filled(step), step.kind.value, before=before, after=after)
        seen.line, seen.pre = self._lines[actor], self._free[actor]
        self._free[actor], self._ran[actor] = [], seen
        if error is not None:
            seen.error, seen.error_name = error_text(error), database_name(error)
        elif step.kind is Kind.WRITE and cursor is not None:
            seen.changed = max(0, cursor.rowcount)
            seen.id = cursor.lastrowid if step.tables.numbers_rows else None
        if error is None and cursor is not None and cursor.description is not None:
            answer = seen.answer = FetchedRows([column[0] for column in cursor.description])
            tell_rows(cursor, lambda _cursor, rows, _ended: answer.rows.extend(list(row) for row in rows))
            if step.kind is Kind.READ:
                self._reads[actor].add(seen.sql, step.sql, step.parameters, answer)

    # A run

    def run(self, schedule: str, seen: Observations, left: dict[tuple[int, str], None]) -> None:
        """Follow the schedule, then edges not observed yet, and record what is new."""
        self._begin()
        outcome, number, place = self._exploration.start(), 0, 0
        seen.states.setdefault(0, self._state(None))
        while place < len(schedule) or (schedule := schedule + self._unseen(number, left)) != schedule[:place]:
            move, place = schedule[place], place + 1
            actor = self._exploration.mover(move)
            step = self._step(actor, move, outcome)
            seen.steps.setdefault((number, move), step)
            left.pop((number, move), None)
            number = seen.graph.states[number].edges[move]
            seen.states.setdefault(number, self._state(actor))
        if not seen.graph.states[number].edges and self._exploration.going:
            self._exploration.give_up(outcome)
        for actor in self._exploration.going:
            self._exploration.kill(actor)
        self._exploration.end(outcome).forget()
        end = seen.graph.states[number]
        if self._trial.experiment.recover and not end.edges and end.all and number not in seen.recovered:
            error = self._trial.recover()
            seen.recovered[number] = self._state(None), error

    def _unseen(self, number: int, left: dict[tuple[int, str], None]) -> str:
        return next((move for state, move in left if state == number), "")

    def _step(self, actor: Actor, move: str, outcome: ScheduleOutcome) -> SeenStep:
        sql = self._filled(actor.step) if actor.step else ""
        undone = any(in_transaction(connection) for connection in actor.connections)
        self._exploration.go(move, outcome)
        if move == DIES:
            return SeenStep(actor.letter, sql, "other", dies=True, undone=undone, line=self._lines[actor])
        seen = self._ran[actor]
        ends = [place for place, text in enumerate(self._free[actor]) if text.upper().lstrip().startswith(ENDS)]
        if ends:  # statements that are no steps have ended the transaction
            seen.post, self._free[actor] = self._free[actor][: ends[-1] + 1], self._free[actor][ends[-1] + 1 :]
        if actor.ended and actor.error is not None:
            seen.ends = error_text(actor.error)
            seen.error_name = seen.error_name or database_name(actor.error)
        return seen

    def _state(self, mover: Actor | None) -> SeenState:
        actors, writer = self._exploration.actors, self._exploration.locks.writer
        going = [actor for actor in actors if not actor.ended and actor.step is not None]
        return SeenState(
            rows=self._database.rows(),
            open={
                actor.letter: self._database.rows(writer) for actor in actors if writer and writer in actor.connections
            },
            next={actor.letter: self._filled(actor.step) for actor in going if actor.step},
            waits={a.letter: self._exploration.holder_before(a) for a in going if not self._exploration.may_go(a)},
            now={a.letter: now for a in going if (now := self._reads[a].out_of_date(moved=a is mover))},
            ended="".join(actor.letter for actor in actors if actor.ended),
        )

    def _ask(self, sql: str, parameters: Any) -> list[list[Any]] | None:
        try:
            return [list(row) for row in self._database.observer.execute(sql, parameters)]
        except sqlite3.Error:
            return None

    def _filled(self, step: Step) -> str:
        return filled_in(self._database.observer, step.sql, step.parameters)
