"""Decides which statement has to wait for a lock: exactly those for which SQLite would call its busy handler.

SQLite does so only while the connection has no read transaction open; otherwise the caller gets SQLITE_BUSY at once, as
always with SQLITE_BUSY_SNAPSHOT. Connections are opened without a timeout; waiting means trying again after
another actor's step. In rollback-journal mode a COMMIT also waits until no other connection reads.

Not covered: a COMMIT that waits for readers blocks new readers meanwhile (rollback journal only).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from .step_kinds import Kind

_PRIMARY = 0xFF  # the low byte of an extended error code is the primary one


def is_reading(connection: sqlite3.Connection) -> bool:
    """Whether a read transaction is open on the connection, by BEGIN or by a cursor not yet exhausted."""
    try:
        # SQLite has no API for this, but a checkpoint fails if the connection itself has a transaction open.
        sqlite3.Cursor(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_LOCKED
    except sqlite3.ProgrammingError:  # closed
        return False
    return False


def in_transaction(connection: sqlite3.Connection) -> bool:
    """The driver's `in_transaction`; False for a closed connection."""
    try:
        return connection.in_transaction
    except sqlite3.ProgrammingError:
        return False


def waits(connection: sqlite3.Connection, error: sqlite3.Error) -> bool:
    """Whether SQLite, given a timeout, would have waited instead of raising this error."""
    return is_busy(error) and _code(error) != sqlite3.SQLITE_BUSY_SNAPSHOT and not is_reading(connection)


def is_busy(error: BaseException) -> bool:
    """Whether the error is SQLITE_BUSY: another connection holds the lock."""
    return _code(error) & _PRIMARY == sqlite3.SQLITE_BUSY


def _code(error: BaseException) -> int:
    return getattr(
        error, "sqlite_errorcode", 0
    )  # errors of the driver itself, such as for a wrong parameter, have no code


class Locks:
    """The locks on one database file, as far as they are known without trying."""

    def __init__(
        self,
        rollback_journal: bool,
        connections: Callable[[], Iterable[sqlite3.Connection]],
        is_locked: Callable[[], bool],
    ) -> None:
        self.rollback_journal = rollback_journal
        self._connections = connections  # all of them
        self._is_locked = is_locked
        self._writer: sqlite3.Connection | None = None

    def ran(self, connection: sqlite3.Connection, kind: Kind, error: BaseException | None = None) -> None:
        """Record what a statement did to the locks."""
        if not in_transaction(connection):
            if self._writer is connection:
                self._writer = None
        elif kind in (Kind.BEGIN, Kind.WRITE) and (error is None or self._kept(error)):
            self._writer = connection

    def _kept(self, error: BaseException) -> bool:
        """Whether a failed statement leaves its transaction with the write lock, as a violated constraint does."""
        return not is_busy(error) and self.writer is None and self._is_locked()

    @property
    def writer(self) -> sqlite3.Connection | None:
        """The connection whose transaction holds the write lock."""
        if self._writer is not None and not in_transaction(self._writer):
            self._writer = None
        return self._writer

    def must_wait(self, connection: sqlite3.Connection, kind: Kind) -> bool:
        """Whether a step of this kind would wait. True is certain; False means: try, SQLite decides."""
        if self._writer is None and not self.rollback_journal:
            return False
        writer = self.writer
        if kind in (Kind.BEGIN, Kind.WRITE):
            if writer is not None and writer is not connection:
                return not is_reading(connection)
            commits = kind is Kind.WRITE and not connection.in_transaction
        else:
            commits = kind is Kind.COMMIT and writer is connection
        if not (commits and self.rollback_journal):
            return False
        return any(is_reading(other) for other in self._connections() if other is not connection)
