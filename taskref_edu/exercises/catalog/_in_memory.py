"""Tasks and orders in memory, for exercises whose answer is a query: fifty databases in a few milliseconds."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from taskref_edu import Task
from taskref_edu.exercises.exercise import CheckFailed
from taskref_edu.models import ENDED, LIVE

PAYMENT = "process_payment"
TASK = "INSERT INTO task (type, payload, status, lease_expires_at, finished_at, error, attempt, max_attempts, "
TASK += "lease_token, available_at, created_at) VALUES (?, ?, ?, ?, ?, ?, 0, 3, 0, '2030-01-01', '2030-01-01')"
ORDER = "INSERT INTO orders (id, customer, amount, status) VALUES (?, 'Ada', 1000, 'new')"


@dataclass(frozen=True)
class Row:
    """A task as it stands in the table: the payload is text, because programs write JSON in several spellings."""

    payload: str | None
    type: str = PAYMENT
    status: str = "pending"

    def named(self) -> Any:
        """The order that the payload names, by Python's own reading."""
        payload = json.loads(self.payload) if self.payload else None
        return payload.get("order_id") if isinstance(payload, dict) else None

    def is_live_payment(self) -> bool:
        """Whether this is a payment that is pending or running."""
        return self.type == PAYMENT and self.status in LIVE


def answer(sql: str, rows: Sequence[Row], orders: Sequence[int] = (), **parameters: Any) -> list[Any]:
    """The one column that the query returns, on a database with these tasks, whose ids count from 1, and orders."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_tables())
        database.executemany(ORDER, [(id,) for id in orders])
        database.executemany(TASK, map(_columns, rows))
        try:
            cursor = database.execute(sql, parameters)
            found = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise CheckFailed(f"SQLite refuses the query: {error}.", sql) from None
    count = len(cursor.description or ())
    assert count == 1, f"The query returns {count} columns; expected is one, the `id`."
    return [row[0] for row in found]


@functools.cache
def _tables() -> str:
    tables = [Task.metadata.tables[name] for name in ("task", "orders")]
    return ";".join(str(CreateTable(table).compile(dialect=sqlite.dialect())) for table in tables)


def _columns(row: Row) -> tuple[Any, ...]:
    leased = "2030-01-01" if row.status == "running" else None
    ended = "2030-01-01" if row.status in ENDED else None
    return row.type, row.payload, row.status, leased, ended, "card refused" if row.status == "failed" else None
