"""Mistakes that occur in any exercise, detected while the answer runs: what it did to its caller, what it returned.

A check would report the symptoms (a missing row, a closed session, a wrong value); a learner needs the cause. So what
is detected here takes precedence over what a check says, even if the answer's own `except` or a worker swallowed it.
Mistakes that the text of an answer shows are in `code_slips.py`.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Result, Row, event
from sqlalchemy.engine import FilterResult
from sqlalchemy.orm import Query
from sqlalchemy.sql import ClauseElement
from sqlmodel import Session

from .exercise import CheckFailed

E = TypeVar("E", bound=BaseException)
# Not a ContextVar, because answers also run in the explorer's greenlets and in a worker's threads.
_noticed: list[BaseException] = []


@contextmanager
def noticing() -> Iterator[list[BaseException]]:
    """Collect the slips during one check; yields the list, which fills meanwhile."""
    _noticed.clear()
    yield _noticed


def noticed(error: E) -> E:
    """The error, to raise; it counts even if it is caught."""
    _noticed.append(error)
    return error


def slip(message: str) -> CheckFailed:
    """A slip to raise; it counts even if it is caught."""
    return noticed(CheckFailed(message))


def watched(function: Callable[..., Any]) -> Callable[..., Any]:
    """The learner's function, wrapped to detect missing names, and returned errors, queries and results."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            found = function(*arguments, **named)
        except (NameError, ImportError) as error:
            if not isinstance(error, UnboundLocalError) and _is_learners(
                traceback.extract_tb(error.__traceback__)[-1].filename
            ):
                noticed(error)
            raise
        if problem := _not_a_value(found, with_session=any(isinstance(each, Session) for each in arguments)):
            raise slip(f"`{function.__name__}` {problem}")
        return found

    return call


def _not_a_value(found: Any, *, with_session: bool) -> str | None:
    """What is wrong with returning this value in any exercise; None if nothing is."""
    if isinstance(found, BaseException):
        return f"returned an error, `{type(found).__name__}`, instead of raising it: `raise`, not `return`."
    if isinstance(found, type) and issubclass(found, BaseException):
        return f"returned a class, `{found.__name__}`, instead of raising an error: `raise`, not `return`."
    if isinstance(found, Result | FilterResult):
        return f"returned a `{type(found).__name__}`, which nobody has read yet: its rows, a scalar or `rowcount`?"
    if isinstance(found, ClauseElement | Query) and with_session:
        run = "`.one()`, `.first()` or `.all()` run it" if isinstance(found, Query) else "`session.exec(…)` runs it"
        return f"returned the statement itself, which has not been run: {run}."
    if isinstance(found, Row) and with_session and len(found) == 1:
        unpack = "`scalar_one()` or `.scalars()` unpack it, as does `session.exec(…)` with the `select` of `sqlmodel`"
        return f"returned a row that holds the value, not the value: {unpack}."
    return None


@contextmanager
def callers(session: Session) -> Iterator[Session]:
    """The session for an answer to use: ending it, or opening a second transaction beside it, is a slip."""
    session.connection()  # from now on, any new connection of this engine is a second one
    engine, own = session.get_bind().engine, type(session)

    def second_transaction(_: Connection) -> None:
        if not (where := in_line()):
            return  # opened by a check itself
        raise slip(
            f"A transaction of its own{where}, while the caller's is open: it does not see what the caller did, "
            "and if it writes, it waits for the caller, who waits for it. Use the `session` that you are given."
        )

    event.listen(engine, "engine_connect", second_transaction)
    session.__class__ = _guarded(own)
    try:
        yield session
    finally:
        session.__class__ = own
        event.remove(engine, "engine_connect", second_transaction)
    if not in_transaction(session):
        raise slip("The function ended the caller's transaction, as a COMMIT or a ROLLBACK does. Leave it out.")


def in_transaction(session: Session) -> bool:
    """Whether the transaction is still open, as the driver knows: SQL text can end it unnoticed by SQLAlchemy."""
    return session.in_transaction() and session.connection().connection.dbapi_connection.in_transaction  # type: ignore[union-attr]


def in_line() -> str:
    """` in line 7`: where the learner's code is at present, innermost frame."""
    frame = sys._getframe()
    while frame is not None:
        if _is_learners(frame.f_code.co_filename):
            return f" in line {frame.f_lineno}"
        frame = frame.f_back
    return ""


def _is_learners(filename: str) -> bool:
    return filename.startswith("<exercise ")


# What each method would do to the caller's session, and what to do instead; after the method's name and the line.
ENDS = {
    "commit": " commits the caller's transaction. The caller may have more to do, or roll it back. Leave it out: the "
    "caller commits.",
    "rollback": " takes back all that the caller did, too. To take back a part, use `session.begin_nested()` and roll "
    "that savepoint back.",
    "close": " closes the caller's session and rolls it back. Leave it out.",
    "expunge_all": " drops what the caller has not written yet. Leave it out; to read a row anew, use "
    "`populate_existing=True`.",
    "begin": ": the caller's transaction has begun already, and the caller ends it. Leave it out; a part that may be "
    "taken back is `session.begin_nested()`.",
}
WITH = (
    " closes the caller's session at the end of the block, which rolls back. Use the session as it is, without `with`."
)


@functools.cache
def _guarded(kind: type[Session]) -> type[Session]:
    """A subclass of the session whose methods that end it raise a slip."""

    def refuse(call: str, why: str) -> Callable[..., Any]:
        def method(self: Session, nested: bool = False) -> Any:
            if nested:  # only begin() has it
                return kind.begin(self, nested=True)
            raise slip(f"`{call}`{in_line()}{why}")

        return method

    methods = {name: refuse(f"{name}()", why) for name, why in ENDS.items()}
    methods |= {"reset": methods["close"], "invalidate": methods["close"], "__enter__": refuse("with session:", WITH)}
    return type("CallersSession", (kind,), methods)
