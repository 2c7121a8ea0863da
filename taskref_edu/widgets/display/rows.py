"""What a panel shows of a database, read in one transaction: plain rows, thousands of them, ten times a second."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from operator import itemgetter, ne
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ...arguments import LARGEST_ID

ROWS = 2_500  # of each table: as many as a browser draws smoothly, and a kernel reads without slowing its other work
Raw = tuple[Any, ...]  # a row as the driver returns it, its id first


class OrderRow(NamedTuple):
    """An order as its row in the table."""

    id: int
    customer: str
    amount: int
    status: str
    processing_task_id: int | None


class TaskRow(NamedTuple):
    """A task as its row in the table: the payload as JSON text, times as the driver returns them."""

    id: int
    type: str
    payload: str | None
    status: str
    attempt: int
    max_attempts: int
    lease_token: int
    available_at: Any
    lease_expires_at: Any
    cancel_requested_at: Any
    error: str | None


REFERENCE, PAYLOAD = OrderRow._fields.index("processing_task_id"), TaskRow._fields.index("payload")
READ_ORDERS = f"SELECT {', '.join(OrderRow._fields)} FROM orders ORDER BY id DESC LIMIT {ROWS}"
# Without ORDER BY, which would copy the rows first: another sequence is another text, and then they are fetched.
ORDERS_AS_TEXT = (
    f"SELECT {', '.join(f'json_group_array({name})' for name in OrderRow._fields)} FROM orders WHERE id >="
    f" ifnull((SELECT id FROM orders ORDER BY id DESC LIMIT 1 OFFSET {ROWS - 1}), {-LARGEST_ID - 1})"
)
READ_TASKS = f"SELECT {', '.join(TaskRow._fields)} FROM task ORDER BY id DESC LIMIT {ROWS}".replace(
    "payload", "CAST(payload AS TEXT)"
)


@dataclass(frozen=True)
class Rows:
    """The newest rows of both tables by their ids, oldest first, and how many there are in all.

    The rows are the driver's tuples: named tuples would cost too much for thousands of rows, ten times a second.
    named: ids of existing orders that the payloads name. referenced: ids of tasks that an order references.
    targets: those of them that exist.
    """

    orders: dict[int, Raw] = field(default_factory=dict)
    tasks: dict[int, Raw] = field(default_factory=dict)
    order_count: int = 0
    task_count: int = 0
    named: frozenset[int] = frozenset()
    referenced: frozenset[int] = frozenset()
    targets: frozenset[int] = frozenset()

    def order(self, number: int) -> OrderRow | None:
        row = self.orders.get(number)
        return OrderRow(*row) if row else None

    def task(self, number: int) -> TaskRow | None:
        row = self.tasks.get(number)
        return TaskRow(*row) if row else None

    def newest_orders(self, count: int) -> list[OrderRow]:
        return [OrderRow(*row) for row in [*self.orders.values()][-count:]]

    def newest_tasks(self, count: int) -> list[TaskRow]:
        return [TaskRow(*row) for row in [*self.tasks.values()][-count:]]


def read(connection: Connection, before: Rows | None = None, same_orders: bool = False) -> Rows:
    """The rows as the connection's transaction sees them; the same dict as in `before` if no row differs.

    same_orders: True if it is known that no order differs; then the orders are not fetched.
    """
    before = before or Rows()
    orders = before.orders if same_orders else _by_id(_all(connection, READ_ORDERS), before.orders)
    tasks = _by_id(_all(connection, READ_TASKS), before.tasks)
    order_count, task_count = _count(connection, "orders", orders), _count(connection, "task", tasks)
    names: frozenset[Any] = frozenset(map(order_in, map(itemgetter(PAYLOAD), tasks.values())))
    references = frozenset(map(itemgetter(REFERENCE), orders.values())) - {None}
    order_ids, task_ids = orders.keys(), tasks.keys()
    if order_count > len(orders):  # an order that is not shown may be named by a task, or reference one
        order_ids |= _existing(connection, "orders", "id", names - order_ids)
        references |= _existing(connection, "orders", "processing_task_id", task_ids - references)
    if task_count > len(tasks):
        task_ids |= _existing(connection, "task", "id", references - task_ids)
    named, targets = names.intersection(order_ids), references.intersection(task_ids)
    return Rows(orders, tasks, order_count, task_count, named, referenced=references, targets=targets)


def orders_as_text(connection: Connection) -> tuple[str, ...] | None:
    """Each column of the shown orders as one text: comparing them takes a third of the time of fetching the rows.

    None where a value is no JSON, a BLOB.
    """
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        return driver.execute(ORDERS_AS_TEXT).fetchone()
    except sqlite3.OperationalError:
        return None


def differing(before: Mapping[int, Any], after: Mapping[int, Any]) -> list[int]:
    """The ids of the rows that are new or have changed, compared by the interpreter in C: thousands at each read."""
    return [] if after is before else [*compress(after, map(ne, after.values(), map(before.get, after)))]


@lru_cache(maxsize=4 * ROWS)
def order_in(payload: str | None) -> int | None:
    """The order id in the text of a payload; None if it has none that a database could store."""
    try:
        found = json.loads(payload) if payload else None
    except (ValueError, RecursionError):  # written by another program
        return None
    order_id = found.get("order_id") if isinstance(found, dict) else None
    return order_id if type(order_id) is int and 0 < order_id <= LARGEST_ID else None


def _all(connection: Connection, sql: str) -> list[Any]:
    # The driver's tuples: SQLAlchemy's rows would take twice as long.
    return connection.exec_driver_sql(sql).cursor.fetchall()  # type: ignore[union-attr]


def _by_id(newest_first: list[Raw], before: dict[int, Raw]) -> dict[int, Raw]:
    if newest_first == [*reversed(before.values())]:
        return before
    oldest_first = newest_first[::-1]
    return dict(zip(map(itemgetter(0), oldest_first), oldest_first, strict=True))


def _count(connection: Connection, table: str, shown: dict[int, Raw]) -> int:
    if len(shown) < ROWS:
        return len(shown)
    return _all(connection, f"SELECT count(*) FROM {table}")[0][0]


def _existing(connection: Connection, table: str, column: str, ids: Iterable[int | None]) -> set[int]:
    """Those of the ids that the column contains. They are Python integers, so they can be put into the SQL."""
    numbers = ", ".join(str(int(number)) for number in ids if number is not None)
    if not numbers:
        return set()
    return {row[0] for row in _all(connection, f"SELECT {column} FROM {table} WHERE {column} IN ({numbers})")}
