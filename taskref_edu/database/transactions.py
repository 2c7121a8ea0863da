"""Transactions: `writing()` for one that changes rows, `reading()` for one that only looks.

Not covered: opening the database (`opening.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.orm import Session as SqlSession
from sqlalchemy.orm import scoped_session
from sqlmodel import Session

from ..arguments import expect, short
from ..errors import ReadOnlySession
from .error_names import translated
from .sqlite_engine import begin_with, file_of

# What a verb runs in: the caller's session, or the driver's connection that a worker's thread holds.
Transaction = Session | sqlite3.Connection
SESSIONS = (SqlSession, scoped_session, sqlite3.Connection)  # what a verb can run in
_MODE = "taskref_mode"  # key in Session.info


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
    except (sqlalchemy_errors.DBAPIError, sqlalchemy_errors.TimeoutError) as error:
        if name := translated(error, file_of(engine)):
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
    except (sqlalchemy_errors.DBAPIError, sqlalchemy_errors.TimeoutError) as error:
        if name := translated(error, file_of(bind.engine)):
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
