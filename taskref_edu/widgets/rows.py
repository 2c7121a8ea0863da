"""What a panel shows of a database, read in one transaction, and whether it is time to read again.

The panel reads through an engine of its own, so that an instrument that observes the learner's engine sees
the learner's statements only. Read next: `tables.py`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, func, select
from sqlmodel import Session

from ..database import file_of, reading, sqlite_engine
from ..errors import DatabaseGone
from ..models import Order, Task
from ..queue import TaskQueue

ROWS = 50  # of each table; an HTML table much longer than this is slow to replace
LARGEST_ID = 2**63 - 1
ORDERS: Table = Order.__table__  # type: ignore[attr-defined]
TASK: Table = Task.__table__  # type: ignore[attr-defined]
_SHOWN = ("id", "type", "payload", "status", "attempt", "max_attempts", "cancel_requested_at", "error")
TASK_COLUMNS = [TASK.c[name] for name in _SHOWN]


@dataclass(frozen=True)
class Rows:
    """The newest rows of both tables, oldest first, and how many there are in all.

    named: ids of existing orders that the shown payloads name. referenced: ids of shown tasks with an order.
    """

    orders: Sequence[Row[Any]] = ()
    tasks: Sequence[Row[Any]] = ()
    order_count: int = 0
    task_count: int = 0
    named: frozenset[int] = frozenset()
    referenced: frozenset[int] = frozenset()


def read(session: Session) -> Rows:
    """The rows as they stand in the session's transaction."""
    orders = session.execute(select(ORDERS).order_by(ORDERS.c.id.desc()).limit(ROWS)).all()[::-1]
    tasks = session.execute(select(*TASK_COLUMNS).order_by(TASK.c.id.desc()).limit(ROWS)).all()[::-1]
    payload_ids = [order_id for task in tasks if (order_id := named_order(task.payload)) is not None]
    named = select(ORDERS.c.id).where(ORDERS.c.id.in_(payload_ids))
    reference = ORDERS.c.processing_task_id
    referenced = select(reference).where(reference.in_([task.id for task in tasks]))
    return Rows(
        orders=orders,
        tasks=tasks,
        order_count=session.execute(select(func.count()).select_from(ORDERS)).scalar_one(),
        task_count=session.execute(select(func.count()).select_from(TASK)).scalar_one(),
        named=frozenset(session.execute(named).scalars()),
        referenced=frozenset(session.execute(referenced).scalars()),
    )


def named_order(payload: Any) -> int | None:
    """The order id in a payload, if there is one that a database could know."""
    order_id = payload.get("order_id") if isinstance(payload, dict) else None
    return order_id if type(order_id) is int and 0 < order_id <= LARGEST_ID else None


class Lookout:
    """Looks at the database of one queue. Belongs to one thread."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._file = file_of(queue.engine)
        self._engine = queue.engine if self._file is None else sqlite_engine(self._file)
        self._identity = self._look_at_file()
        self._probe: Any = None
        self._seen: int | None = None

    def changed_rows(self) -> Rows | None:
        """The rows, or None if nobody has committed since the last call. Raises DatabaseGone without the file."""
        self._check_file()
        version = self._version()  # before the rows, so that no commit falls between the two
        if version is not None and version == self._seen:
            return None
        with reading(self._engine) as session:
            rows = read(session)
        self._seen = version
        return rows

    def close(self) -> None:
        """Give back all connections."""
        self._seen = None
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if self._file is not None:
            self._engine.dispose()

    def _version(self) -> int | None:
        """A number that changes with each commit of somebody else; None where there is no such number."""
        if self._file is None:
            return None
        if self._probe is None:
            self._probe = self._engine.raw_connection()
        return self._probe.driver_connection.execute("PRAGMA data_version").fetchone()[0]

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
