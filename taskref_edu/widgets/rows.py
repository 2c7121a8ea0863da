"""What a panel shows of a database, read in one transaction, and whether it is time to read again.

The panel reads through an engine of its own, so that an instrument that observes the learner's engine sees
the learner's statements only. It reads the driver's plain rows: thousands of them, ten times a second.
Read next: `view.py`, which looks; `patches.py`, what the browser is told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Table

from ..errors import DatabaseGone
from ..models import Order
from ..queue import TaskQueue
from ..sqlite import file_of, sqlite_engine

ROWS = 2_500  # of each table: what a browser still draws smoothly, and a kernel reads beside its other work
LARGEST_ID = 2**63 - 1
T = TypeVar("T")
ORDERS: Table = Order.__table__  # type: ignore[attr-defined]


class OrderRow(NamedTuple):
    """An order as its row stands in the table."""

    id: int
    customer: str
    amount: int
    status: str
    processing_task_id: int | None


class TaskRow(NamedTuple):
    """A task as its row stands in the table: the payload as JSON text, times as the driver returns them."""

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


READ_ORDERS = f"SELECT {', '.join(OrderRow._fields)} FROM orders ORDER BY id DESC LIMIT {ROWS}"
READ_TASKS = f"SELECT {', '.join(TaskRow._fields)} FROM task ORDER BY id DESC LIMIT {ROWS}".replace(
    "payload", "CAST(payload AS TEXT)"
)


@dataclass(frozen=True)
class Rows:
    """The newest rows of both tables, oldest first, and how many there are in all.

    named: ids of existing orders that the payloads name. referenced: ids of tasks at which an order points.
    targets: those of them that exist.
    """

    orders: Sequence[OrderRow] = ()
    tasks: Sequence[TaskRow] = ()
    order_count: int = 0
    task_count: int = 0
    named: frozenset[int] = frozenset()
    referenced: frozenset[int] = frozenset()
    targets: frozenset[int] = frozenset()


def read(connection: Connection, before: Rows | None = None) -> Rows:
    """The rows as they stand in the connection's transaction; lists equal to those of `before` are the same."""
    before = before or Rows()
    orders = _same_or_made(before.orders, _all(connection, READ_ORDERS)[::-1], OrderRow._make)
    tasks = _same_or_made(before.tasks, _all(connection, READ_TASKS)[::-1], TaskRow._make)
    order_count, task_count = _count(connection, "orders", orders), _count(connection, "task", tasks)
    order_ids, task_ids = {order.id for order in orders}, {task.id for task in tasks}
    names = {order_in(task.payload) for task in tasks} - {None}
    references = {order.processing_task_id for order in orders} - {None}
    if order_count > len(orders):  # an order that is not shown may be named, and may point at a task that is
        order_ids |= _existing(connection, "orders", "id", names - order_ids)
        references |= _existing(connection, "orders", "processing_task_id", task_ids - references)
    if task_count > len(tasks):
        task_ids |= _existing(connection, "task", "id", references - task_ids)
    return Rows(
        orders,
        tasks,
        order_count,
        task_count,
        named=frozenset(names & order_ids),  # type: ignore[arg-type]
        referenced=frozenset(references),  # type: ignore[arg-type]
        targets=frozenset(references & task_ids),  # type: ignore[arg-type]
    )


def named_order(payload: Any) -> int | None:
    """The order id in a payload, if there is one that a database could know."""
    order_id = payload.get("order_id") if isinstance(payload, dict) else None
    return order_id if type(order_id) is int and 0 < order_id <= LARGEST_ID else None


@lru_cache(maxsize=4 * ROWS)
def order_in(payload: str | None) -> int | None:
    """The order id in the text of a payload."""
    try:
        return named_order(json.loads(payload)) if payload else None
    except (ValueError, RecursionError):  # text that somebody wrote past us
        return None


def _all(connection: Connection, sql: str) -> list[Any]:
    # The driver's tuples: SQLAlchemy's rows would take as long again.
    return connection.exec_driver_sql(sql).cursor.fetchall()  # type: ignore[union-attr]


def _same_or_made(before: Sequence[T], raw: list[Any], make: Callable[[Any], T]) -> Sequence[T]:
    return before if raw == before else [*map(make, raw)]


def _count(connection: Connection, table: str, shown: Sequence[object]) -> int:
    if len(shown) < ROWS:
        return len(shown)
    return _all(connection, f"SELECT count(*) FROM {table}")[0][0]


def _existing(connection: Connection, table: str, column: str, ids: Iterable[int | None]) -> set[int]:
    """Those of the ids that the column holds. They are Python's integers, and so may stand in the SQL."""
    numbers = ", ".join(str(int(number)) for number in ids if number is not None)
    if not numbers:
        return set()
    return {row[0] for row in _all(connection, f"SELECT {column} FROM {table} WHERE {column} IN ({numbers})")}


class Lookout:
    """Looks at the database of one queue. Belongs to one thread."""

    def __init__(self, queue: TaskQueue) -> None:
        self.polls = file_of(queue.engine) is None  # a server has no number that changes with each commit
        self._queue = queue
        self._file = file_of(queue.engine)
        self._engine = queue.engine if self._file is None else sqlite_engine(self._file)
        self._identity = self._look_at_file()
        self._held: Connection | None = None
        self._seen: int | None = None

    def changed_rows(self, before: Rows) -> Rows | None:
        """The rows, or None if nobody has committed since the last call. Raises DatabaseGone without the file."""
        self._check_file()
        try:
            return self._read_changed(before)
        except BaseException:
            self.close()
            raise

    def stirred(self) -> bool:
        """Whether changed_rows() would read, or meet trouble. On a server always False: it would cost as much."""
        try:
            return not self.polls and self._version() != self._seen
        except Exception:  # changed_rows() will meet it, too, and is where it is said
            return True

    def close(self) -> None:
        """Give back all connections."""
        self._seen = None
        if self._held is not None:
            self._held.close()
            self._held = None
        if self._file is not None:
            self._engine.dispose()

    def _read_changed(self, before: Rows) -> Rows | None:
        if self.polls:
            with self._engine.begin() as connection:
                return read(connection, before)
        if self._held is None:
            self._held = self._engine.connect()
        version = self._version()  # before the rows, so that no commit falls between the two
        if version == self._seen:
            return None
        with self._held.begin():
            rows = read(self._held, before)
        self._seen = version
        return rows

    def _version(self) -> int | None:
        """A number that changes with each commit of somebody else; inside a transaction it would stand still."""
        if self._held is None:
            return None
        return self._held.connection.driver_connection.execute("PRAGMA data_version").fetchone()[0]  # type: ignore[union-attr]

    def _check_file(self) -> None:
        found = self._look_at_file()
        if found != self._identity:
            self._identity = found
            self.close()
            self._queue.engine.dispose()  # its connections would go on in a file that is gone
        if found is None and self._file is not None:
            raise DatabaseGone(f"{self._file} was deleted: put it back, or re-run the cell with another database")

    def _look_at_file(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)  # noqa: PTH116
        except OSError:
            return None
        return found.st_dev, found.st_ino
