"""The SQLite connection that instruments attach to: it sees every statement, and costs nothing while unobserved.

SQLAlchemy's own events miss COMMIT and raw driver calls; SQLite's trace callback reports a statement again for each
trigger that it fires. A subclass of the driver's connection sees each statement exactly once.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import Any, Literal, Protocol

from ..arguments import shorten
from ..errors import ForkedWhileWriting, ReadOnlySession
from .file_watch import Identity, WatchedFile

BEGIN_IMMEDIATE = "BEGIN IMMEDIATE"
# Seconds between two attempts to take the write lock; random, so that waiting connections do not retry in step.
RETRY_INTERVAL = (0.001, 0.003)
MOST_FREQUENT_AFTER = 0.1  # seconds of waiting after which the attempts are most frequent
_cursor = sqlite3.Connection.cursor  # the driver's own; super() would cost each statement


class Observer(Protocol):
    """Called for every statement of an engine's connections."""

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        """Call `run()` to let the statement reach SQLite, and return what it returns."""
        ...


class Observers:
    """The observers of one engine; every connection of the engine shares this list."""

    def __init__(self) -> None:
        self.active: tuple[Observer, ...] = ()
        self.connecting = False  # True while the engine opens a connection: the race lab refuses any other

    def connect(self, uri: str, timeout: float) -> ObservedConnection:
        """Open one of our connections; it is observed as soon as its `observers` are set."""
        self.connecting = True
        try:
            options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
            return sqlite3.connect(uri, uri=True, timeout=timeout, factory=ObservedConnection, **options)
        finally:
            self.connecting = False

    @contextmanager
    def attached(self, observer: Observer) -> Iterator[None]:
        """Attach `observer` for the duration of the block; the first one attached is closest to SQLite."""
        self.active = (*self.active, observer)
        try:
            yield
        finally:
            self.active = tuple(other for other in self.active if other is not observer)


class ObservedConnection(sqlite3.Connection):
    """A driver connection whose statements, COMMIT and ROLLBACK included, go through the observers."""

    observers = Observers()  # replaced by the engine's own as soon as it connects
    begins = True  # False while SQLAlchemy's isolation level is AUTOCOMMIT
    watched: WatchedFile | None = None
    identity: Identity | None = None  # the identity of the file when it was opened
    log_identity: Identity | None = None  # the identity of its write-ahead log
    reads_only = False  # True inside reading(): statements that do not read are refused
    patience = 0.0  # seconds for which BEGIN IMMEDIATE waits for other writers; 0: SQLite does the waiting
    _begun_to_write = False  # True from before BEGIN IMMEDIATE until COMMIT or ROLLBACK has returned
    _changes = 0  # SQLite's count of changes before the latest transaction that began without the write lock
    _waits_itself = True  # whether SQLite waits for locks; False while _begin_fairly() waits instead, and after it

    @property
    def isolation_level(self) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Always None: BEGIN is ours. SQLAlchemy sets None for AUTOCOMMIT and "" after it."""
        return None

    @isolation_level.setter
    def isolation_level(self, value: str | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.begins = value is not None

    def __del__(self) -> None:
        # An engine may be dropped, as when a cell is run again; Python 3.13 warns of each connection left open.
        with suppress(sqlite3.Error):  # a connection that could not be opened cannot be closed
            self.close()

    def observed(self, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        """Run a statement through all observers; the one attached last is outermost."""
        for observer in self.observers.active:
            run = partial(observer.around, self, sql, parameters, run)
        return run()

    def cursor(self, factory: type[sqlite3.Cursor] | None = None) -> sqlite3.Cursor:  # type: ignore[override]
        # A cursor class written in Python would slow down every statement, so it is used only while observed.
        if not self._waits_itself and not self.in_transaction:
            self._wait_itself(True)
        if factory is None:
            factory = ObservedCursor if self.observers.active else sqlite3.Cursor
        if self.reads_only:
            factory = ReadOnlyCursor
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if not self.in_transaction:
            if sql == BEGIN_IMMEDIATE:
                self._begun_to_write = True
                if self.patience:
                    return (
                        self.observed(sql, parameters, self._begin_fairly)
                        if self.observers.active
                        else self._begin_fairly()
                    )
            else:
                self._changes = self.total_changes
            if not self._waits_itself:
                self._wait_itself(True)
        if self.observers.active or self.reads_only:
            return self.cursor().execute(sql, parameters)
        # The driver's own execute() would call our cursor(), which would do all this a second time.
        return _cursor(self, sqlite3.Cursor).execute(sql, parameters)

    def _begin_fairly(self) -> sqlite3.Cursor:
        """BEGIN IMMEDIATE as soon as no other connection writes.

        SQLite's busy handler backs off to ten retries a second, so newcomers can starve a waiting writer for
        seconds. We retry faster the longer we have waited.
        """
        if self._waits_itself:
            self._wait_itself(False)
        begun = 0.0
        while True:
            try:
                return _cursor(self, sqlite3.Cursor).execute(BEGIN_IMMEDIATE)
            except sqlite3.OperationalError as error:
                begun = begun or time.monotonic()
                waited = time.monotonic() - begun
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > self.patience:
                    raise
            time.sleep(random.uniform(*RETRY_INTERVAL) * max(0.05, 1 - waited / MOST_FREQUENT_AFTER))

    def _wait_itself(self, whether: bool) -> None:
        # A script, because SQLite applies this PRAGMA when it compiles it, and the driver caches compiled statements.
        timeout = int(self.patience * 1000) * whether
        sqlite3.Cursor(self).executescript(f"PRAGMA busy_timeout = {timeout}")
        self._waits_itself = whether

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        self.reads_only = False
        if self.in_transaction:  # outside a transaction the driver's commit() sends nothing either
            self.execute("COMMIT")  # the driver's own commit() compiles the statement each time
            self.transaction_ended()

    def rollback(self) -> None:
        self.reads_only = False
        if self.in_transaction:
            self.execute("ROLLBACK")
        self.transaction_ended()  # also if the transaction could not begin

    def transaction_ended(self) -> None:
        """Record, for a fork, that no transaction is open; called after COMMIT and ROLLBACK."""
        self._begun_to_write = False

    def is_writing(self) -> bool:
        """Whether it is inside a transaction that writes, or is beginning or ending one."""
        try:
            return self._begun_to_write or (self.in_transaction and self.total_changes != self._changes)
        except sqlite3.ProgrammingError:  # it is closed
            return False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> Literal[False]:
        # The driver's own __exit__() ends the transaction without calling commit() or rollback().
        if kind is None:
            self.commit()
        else:
            self.rollback()
        return False


class LeftToParent(ObservedConnection):
    """A connection that a forked child inherited in the middle of a transaction: only the parent may end that."""

    def cursor(self, factory: type[sqlite3.Cursor] | None = None) -> sqlite3.Cursor:  # type: ignore[override]
        raise ForkedWhileWriting("this transaction was begun before the fork: only the parent can go on with it")

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor()

    def commit(self) -> None:
        self.cursor()

    def rollback(self) -> None:
        """Do nothing: a rollback would undo what the parent has written."""

    def close(self) -> None:
        """Do nothing: the connection belongs to the parent."""


class ObservedCursor(sqlite3.Cursor):
    """The cursor that an observed connection returns."""

    connection: ObservedConnection  # pyright: ignore[reportIncompatibleMethodOverride]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.connection.observed(sql, parameters, partial(super().execute, sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        rows = list(parameters)
        return self.connection.observed(sql, rows, partial(super().executemany, sql, rows))

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        self.connection.commit()  # as the driver's own does
        for sql in _statements(sql_script):
            self.execute(sql)
        return self


class ReadOnlyCursor(ObservedCursor):
    """The cursor inside reading(). A statement that starts with WITH may write; the count of changes shows it later."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        _expect_read(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        _expect_read(sql)
        return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        raise ReadOnlySession(f"a script found in a session of reading(), which would commit it: {FIX}")


@lru_cache(maxsize=512)
def _expect_read(sql: str) -> None:
    found = _FIRST_WORD.match(sql)
    word = found[1].upper() if found else ""
    if word not in _READS or (word == "PRAGMA" and "=" in sql):
        raise ReadOnlySession(f"{shorten(' '.join(sql.split()), 80)} found in a session of reading(): {FIX}")


FIX = "use `with writing(engine) as session`"
_READS = {"SELECT", "WITH", "VALUES", "EXPLAIN", "PRAGMA", "SAVEPOINT", "RELEASE", "ROLLBACK"}
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for piece in script.split(";"):
        statement += piece
        if sqlite3.complete_statement(statement + ";"):  # False inside a string, a comment or a trigger
            if statement.strip():
                yield statement.strip()
            statement = ""
        else:
            statement += ";"
    if statement.strip("; \n\t"):
        yield statement
