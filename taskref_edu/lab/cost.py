"""What a piece of work costs SQLite: statements, steps of its virtual machine, rows. The same on every machine.

A time depends on how busy the machine is; the number of steps shows how the work grows. SQLite's progress handler
counts them; those of a trigger or a foreign key belong to the statement that caused them.

Not covered: BEGIN, COMMIT, disk access, and the steps of preparing a statement, which newer versions of SQLite report
as well. A step is not a unit of time, and the number of steps may differ between versions of SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from ..arguments import counted
from ..database.observed_connection import ObservedConnection
from ..database.sqlite_engine import observers_of
from ..database.transactions import writing
from .sqltrace import Statement, Statements, filled_in, plan_of


@dataclass(frozen=True)
class Cost:
    """statements: how many. rows: read by the caller. changes: rows written, also by triggers and foreign keys.

    plan: SQLite's query plans, line by line. sql: the statements themselves.
    """

    statements: int
    vm_steps: int
    rows: int
    changes: int
    plan: tuple[str, ...] = field(repr=False)
    sql: Statements = field(repr=False)

    def __repr__(self) -> str:
        return "\n".join([self._summary(), *(f"  {line}" for line in self.plan)])

    def _repr_html_(self) -> str:
        return f"<p>{self._summary()}</p>{self.sql._repr_html_()}"

    def _summary(self) -> str:
        return (
            f"{self.vm_steps:,} VM steps, {counted(self.statements, 'statement')}, "
            f"{counted(self.rows, 'row')} read, {counted(self.changes, 'row')} changed"
        )


def measure(engine: Engine, f: Callable[[Session], Any]) -> Cost:
    """The cost of `f(session)` in a write transaction that is rolled back, so that it can be measured again.

    Objects that `f` changed are flushed, and count. Do not use it inside capture_sql(), whose own queries would count;
    `sql` has the statements anyway. Raises TypeError unless the engine is that of a SQLite file.
    """
    observers = observers_of(engine)
    with writing(engine) as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, ObservedConnection)
        meter = Meter(connection)
        with observers.attached(meter), meter.counting():
            f(session)
            session.flush()
        sql = Statements(_statement(connection, *sent) for sent in meter.sent)
        session.rollback()
    plan = tuple(line for statement in sql for line in statement.plan)
    return Cost(len(sql), meter.steps, meter.rows, meter.changes, plan, sql)


class Meter:
    """Counts the work of one connection. Steps are also taken after execute() has returned, while rows are fetched."""

    def __init__(self, connection: ObservedConnection) -> None:
        self.steps = self.rows = self.changes = 0
        self.sent: list[tuple[str, Any]] = []
        self._connection = connection
        self._prepared_at: int | None = None

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        if connection is self._connection:
            self.sent.append((sql, parameters))
            self._prepared_at = self.steps
        return run()

    @contextmanager
    def counting(self) -> Iterator[None]:
        connection, changes = self._connection, self._connection.total_changes
        connection.set_progress_handler(self._step, 1)
        connection.set_trace_callback(self._begins)
        connection.row_factory = self._row
        try:
            yield
        finally:
            connection.set_progress_handler(None, 1)
            connection.set_trace_callback(None)
            connection.row_factory = None
        self.changes = connection.total_changes - changes

    def _step(self) -> None:
        self.steps += 1

    def _begins(self, _sql: str) -> None:
        # Called when a prepared statement starts to run. Whether it had to be prepared depends on what ran before, so
        # the steps of preparing do not count. Triggers cause further calls: only the first one matters.
        if self._prepared_at is not None:
            self.steps, self._prepared_at = self._prepared_at, None

    def _row(self, _cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> tuple[Any, ...]:
        self.rows += 1
        return row


def _statement(connection: ObservedConnection, sql: str, parameters: Any) -> Statement:
    return Statement(filled_in(connection, sql, parameters), sql, parameters, plan_of(connection, sql, parameters))
