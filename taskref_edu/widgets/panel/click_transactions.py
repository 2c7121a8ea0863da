"""Transactions for clicks: short, never waiting long for a lock; and their errors in one line.

A click may run on the kernel's main thread, which must not block because the database is locked. The engine is the
panel's own, so that observers of the learner's engine see only the learner's statements. It is a new one each time,
because a kept connection would silently go on writing to a deleted file. Apart, because every kind of click uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from ...database.sqlite_engine import file_of, sqlite_engine
from ...database.transactions import writing
from ...errors import DatabaseGone, DatabaseLocked
from ...queue.task_queue import TaskQueue
from ...worker.attempt import describe

LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code for a lock_timeout that has passed
CLICK_TIMEOUT = 0.25  # seconds that a click waits for another writer


@contextmanager
def own_engine(queue: TaskQueue, timeout: float = CLICK_TIMEOUT) -> Iterator[Engine]:
    """The panel's own engine on the queue's file; on a server, the queue's engine."""
    file = file_of(queue.engine)
    if file is None:
        yield queue.engine
        return
    if not file.exists():
        raise DatabaseGone(f"{file} was deleted: put it back, or re-run the cell with another database")
    engine = sqlite_engine(file, timeout=timeout)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def short_writing(engine: Engine) -> Iterator[Session]:
    """writing() that does not wait long on a server either."""
    with writing(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text(f"SET LOCAL lock_timeout = '{CLICK_TIMEOUT * 1000:.0f}ms'"))
        yield session


def plain(error: BaseException) -> str:
    """The error in one line, without the SQL and the links that SQLAlchemy appends."""
    cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) and error.orig else error
    if isinstance(error, DatabaseLocked) or getattr(cause, "sqlstate", None) == LOCK_NOT_AVAILABLE:
        return "the database is locked by somebody; try again"
    return " ".join(describe(cause).split())
