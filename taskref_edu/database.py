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
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import URL, Dialect, Engine, PoolProxiedConnection, create_engine, inspect, make_url, text
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from .connection import Connection, Observers
from .driver import Transaction
from .errors import CannotOpen, ReadOnlySession, SchemaTooNew
from .schema import ADDITIONS, SCHEMA_VERSION, SchemaName, create_schema

LOWEST_SQLITE = (3, 35, 0)  # UPDATE … RETURNING
Synchronous = Literal["NORMAL", "FULL"]
_MODE = "taskref_mode"  # key in Session.info
# How the transaction begins that is about to begin; an option of the connection would take far longer to set.
_begin_with: ContextVar[str] = ContextVar("begin_with", default="BEGIN")
# By dialect: engines derived with execution_options() share it, and it survives engine.dispose().
_OBSERVERS: weakref.WeakKeyDictionary[Dialect, Observers] = weakref.WeakKeyDictionary()


def open_database(
    where: str | os.PathLike[str] | None = None,
    *,
    schema: SchemaName | None = None,
    synchronous: Synchronous = "NORMAL",
    timeout: float = 5.0,
) -> Engine:
    """Open the database at `where`, creating file and tables if they are not there; return its engine.

    where: None for a fresh temporary file, removed at exit; a path; or a SQLAlchemy URL.
    schema: whose indexes and triggers a new database gets ("both" if not said).
    synchronous: NORMAL survives a crash of the program; a power cut may lose the last commits.
        FULL survives that too, and waits for the disk at each commit.
    timeout: seconds for which a writer waits for another one.

    Raises CannotOpen or SchemaTooNew, and leaves what it found as it was.
    """
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        raise CannotOpen(f"SQLite {sqlite3.sqlite_version} found, 3.35 or newer needed: use a newer Python build")
    if schema is not None and schema not in ADDITIONS:
        raise CannotOpen(f"schema {schema!r} found, one of {', '.join(ADDITIONS)} expected")
    if synchronous not in ("NORMAL", "FULL"):
        raise CannotOpen(f"synchronous {synchronous!r} found, NORMAL or FULL expected")
    url = None if where is None else _url(where)
    if url is not None and url.get_backend_name() != "sqlite":
        engine = _open_server(url)
    else:
        engine = _open_file(url, synchronous, timeout)
    try:
        with _naming(engine.url), writing(engine) as session:
            _create_or_check(session.connection(), schema, file_of(engine) or engine.url)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One write transaction: commits at the end of the block, rolls back on an error.

    On SQLite it begins with BEGIN IMMEDIATE, so it waits for other writers at the start, never in the middle.
    """
    with Session(engine, expire_on_commit=False) as session:
        before = _begin_with.set("BEGIN IMMEDIATE")
        try:
            session.connection()  # begins
        finally:
            _begin_with.reset(before)
        yield session
        session.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One read transaction: everything in the block sees the same state. Rows stay usable afterwards.

    Raises ReadOnlySession at the end if an object was changed: the change would be lost.
    """
    with Session(engine, expire_on_commit=False, autoflush=False) as session:
        session.info[_MODE] = "reading"
        yield session
        if changed := [*session.new, *session.dirty, *session.deleted]:
            raise ReadOnlySession(f"reading() found changed objects ({changed[0]!r}): use writing() to keep them")


def refuse_reading(transaction: Transaction, verb: str) -> None:
    """Raise ReadOnlySession if it is a session of reading()."""
    if isinstance(transaction, Session) and transaction.info.get(_MODE) == "reading":
        raise ReadOnlySession(f"{verb} found a session of reading(): use `with writing(engine) as session`")


def observers_of(engine: Engine) -> Observers:
    """The observers of an engine that open_database() returned for a SQLite file; TypeError for others."""
    try:
        return _OBSERVERS[engine.dialect]
    except KeyError:
        raise TypeError(
            f"{engine!r} found; only an engine of open_database() on a SQLite file can be observed"
        ) from None


def file_of(engine: Engine) -> Path | None:
    """The path of the engine's SQLite file; None on a server."""
    return Path(engine.url.database) if engine.url.database and engine.dialect.name == "sqlite" else None


def _url(where: str | os.PathLike[str]) -> URL:
    if isinstance(where, str) and "://" in where:
        try:
            return make_url(where)
        except sqlalchemy_errors.ArgumentError as error:
            raise CannotOpen(f"{where!r} is not a database URL: {error}") from None
    return URL.create("sqlite", database=os.fspath(where))


def _open_server(url: URL) -> Engine:
    try:
        return create_engine(url)
    except (ImportError, sqlalchemy_errors.ArgumentError) as error:
        raise CannotOpen(f"no driver for {url!r}: {error}. Try: pip install 'taskref_edu[postgres]'") from None


def _open_file(url: URL | None, synchronous: str, timeout: float) -> Engine:
    folder = None if url else tempfile.mkdtemp(prefix="taskref-")
    path = Path(folder, "tasks.db") if folder else Path(url.database or ":memory:").absolute()  # type: ignore[union-attr]
    if path.name == ":memory:":
        raise CannotOpen(
            "an in-memory database is invisible to a second thread: leave the path out for a temporary file"
        )
    _check_file(path)
    engine = sqlite_engine(path, synchronous=synchronous, timeout=timeout)
    if folder:
        weakref.finalize(engine, _remove, folder, os.getpid())
    return engine


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child, which shares the folder
        shutil.rmtree(folder, ignore_errors=True)


def _check_file(path: Path) -> None:
    """Look without touching: a wrong file must be found before the first pragma changes it."""
    if not path.parent.is_dir():
        raise CannotOpen(f"folder {path.parent} not found: create it, or leave the path out for a temporary file")
    if not path.exists():
        _create_empty(path)
    elif not path.is_file():
        raise CannotOpen(f"{path} is not a file: name a file inside it")
    elif not os.access(path, os.W_OK):
        raise CannotOpen(f"{path} is read-only: change its permissions, or work on a copy")
    elif _first_bytes(path) not in (b"", b"SQLite format 3\0"):
        raise CannotOpen(f"{path} is not a SQLite database: choose another name; the file was left as it is")
    else:
        with closing(sqlite3.connect(_uri(path, "ro"), uri=True)) as connection, _naming(path):
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'taskref_schema'").fetchone():
                _check_version(connection.execute("SELECT version, name FROM taskref_schema").fetchone(), None, path)


def _create_empty(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise CannotOpen(f"cannot create {path}: {error.strerror}. Choose a folder that you may write to") from None


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"


def sqlite_engine(path: Path, *, synchronous: str = "NORMAL", timeout: float = 5.0, journal: str = "WAL") -> Engine:
    """An engine with our connections on a file that exists. Creates and checks no table."""
    observers = Observers()

    def connect() -> Connection:
        # mode=rw: a file that was deleted meanwhile must be an error, not a new empty database.
        connection = observers.connect(_uri(path, "rw"), timeout)
        # Before WAL, and without effect on a file that has tables: a commit writes whole pages, and our rows are small.
        connection.execute("PRAGMA page_size = 2048")
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.observers = observers
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=connect, max_overflow=100)
    _OBSERVERS[engine.dialect] = observers
    # What SQLAlchemy calls to begin a transaction. Its event "begin" would do, but costs each transaction more
    # than SQLite's own BEGIN does.
    engine.dialect.do_begin = _begin
    return engine


def _begin(dbapi_connection: PoolProxiedConnection) -> None:
    driver: Connection = dbapi_connection.driver_connection  # type: ignore[assignment]
    if driver.begins:
        driver.execute(_begin_with.get())


def _create_or_check(connection: SqlConnection, schema: SchemaName | None, where: Path | URL) -> None:
    if not inspect(connection).has_table("taskref_schema"):
        create_schema(connection, schema or "both")
        connection.execute(text("CREATE TABLE taskref_schema (version INTEGER NOT NULL, name TEXT NOT NULL)"))
        values = {"version": SCHEMA_VERSION, "name": schema or "both"}
        connection.execute(text("INSERT INTO taskref_schema VALUES (:version, :name)"), values)
    found = connection.execute(text("SELECT version, name FROM taskref_schema")).one()
    _check_version(tuple(found), schema, where)


def _check_version(found: tuple[int, str], schema: SchemaName | None, where: Path | URL) -> None:
    version, name = found
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{where} has schema version {version}, this package knows {SCHEMA_VERSION}: update taskref_edu"
        )
    if schema not in (None, name):
        raise CannotOpen(
            f"{where} has the schema {name!r}, {schema!r} was asked for: leave it out, or use another file"
        )


@contextmanager
def _naming(where: Path | URL) -> Iterator[None]:
    """Give an error of the driver our name, and the place it came from."""
    try:
        yield
    except (sqlite3.Error, sqlalchemy_errors.DBAPIError) as error:
        cause = getattr(error, "orig", None) or error
        raise CannotOpen(f"cannot open {where}: {cause}") from error
