"""Tasks and orders in memory, for exercises whose answer is a query: fifty databases in a few milliseconds."""

from __future__ import annotations

import functools
import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from taskref_edu import Task
from taskref_edu.exercises.catalog._worlds import PAYMENT, order_row, some_ids, task_row
from taskref_edu.exercises.error_texts import with_meaning
from taskref_edu.exercises.exercise import CheckFailed
from taskref_edu.models import INDEXES, LIVE

ORDER = "INSERT INTO orders (id, customer, amount, status) VALUES (:id, :customer, :amount, :status)"
TOO_MANY, LONGEST = 20_000, 1_000_000  # rows of an answer, and bytes of a value: a query without an end has no more
COLUMNS = "id type payload status attempt max_attempts lease_token available_at lease_expires_at cancel_requested_at"
COLUMNS += " created_at started_at finished_at error"
INSERT = f"INSERT INTO task ({COLUMNS.replace(' ', ', ')}) VALUES ({', '.join('?' * len(COLUMNS.split()))})"


@dataclass(frozen=True)
class StoredTask:
    """A task as it stands in the table: the payload is text, because programs write JSON in several spellings."""

    payload: str | None
    type: str = PAYMENT
    status: str = "pending"
    id: int = 0

    def named(self) -> Any:
        """The order that the payload names, by Python's own reading."""
        payload = json.loads(self.payload) if self.payload else None
        return payload.get("order_id") if isinstance(payload, dict) else None

    def is_live_payment(self) -> bool:
        """Whether this is a payment that is pending or running."""
        return self.type == PAYMENT and self.status in LIVE


def numbered(rows: Sequence[StoredTask], dice: random.Random | None = None) -> list[StoredTask]:
    """The rows with ids: of one to four digits if there are dice, else from 1 on."""
    ids = some_ids(dice, len(rows)) if dice else range(1, len(rows) + 1)
    return [replace(row, id=id) for row, id in zip(rows, ids, strict=True)]


def answer(
    sql: str, rows: Sequence[StoredTask], orders: Sequence[int] = (), *, index: str = "", **parameters: Any
) -> list[Any]:
    """The one column that the query returns, on a database with these rows and index, which it can only read."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(f"{tables()};{index}")
        database.executemany(ORDER, [dict(order_row(random.Random(id), id)) for id in orders])
        database.executemany(INSERT, [columns_of(row) for row in rows])
        database.commit()
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        database.execute("PRAGMA query_only = ON")
        try:
            cursor = database.execute(sql, parameters)
            found = cursor.fetchmany(TOO_MANY)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise CheckFailed(_refused(error), sql) from None
    if len(found) == TOO_MANY:
        raise CheckFailed(f"The query gives more than {TOO_MANY:,} rows, of {len(rows):,} tasks: does it end?", sql)
    names = [column[0] for column in cursor.description or ()]
    if len(names) != 1:
        columns = f"The query returns {len(names)} columns; expected one, the `id`."
        raise CheckFailed(columns, expected=["id"], found=names)
    counted = names[0].lower().startswith(("count(", "sum(", "total("))
    if counted:
        number = f"The query returns `{names[0]}`, a number: how many. Expected which ones: their ids."
        raise CheckFailed(number, expected=["id"], found=names)
    return [row[0] for row in found]


def _refused(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
        return "The statement changes the tables; expected a query, a SELECT, which only asks."
    return f"SQLite refuses the query: {with_meaning(error)}"


@functools.cache
def tables() -> str:
    """The DDL of both tables, and of the queue's index, which a query may name."""
    metadata = [Task.metadata.tables[name] for name in ("task", "orders")]
    tables = [str(CreateTable(table).compile(dialect=sqlite.dialect())) for table in metadata]
    return ";".join([*tables, *INDEXES["sqlite"]])


def columns_of(row: StoredTask) -> tuple[Any, ...]:
    """The row's values; those that it does not name are anything, and the same for the same id."""
    others = task_row(random.Random(row.id), row.id, type=row.type, status=row.status, payload=row.payload)
    return tuple(_stored(value) for value in others.values())


def was_asked_to_stop(row: StoredTask) -> bool:
    """Whether somebody has asked this task to stop."""
    return columns_of(row)[COLUMNS.split().index("cancel_requested_at")] is not None


def _stored(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value
