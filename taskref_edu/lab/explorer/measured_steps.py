"""What a step does, measured on SQLite's connections before and after it; nothing is modelled.

Measured are: what was committed, which connections read, which one holds the write lock, which snapshots are new.
Not covered: what counts as a step (`step_kinds.py`).
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable
from typing import Any

from .answer_log import AnswerLog, Learnt
from .database_snapshot import quoted
from .errors import CannotMerge
from .exploration import Exploration
from .local_states import LocalStates
from .sqlite_locks import in_transaction, is_reading
from .step_effects import (
    Effect,
    Effects,
    Fresh,
    Kept,
    NextStep,
    Situation,
    View,
    WriteView,
    Wrote,
    known_names,
    written_by,
)
from .step_kinds import Kind


class MeasuredSteps:
    """Measures the steps of one exploration.

    writable: by actor, the tables that its transaction may have changed after its step. learnt_savepoints: whether this
    measurement found the first savepoint.
    """

    def __init__(
        self, exploration: Exploration, log: AnswerLog, learnt: Learnt, memory: Effects, numbered: LocalStates
    ) -> None:
        self._exploration, self._log, self._learnt = exploration, log, learnt
        self._memory, self._numbered = memory, numbered
        self._observer = exploration.database.observer
        self.writable: list[set[str]] = [set() for _ in exploration.actors]
        self.learnt_savepoints = False
        self._row_numbers: dict[bytes, int] = {}
        self._queries: dict[str, str] = {}
        log.savepoint = self._at_savepoint

    def versions(self, state: Situation, index: int) -> tuple[int, dict[int, int]]:
        """Numbers that change with each commit: for a new reader, and for the snapshots that the actor has open."""
        local = self._memory.locals[state.locals[index]]
        own = {
            number: data_version(connection)
            for connection, number in self._log.connections[index].items()
            if local.step is not None and number == local.step.connection and local.reads_on(number)
        }
        return data_version(self._observer), own

    def measure(self, state: Situation, index: int, answers: str, before: tuple[int, dict[int, int]]) -> Effect:
        local = self._memory.locals[state.locals[index]]
        step = local.step
        assert step is not None
        commits = data_version(self._observer) not in (-1, before[0])
        committed = self._committed(state, step, self.writable[index]) if commits else ()
        unfinished = set(self._log.unfinished[index].values())
        transactions, views = [], []
        for connection, number in self._log.connections[index].items():
            reads, holds = self._holds(state, index, connection, number, unfinished)
            if not reads and not holds:
                continue
            transactions.append((number, reads, holds))
            old = next((view for view in state.views[index] if view.connection == number), None)
            if holds:
                views.append(self._wrote(old, connection, number, step))
                continue
            moved = number in before[1] and before[1][number] != data_version(connection)
            own_commit = commits and step.connection == number
            fresh = old is None or isinstance(old, WriteView) or moved or own_commit
            views.append(Fresh(number) if fresh else Kept(number))
        unfinished &= {number for number, *_ in transactions}
        seen = (tuple(transactions), tuple(sorted(unfinished)))
        return Effect(
            self._numbered.number(index, local.number, answers, seen, local.steps + 1),
            answers,
            committed,
            commits,
            tuple(views),
        )

    def _committed(self, state: Situation, step: NextStep, writable: set[str]) -> tuple[tuple[str, int], ...]:
        now = self.content(self._observer, self._exploration.database.tables())
        old = self._memory.contents.known[state.content]
        changed = {table for table in now if now[table] != old.get(table)}
        if not changed <= writable:
            raise CannotMerge(f"{step.sql!r} changed {sorted(changed)}, not only {sorted(writable)}")
        # All tables that the transaction has written, even if unchanged: in another state they may differ.
        return tuple(sorted((table, now[table]) for table in writable))

    def _holds(
        self, state: Situation, index: int, connection: Any, number: int, unfinished: set[int]
    ) -> tuple[bool, bool]:
        """Whether a connection reads, and whether it holds the write lock."""
        writer = self._exploration.locks.writer
        holds = writer is connection
        reads = (in_transaction(connection) or number in unfinished) and (holds or is_reading(connection))
        step = self._memory.locals[state.locals[index]].step
        held = any(view.connection == number and isinstance(view, WriteView) for view in state.views[index])
        wrote = step is not None and step.connection == number and step.kind in (Kind.WRITE, Kind.BEGIN)
        if not holds and reads and (held or wrote):
            # A write or BEGIN that failed in a transaction may keep the lock; an autocommitted write with unfetched
            # rows is not committed yet.
            others = any(self._memory.locals[other].holds for place, other in enumerate(state.locals) if place != index)
            others = others or writer in self._log.connections[index]
            holds = not others and self._exploration.database.is_locked()
        return reads, holds

    def _wrote(self, old: View | None, connection: Any, number: int, step: NextStep) -> Wrote:
        before = dict(old.tables) if isinstance(old, WriteView) else {}
        writes = step.tables.writes if step.connection == number else frozenset()
        rows = self.content(connection, sorted(before.keys() | writes))
        if self._learnt.savepoints:
            return Wrote(number, tuple(sorted(rows.items())), False)
        others = {table for table in rows.keys() - writes if before[table] != rows[table]}
        if others:
            raise CannotMerge(f"{step.sql!r} changed {sorted(others)}, not only {sorted(writes)}")
        # Only what this step has written: in another state the other tables may differ.
        return Wrote(number, tuple(sorted((table, rows[table]) for table in writes)), True)

    def _at_savepoint(self, connection: Any, index: int) -> Any:
        """The content to which the transaction can roll back; with savepoints, keys include all that it has written."""
        if self._exploration.locks.writer is not connection:
            return None
        if not self._learnt.savepoints:
            self._learnt.savepoints = self.learnt_savepoints = True
            return None
        return sorted(self.content(connection, sorted(self.writable[index])).items())

    def content(self, connection: sqlite3.Connection, tables: Iterable[str]) -> dict[str, int]:
        """The rows of these tables, as numbers."""
        cursor = sqlite3.Cursor(connection)
        cursor.row_factory = None
        found = {}
        for table in tables:
            if table not in self._queries:
                self._queries[table] = _query(self._observer, table)
            rows = self._log.rows(cursor.execute(self._queries[table]).fetchall())
            number = found[table] = self._row_numbers.setdefault(marshal.dumps(rows, 0), len(self._row_numbers))
            if self._log.names and number not in self._memory.contents.names_of_rows:
                self._memory.contents.names_of_rows[number] = known_names(rows)
        return found

    def committed(self) -> int:
        """The number of the content that is committed now."""
        return self._memory.contents.number(self.content(self._observer, self._exploration.database.tables()))

    def of_death(self, state: Situation, index: int, before: int) -> tuple[tuple[tuple[str, int], ...], bool]:
        """What was committed by this actor's death; before: the data version until then."""
        commits = data_version(self._observer) != before
        written = sorted(written_by(state, index, None)) if commits else ()
        return tuple(self.content(self._observer, written).items()), commits


def _query(observer: sqlite3.Connection, table: str) -> str:
    query = f"SELECT rowid, * FROM main.{quoted(table)}"
    try:
        observer.execute(query).close()
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return f"SELECT * FROM main.{quoted(table)}"
    return query


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes for this connection whenever another one commits; -1 if the file is locked."""
    try:
        return sqlite3.Cursor(connection).execute("PRAGMA main.data_version").fetchone()[0]
    except sqlite3.Error:  # locked exclusively: nothing is committed
        return -1
