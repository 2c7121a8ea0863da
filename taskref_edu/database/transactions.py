"""Transactions: `writing()` for one that changes rows, `reading()` for one that only reads them.

Not covered: opening the database (`opening.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.orm import Session as SqlSession
from sqlalchemy.orm import scoped_session
from sqlmodel import Session

from ..arguments import short
from ..errors import DatabaseReadOnly, ReadOnlySession
from .error_names import translated
from .sqlite_engine import begin_with, expect_engine, file_of

# What a verb runs in: the caller's session, or the driver's connection that a worker's thread keeps.
Transaction = SqlSession | sqlite3.Connection
_REPEATABLE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_SESSIONS = (sqlite3.Connection, SqlSession, scoped_session)  # what a verb can run in; the worker's own first


class ReadSession(Session):
    """The session of reading(). It refuses writes, because they would be lost at the end.

    On SQLite the connection refuses each statement that does not read (`observed_connection.py`); the count of changes
    reveals writes by a statement that starts with WITH. PostgreSQL itself refuses them in a READ ONLY transaction.
    """

    def commit(self) -> None:
        self.expect_unchanged()
        super().commit()

    def expect_unchanged(self) -> None:
        """Raise ReadOnlySession if an object was changed, or a row."""
        if changed := [*self.new, *self.dirty, *self.deleted]:
            raise ReadOnlySession(f"reading() found changed objects ({changed[0]!r}): use writing() to keep them")
        driver, count = self.info.get(_BEGUN, (None, 0))
        if driver is not None and driver.total_changes != count:
            raise ReadOnlySession("reading() found changed rows, and undid them: use writing() to keep them")


_READ_ONLY_TRANSACTION = "25006"  # PostgreSQL's code
_BEGUN = "taskref_begun"  # in Session.info: the driver's connection, and its count of changes at the start


@event.listens_for(ReadSession, "after_begin")
def _read_only(session: Session, _: object, connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.reads_only = True  # until the transaction ends
        session.info[_BEGUN] = driver, driver.total_changes
    elif not connection.get_execution_options().get("postgresql_readonly"):  # a transaction after a rollback() inside
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One write transaction: commits at the end of the block, rolls back on an error.

    On SQLite it begins with BEGIN IMMEDIATE, so it waits for other writers at the start, never in the middle.
    Raises a DatabaseError if the file is locked, gone, damaged or read-only, or the disk is full.
    """
    try:
        expect_engine(engine)
        session = Session(engine, expire_on_commit=False)
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
        if session.identity_map or session.in_transaction():  # otherwise close() has nothing to do, and is slow
            session.close()
    except (sqlalchemy_errors.DBAPIError, sqlalchemy_errors.TimeoutError) as error:
        if name := translated(error, file_of(engine)):
            raise name from error
        raise


def reading(engine: Engine) -> AbstractContextManager[Session]:
    """One read transaction: everything in the block sees the same state. Objects stay usable afterwards.

    Raises ReadOnlySession for any write in it, by the session, by SQL or in bulk; and the errors of writing().
    """
    expect_engine(engine)
    return reading_in(session_to_read(engine))


def session_to_read(bind: Engine | Connection) -> ReadSession:
    """A session for reading_in()."""
    return ReadSession(bind, expire_on_commit=False, autoflush=False)


@contextmanager
def reading_in(session: ReadSession) -> Iterator[Session]:
    """As reading(), with a session that the caller keeps; bound to a kept connection, it takes half the time."""
    bind = session.get_bind()
    try:
        with session:
            if bind.dialect.name == "postgresql":  # by default, each statement there sees the latest commits
                session.connection(execution_options=_REPEATABLE)
            yield session
            session.expect_unchanged()
    except DatabaseReadOnly as error:  # from PostgreSQL, whose transaction is READ ONLY
        raise ReadOnlySession(f"{error.__cause__}: use `with writing(engine) as session`") from error
    except (sqlalchemy_errors.DBAPIError, sqlalchemy_errors.TimeoutError) as error:
        if name := translated(error, file_of(bind.engine)):
            raise name from error
        raise
    except Exception as error:  # psycopg's own error, if a statement bypassed SQLAlchemy
        if getattr(error, "sqlstate", None) == _READ_ONLY_TRANSACTION:
            raise ReadOnlySession(f"{error}: use `with writing(engine) as session`") from error
        raise


def begin_if_the_driver_has_not(session: SqlSession) -> None:
    """Begin the transaction that a SAVEPOINT needs around it: call this before one.

    The session of another engine may leave BEGIN to SQLite's driver, which sends it before an INSERT, but not before a
    SAVEPOINT. That would be the transaction then, and its RELEASE the COMMIT.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction and getattr(driver, "begins", True):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def expect_session(session: Any) -> None:
    """Raise TypeError unless this is a session."""
    if not isinstance(session, _SESSIONS):
        remedy = "use `with writing(engine) as session`"
        if hasattr(session, "run_sync"):
            remedy = "an AsyncSession runs it with `await session.run_sync(lambda session: …)`"
        raise TypeError(f"{short(session)} found, a session expected: {remedy}")


def refuse_reading(transaction: Transaction, verb: str) -> None:
    """Raise ReadOnlySession for a session of reading(), TypeError for anything but a session."""
    if not isinstance(transaction, SqlSession):
        expect_session(transaction)
    elif isinstance(transaction, ReadSession):
        raise ReadOnlySession(f"{verb} found a session of reading(): use `with writing(engine) as session`")
