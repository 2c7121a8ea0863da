"""The engine of a SQLite file: how its connections are set up, how transactions begin, and which observers there are.

The driver must not begin transactions; we send BEGIN ourselves: IMMEDIATE for `writing()`, deferred for everything
else. SQLite lets a writer wait only while its connection has no read transaction open, so a transaction that reads
first and writes later cannot wait: it fails with `database is locked`.

Not covered: what a file may contain (`file_check.py`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Dialect, Engine, ExceptionContext, PoolProxiedConnection, create_engine, event

from ..arguments import expect, short
from ..errors import CannotOpen
from ..schema import SchemaName
from .error_names import read_before_write, translated
from .file_check import check_file, uri
from .file_watch import WatchedFile
from .forks import expect_unlocked, open_anew_after_fork, watch_over_forks
from .observed_connection import ObservedConnection, Observers

LOWEST_SQLITE = (3, 35, 0)  # the first with UPDATE … RETURNING
PAGE_BYTES = 2_048
CHECKPOINT_BYTES = 4_096_000  # of log start a checkpoint: as by SQLite's default, 1,000 pages of 4,096 bytes
LOG_BYTES = 8 * 2**20  # the write-ahead log is truncated to this size when it restarts
# How the next transaction begins; setting an option of the connection would take far longer.
begin_with: ContextVar[str] = ContextVar("begin_with", default="BEGIN")
# By dialect: engines derived with execution_options() share it, and it survives engine.dispose().
_OBSERVERS: weakref.WeakKeyDictionary[Dialect, Observers] = weakref.WeakKeyDictionary()


def open_file(url: URL | None, synchronous: str, timeout: float, create: bool, schema: SchemaName | None) -> Engine:
    """The engine of a file, or of a temporary file that is removed with it. Raises CannotOpen without creating any."""
    folder = tempfile.mkdtemp(prefix="taskref-") if url is None else ""
    path = Path(folder, "tasks.db") if url is None else Path(url.database or ":memory:").absolute()
    if path.name == ":memory:":
        raise CannotOpen(
            "an in-memory database is invisible to a second thread: leave the path out for a temporary file"
        )
    expect_unlocked(path)
    check_file(path, create, schema)
    engine = sqlite_engine(path, synchronous=synchronous, timeout=timeout)
    if folder:
        weakref.finalize(engine, _remove, folder, os.getpid())
    return engine


def sqlite_engine(
    path: Path, *, synchronous: str = "NORMAL", timeout: float = 5.0, journal: str = "WAL", may_vanish: bool = True
) -> Engine:
    """An engine with our connections, on a file that exists. It neither creates nor checks tables.

    may_vanish: whether each transaction checks that the file is still the same; not needed for a private file.
    """
    observers, watched = Observers(), WatchedFile(path)

    def connect() -> ObservedConnection:
        expect_unlocked(path)
        watched.expect_its_own_log()
        try:
            # mode=rw: if the file was deleted meanwhile, this must be an error, not a new empty database.
            connection = observers.connect(uri(path, "rw"), timeout)
            try:
                _set_up(connection, journal, synchronous, timeout)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if name := translated(error, path):
                raise name from error
            raise
        connection.observers, connection.watched = observers, watched
        watched.opened(connection)
        watch_over_forks(connection)
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=connect, max_overflow=100)
    _OBSERVERS[engine.dialect] = observers
    # SQLAlchemy calls this to begin a transaction. Its event "begin" would also work, but would cost each transaction
    # more than SQLite's own BEGIN does.
    engine.dialect.do_begin = partial(_begin, weakref.ref(engine), may_vanish)
    event.listen(engine, "handle_error", _explain)
    open_anew_after_fork(engine)
    return engine


def _explain(context: ExceptionContext) -> None:
    """Add a note on what to do to an error in the caller's own statement; the error itself stays the driver's."""
    if context.connection is not None and (hint := read_before_write(context.original_exception)):
        (context.sqlalchemy_exception or context.original_exception).add_note(hint)


def _set_up(connection: ObservedConnection, journal: str, synchronous: str, timeout: float) -> None:
    # Small pages, because a commit writes whole pages and our rows are small. Must be set before WAL, and has no effect
    # on a file that has tables.
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    (found,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if found == "wal":  # in other modes a commit also waits, for readers, so SQLite must do all the waiting
        connection.patience = timeout
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # The log grows while a reader holds an old snapshot; without a limit it would keep that size afterwards.
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // PAGE_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(engine: weakref.ref[Engine], may_vanish: bool, dbapi_connection: PoolProxiedConnection) -> None:
    # connect() above created it, so it is one of ours; isinstance() would slow down each transaction.
    driver: ObservedConnection = dbapi_connection.driver_connection  # type: ignore[assignment]
    if may_vanish and driver.watched is not None:
        driver.watched.expect_same(driver, lambda: (owner := engine()) and owner.dispose())
    if driver.begins:
        driver.execute(begin_with.get())


def expect_same_file(engine: Engine, driver: ObservedConnection) -> None:
    """Raise DatabaseGone if this connection's file is no longer the one of that name."""
    if driver.watched is not None:
        driver.watched.expect_same(driver, engine.dispose)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child: the folder belongs to its parent
        shutil.rmtree(folder, ignore_errors=True)


def expect_engine(engine: Any) -> None:
    """Raise TypeError unless this is an engine of ours, or of a server.

    With SQLAlchemy's own engine of a file, nothing would begin with BEGIN IMMEDIATE, and no foreign key would hold.
    """
    expect(engine, Engine, "an engine, as open_database() returns it,")
    if engine.dialect not in _OBSERVERS and engine.dialect.name == "sqlite":
        raise TypeError(
            f"{short(engine)} found, an engine of open_database() expected: open the same file with it,"
            ' open_database(path, schema="queue"), and use that engine for your own tables, too'
        )


def observers_of(engine: Engine) -> Observers:
    """The observers of an engine that open_database() returned for a SQLite file; TypeError for others."""
    expect(engine, Engine, "an engine, as open_database() returns it,")
    try:
        return _OBSERVERS[engine.dialect]
    except KeyError:
        raise TypeError(
            f"{short(engine)} found; only an engine of open_database() on a SQLite file can be observed"
        ) from None


def file_of(engine: Engine) -> Path | None:
    """The path of the engine's SQLite file; None on a server."""
    return Path(engine.url.database) if engine.url.database and engine.dialect.name == "sqlite" else None
