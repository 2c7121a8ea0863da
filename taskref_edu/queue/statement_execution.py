"""Executes the queue's statements: as SQL text on SQLite's driver, through SQLAlchemy on other databases.

SQLAlchemy needs several times as long to send a statement to SQLite as SQLite needs to run it. So each statement is
compiled once, to SQL with named parameters, and then given to the driver's connection under the caller's session: the
same connection, the same transaction, visible to observers like any other statement.

Not covered: the statements themselves (`statements.py`), written once for all databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import JSON, Insert
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import ReturnsRows
from sqlmodel import UTCDateTime

from ..database.error_names import read_before_write
from ..database.transactions import Transaction, begin_if_the_driver_has_not
from ..errors import DatabaseLocked, PayloadError
from .payload import decoded

QueueStatement = ReturnsRows  # a SELECT or any change
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Prepared:
    """A statement in the form that SQLite's driver takes, and which of its parameters and columns are converted."""

    sql: str
    times: tuple[str, ...]  # the names of the parameters that are times
    json_columns: tuple[int, ...]  # the numbers of the columns that contain JSON


@cache
def prepared(statement: QueueStatement) -> Prepared:
    """`statement`, compiled for SQLite; once for each, since they are constants of `statements.py`."""
    from sqlalchemy.dialects import sqlite  # here, so that importing this package does not import it

    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    times = tuple(name for name, bound in compiled.binds.items() if isinstance(bound.type, UTCDateTime))
    columns = enumerate(statement.exported_columns)
    return Prepared(str(compiled), times, tuple(number for number, column in columns if isinstance(column.type, JSON)))


def change(transaction: Transaction, statement: QueueStatement, **values: Any) -> int:
    """Run a statement that changes rows; return how many it changed."""
    driver = transaction if isinstance(transaction, sqlite3.Connection) else _driver(transaction)
    if driver is None:
        return transaction.execute(statement, values).rowcount  # type: ignore[union-attr,call-overload]
    return _execute(driver, prepared(statement), values).rowcount


def first_row(transaction: Transaction, statement: QueueStatement, **values: Any) -> tuple[Any, ...] | None:
    """Run a statement that returns one row or none. Only JSON columns are converted to Python values."""
    driver = transaction if isinstance(transaction, sqlite3.Connection) else _driver(transaction)
    if driver is None:
        return transaction.execute(statement, values).first()  # type: ignore[return-value,call-overload]
    form = prepared(statement)
    row = _execute(driver, form, values).fetchone()
    return row and _with_json(row, form.json_columns)


def insert_one(session: Session, statement: Insert, **values: Any) -> int:
    """Insert a row; return its id."""
    driver = _driver(session)
    if driver is None:
        with _naming_what_does_not_fit():
            return session.execute(statement, values).inserted_primary_key[0]  # type: ignore[attr-defined]
    row_id = _execute(driver, prepared(statement), values).lastrowid
    assert row_id is not None
    return row_id


def insert_many(session: Session, statement: Insert, rows: list[dict[str, Any]], **shared: Any) -> None:
    """Insert rows with one call of the driver, all or none; `shared`: the values that all rows have in common."""
    driver = _driver(session)
    if driver is None:
        with _naming_what_does_not_fit():
            session.execute(statement, [shared | row for row in rows])
        return
    begin_if_the_driver_has_not(session)
    form = prepared(statement)
    same = _as_stored(shared, form.times)
    driver.execute("SAVEPOINT insert_many")  # a unique index may refuse a row after others were inserted
    try:
        driver.executemany(form.sql, (same | row for row in rows))
    except sqlite3.Error as error:
        if driver.in_transaction:  # SQLite has already rolled back if the disk is full
            driver.execute("ROLLBACK TO insert_many")
            driver.execute("RELEASE insert_many")
        raise error_for_caller(error, form.sql, rows) from error
    driver.execute("RELEASE insert_many")


def stored_in(transaction: Transaction, moment: datetime) -> datetime | str:
    """A time in the form that `transaction` takes, converted once for several statements."""
    return stored_time(moment) if isinstance(transaction, sqlite3.Connection) else moment


def stored_time(moment: datetime) -> str:
    """A time as SQLite stores it: text in UTC, always with microseconds, so that texts sort as the times do."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError(f"{moment!r} has no time zone: use datetime.now(UTC)")
        moment = moment.astimezone(UTC)
    since = moment - _EPOCH
    return _second(since.days, since.seconds) + "%06d" % since.microseconds  # noqa: UP031 - an f-string takes longer


@lru_cache(maxsize=16)
def _second(days: int, seconds: int) -> str:
    """A time as text up to the seconds' dot. Cached: it is the slow part, and thousands of times share one second."""
    return (_EPOCH + timedelta(days, seconds)).isoformat(" ")[:19] + "."


def sqlalchemy_error(error: sqlite3.Error, sql: str, parameters: Any = ()) -> BaseException:
    """The driver's error as SQLAlchemy would raise it: callers expect SQLAlchemy's exceptions."""
    return sqlalchemy_errors.DBAPIError.instance(sql, parameters, error, sqlite3.Error)


@contextmanager
def _naming_what_does_not_fit() -> Iterator[None]:
    """Raise PayloadError if a server's index or generated column cannot use this payload, such as text for an id."""
    try:
        yield
    except sqlalchemy_errors.DataError as error:
        raise PayloadError(f"the payload does not fit an index or a column of this database: {error.orig}") from error


def error_for_caller(error: sqlite3.Error, sql: str, parameters: Any = ()) -> BaseException:
    """As sqlalchemy_error(); but DatabaseLocked if the caller's transaction cannot wait for another writer."""
    hint = read_before_write(error)
    return DatabaseLocked(f"{error}; {hint}") if hint else sqlalchemy_error(error, sql, parameters)


def _driver(session: Session) -> sqlite3.Connection | None:
    found = session.connection().connection.driver_connection
    return found if isinstance(found, sqlite3.Connection) else None


def _execute(driver: sqlite3.Connection, form: Prepared, values: dict[str, Any]) -> sqlite3.Cursor:
    try:
        return driver.execute(form.sql, _as_stored(values, form.times))
    except sqlite3.Error as error:
        raise error_for_caller(error, form.sql, values) from error


def _as_stored(values: dict[str, Any], times: tuple[str, ...]) -> dict[str, Any]:
    """The same dictionary, with its `times` as text. Modified in place; callers pass a fresh dict."""
    for name in times:
        if isinstance(value := values[name], datetime):
            values[name] = stored_time(value)
    return values


def _with_json(row: tuple[Any, ...], columns: Iterable[int]) -> tuple[Any, ...]:
    found = list(row)
    for column in columns:
        if isinstance(found[column], str):  # SQLite stores the JSON text of a number as a number
            try:
                found[column] = decoded(found[column])
            except (ValueError, RecursionError):
                # Text that is no JSON was written by raw SQL. It stays text, so that the task's handler fails, and not
                # every worker at every claim.
                continue
    return tuple(found)
