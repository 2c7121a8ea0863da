"""Open a database, read from it, write to it.

Leaves out: migrations, connection strings of other databases than SQLite and PostgreSQL.
Read next: `sqlite.py`, `server.py`; then `queue.py`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Engine, inspect, text
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.orm import Session as SqlSession
from sqlalchemy.orm import scoped_session
from sqlmodel import Session

from .arguments import expect, short
from .driver import Transaction
from .errors import CannotOpen, ReadOnlySession
from .faults import named
from .forks import open_anew_after_fork
from .opening import check_version, naming, url_of
from .schema import ADDITIONS, SCHEMA_VERSION, SchemaName, create_schema
from .server import one_opens_at_a_time, server_engine
from .sqlite import LOWEST_SQLITE, begin_with, file_of, open_file

LONGEST_TIMEOUT = 86_400  # SQLite counts milliseconds in 32 bits
Synchronous = Literal["NORMAL", "FULL"]
SESSIONS = (SqlSession, scoped_session, sqlite3.Connection)  # what a verb can run in
_MODE = "taskref_mode"  # key in Session.info


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
        open_anew_after_fork(engine)
    else:
        engine = open_file(url, synchronous, timeout, create)
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
        session = Session(_engine(engine), expire_on_commit=False)
        try:
            before = begin_with.set("BEGIN IMMEDIATE")
            try:
                session.connection()  # begins
            finally:
                begin_with.reset(before)
            yield session
            session.commit()
        except BaseException:
            session.close()
            raise
        if session.identity_map or session.in_transaction():  # else close() would do nothing, slowly
            session.close()
    except sqlalchemy_errors.DBAPIError as error:
        if name := named(error, file_of(engine)):
            raise name from error
        raise


def reading(engine: Engine) -> AbstractContextManager[Session]:
    """One read transaction: everything in the block sees the same state. Rows stay usable afterwards.

    Raises ReadOnlySession at the end if an object was changed: the change would be lost; and the errors of writing().
    """
    return reading_in(session_to_read(_engine(engine)))


def session_to_read(bind: Engine | SqlConnection) -> Session:
    """A session for reading_in()."""
    return Session(bind, expire_on_commit=False, autoflush=False)


@contextmanager
def reading_in(session: Session) -> Iterator[Session]:
    """The same with a session that the caller keeps; one on a connection that is kept, too, saves half of the time."""
    bind = session.get_bind()
    try:
        with session:
            session.info[_MODE] = "reading"
            if bind.dialect.name == "postgresql":  # there each statement sees the latest commits, unless told
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
            if changed := [*session.new, *session.dirty, *session.deleted]:
                raise ReadOnlySession(f"reading() found changed objects ({changed[0]!r}): use writing() to keep them")
    except sqlalchemy_errors.DBAPIError as error:
        if name := named(error, file_of(bind.engine)):
            raise name from error
        raise


def refuse_reading(transaction: Transaction, verb: str) -> None:
    """Raise ReadOnlySession if it is a session of reading(), TypeError if it is no session."""
    if not isinstance(transaction, Session):
        if not isinstance(transaction, SESSIONS):
            raise TypeError(f"{short(transaction)} found, a session expected: use `with writing(engine) as session`")
    elif transaction.info.get(_MODE) == "reading":
        raise ReadOnlySession(f"{verb} found a session of reading(): use `with writing(engine) as session`")


def _engine(engine: Engine) -> Engine:
    expect(engine, Engine, "an engine, as open_database() returns it,")
    return engine


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
