"""Open a database, read from it, write to it.

On SQLite the driver is told to leave transactions alone; BEGIN is sent by us: IMMEDIATE for `writing()`,
deferred for everything else. SQLite makes a writer wait only while its connection has no read transaction
open, so a transaction that reads first and writes later cannot wait: it fails with `database is locked`.

Leaves out: migrations, connection strings of other databases than SQLite and PostgreSQL.
Read next: `queue.py`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Dialect, Engine, Pool, PoolProxiedConnection, create_engine, inspect, text
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.orm import Session as SqlSession
from sqlalchemy.orm import scoped_session
from sqlmodel import Session

from .arguments import expect, short
from .connection import Connection, Observers
from .driver import Transaction
from .errors import CannotOpen, ReadOnlySession
from .faults import gone, identity_of, named
from .opening import check_file, check_version, naming, uri, url_of
from .schema import ADDITIONS, SCHEMA_VERSION, SchemaName, create_schema
from .server import one_opens_at_a_time, server_engine

LOWEST_SQLITE = (3, 35, 0)  # UPDATE … RETURNING
LOG_BYTES = 8 * 2**20  # to which the write-ahead log is cut once it can begin anew
LONGEST_TIMEOUT = 86_400  # SQLite counts milliseconds in 32 bits
Synchronous = Literal["NORMAL", "FULL"]
SESSIONS = (SqlSession, scoped_session, sqlite3.Connection)  # what a verb can run in
_MODE = "taskref_mode"  # key in Session.info
# How the transaction begins that is about to begin; an option of the connection would take far longer to set.
_begin_with: ContextVar[str] = ContextVar("begin_with", default="BEGIN")
# By dialect: engines derived with execution_options() share it, and it survives engine.dispose().
_OBSERVERS: weakref.WeakKeyDictionary[Dialect, Observers] = weakref.WeakKeyDictionary()
# Engines that a forked child must not use as it finds them: two processes on one connection ruin a database.
_FORKED: weakref.WeakSet[Engine] = weakref.WeakSet()
_parents_pools: list[Pool] = []  # kept by the child, for ever: to close its connections would end the parent's


def open_database(
    where: str | os.PathLike[str] | None = None,
    *,
    schema: SchemaName | None = None,
    synchronous: Synchronous = "NORMAL",
    timeout: float = 5.0,
    create: bool = True,
) -> Engine:
    """Open the database at `where`, creating file and tables if they are not there; return its engine.

    where: None for a fresh temporary file, removed at exit; a path; or a SQLAlchemy URL.
    schema: whose indexes and triggers a new database gets ("both" if not said).
    synchronous: NORMAL survives a crash of the program; a power cut may lose the last commits.
        FULL survives that too, and waits for the disk at each commit.
    timeout: seconds for which a writer waits for another one.
    create: False for a database that must be there already; then nothing is created.

    Raises CannotOpen or SchemaTooNew, and leaves what it found as it was.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= LONGEST_TIMEOUT:
        raise ValueError(f"timeout {short(timeout)} found, seconds from 0 to {LONGEST_TIMEOUT} expected")
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        raise CannotOpen(f"SQLite {sqlite3.sqlite_version} found, 3.35 or newer needed: use a newer Python build")
    if schema is not None and schema not in ADDITIONS:
        raise CannotOpen(f"schema {short(schema)} found, one of {', '.join(ADDITIONS)} expected")
    if synchronous not in ("NORMAL", "FULL"):
        raise CannotOpen(f"synchronous {short(synchronous)} found, NORMAL or FULL expected")
    url = None if where is None else url_of(where)
    if url is not None and url.get_backend_name() != "sqlite":
        engine = server_engine(url)
        _FORKED.add(engine)
    else:
        engine = _open_file(url, synchronous, timeout, create)
    try:
        with naming(file_of(engine) or engine.url), writing(engine) as session:
            _create_or_check(session.connection(), schema, file_of(engine) or engine.url, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One write transaction: commits at the end of the block, rolls back on an error.

    On SQLite it begins with BEGIN IMMEDIATE, so it waits for other writers at the start, never in the middle.
    Raises a DatabaseError where the file is locked, gone, damaged or read-only, or the disk is full.
    """
    try:
        with Session(_engine(engine), expire_on_commit=False) as session:
            before = _begin_with.set("BEGIN IMMEDIATE")
            try:
                session.connection()  # begins
            finally:
                _begin_with.reset(before)
            yield session
            session.commit()
    except sqlalchemy_errors.DBAPIError as error:
        if name := named(error, file_of(engine)):
            raise name from error
        raise


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One read transaction: everything in the block sees the same state. Rows stay usable afterwards.

    Raises ReadOnlySession at the end if an object was changed: the change would be lost; and the errors of writing().
    """
    try:
        with Session(_engine(engine), expire_on_commit=False, autoflush=False) as session:
            session.info[_MODE] = "reading"
            if engine.dialect.name == "postgresql":  # there each statement sees the latest commits, unless told
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
            if changed := [*session.new, *session.dirty, *session.deleted]:
                raise ReadOnlySession(f"reading() found changed objects ({changed[0]!r}): use writing() to keep them")
    except sqlalchemy_errors.DBAPIError as error:
        if name := named(error, file_of(engine)):
            raise name from error
        raise


def refuse_reading(transaction: Transaction, verb: str) -> None:
    """Raise ReadOnlySession if it is a session of reading(), TypeError if it is no session."""
    if not isinstance(transaction, Session):
        if not isinstance(transaction, SESSIONS):
            raise TypeError(f"{short(transaction)} found, a session expected: use `with writing(engine) as session`")
    elif transaction.info.get(_MODE) == "reading":
        raise ReadOnlySession(f"{verb} found a session of reading(): use `with writing(engine) as session`")


def observers_of(engine: Engine) -> Observers:
    """The observers of an engine that open_database() returned for a SQLite file; TypeError for others."""
    expect(engine, Engine, "an engine, as open_database() returns it,")
    try:
        return _OBSERVERS[engine.dialect]
    except KeyError:
        raise TypeError(
            f"{engine!r} found; only an engine of open_database() on a SQLite file can be observed"
        ) from None


def file_of(engine: Engine) -> Path | None:
    """The path of the engine's SQLite file; None on a server."""
    return Path(engine.url.database) if engine.url.database and engine.dialect.name == "sqlite" else None


def _open_file(url: URL | None, synchronous: str, timeout: float, create: bool) -> Engine:
    folder = None if url else tempfile.mkdtemp(prefix="taskref-")
    path = Path(folder, "tasks.db") if folder else Path(url.database or ":memory:").absolute()  # type: ignore[union-attr]
    if path.name == ":memory:":
        raise CannotOpen(
            "an in-memory database is invisible to a second thread: leave the path out for a temporary file"
        )
    check_file(path, create)
    engine = sqlite_engine(path, synchronous=synchronous, timeout=timeout)
    if folder:
        weakref.finalize(engine, _remove, folder, os.getpid())
    return engine


def _engine(engine: Engine) -> Engine:
    expect(engine, Engine, "an engine, as open_database() returns it,")
    return engine


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child, which shares the folder
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_engine(path: Path, *, synchronous: str = "NORMAL", timeout: float = 5.0, journal: str = "WAL") -> Engine:
    """An engine with our connections on a file that exists. Creates and checks no table."""
    observers = Observers()

    def connect() -> Connection:
        try:
            # mode=rw: a file that was deleted meanwhile must be an error, not a new empty database.
            connection = observers.connect(uri(path, "rw"), timeout)
            try:
                _set_up(connection, journal, synchronous, timeout)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if name := named(error, path):
                raise name from error
            raise
        connection.observers = observers
        connection.identity = identity_of(path)
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=connect, max_overflow=100)
    _OBSERVERS[engine.dialect] = observers
    # What SQLAlchemy calls to begin a transaction. Its event "begin" would do, but costs each transaction more
    # than SQLite's own BEGIN does.
    engine.dialect.do_begin = partial(_begin, weakref.ref(engine), str(path))
    _FORKED.add(engine)
    return engine


def _set_up(connection: Connection, journal: str, synchronous: str, timeout: float) -> None:
    # Before WAL, and without effect on a file that has tables: a commit writes whole pages, and our rows are small.
    connection.execute("PRAGMA page_size = 2048")
    (found,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if found == "wal":  # elsewhere a commit waits, too, for readers: then SQLite must do all the waiting
        connection.patience = timeout
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # The log grows while a reader keeps an old state; afterwards it would keep that size.
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(engine: weakref.ref[Engine], file: str, dbapi_connection: PoolProxiedConnection) -> None:
    driver: Connection = dbapi_connection.driver_connection  # type: ignore[assignment]
    # A connection goes on reading and writing a file that was deleted, and what it writes is lost in silence.
    if driver.identity != identity_of(file):
        if (owner := engine()) is not None:
            owner.dispose()  # all its connections hold the file that is gone
        raise gone(file)
    if driver.begins:
        driver.execute(_begin_with.get())


def _create_or_check(connection: SqlConnection, schema: SchemaName | None, where: Path | URL, create: bool) -> None:
    one_opens_at_a_time(connection)
    if not inspect(connection).has_table("taskref_schema"):
        if not create:
            raise CannotOpen(f"{where} holds no tasks: no table taskref_schema found; nothing was created")
        create_schema(connection, schema or "both")
        connection.execute(text("CREATE TABLE taskref_schema (version INTEGER NOT NULL, name TEXT NOT NULL)"))
        values = {"version": SCHEMA_VERSION, "name": schema or "both"}
        connection.execute(text("INSERT INTO taskref_schema VALUES (:version, :name)"), values)
    check_version(connection.execute(text("SELECT version, name FROM taskref_schema")).first(), schema, where)


def _open_anew_after_fork() -> None:
    for engine in _FORKED:
        _parents_pools.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_anew_after_fork)
