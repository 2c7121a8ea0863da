"""Start over: the orders and tasks as they were when the panel's cell ran.

Not covered: ids. A database that gives an id once only, such as PostgreSQL, goes on counting.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update
from sqlmodel import Session

from ...models import Order, Task

MOST_ROWS = 5_000  # of each table: the copy is kept in memory
ORDERS: Table = Order.__table__  # type: ignore[attr-defined]
TASKS: Table = Task.__table__  # type: ignore[attr-defined]
REFERENCE = ORDERS.c.processing_task_id


class Copy:
    """The rows of both tables. `refusal`: why there is no copy, or ""."""

    def __init__(self, session: Session) -> None:
        self.refusal = ""
        self._orders: list[dict[str, Any]] = []
        self._tasks: list[dict[str, Any]] = []
        rows = max(session.execute(select(func.count()).select_from(table)).scalar_one() for table in (ORDERS, TASKS))
        if rows > MOST_ROWS:
            self.refusal = f"{rows:,} rows found when the cell ran; up to {MOST_ROWS:,} are put back"
            return
        self._orders = [dict(row) for row in session.execute(select(ORDERS)).mappings()]
        self._tasks = [dict(row) for row in session.execute(select(TASKS)).mappings()]

    def put_back(self, session: Session) -> None:
        """Replace what is there. Both tables may reference each other, so references go first and come last."""
        session.execute(update(ORDERS).values({REFERENCE: None}))
        session.execute(delete(TASKS))
        session.execute(delete(ORDERS))
        if self._orders:
            session.execute(insert(ORDERS), [row | {REFERENCE.name: None} for row in self._orders])
        if self._tasks:
            session.execute(insert(TASKS), self._tasks)
        for row in self._orders:
            if row[REFERENCE.name] is not None:
                reference = {REFERENCE: row[REFERENCE.name]}
                session.execute(update(ORDERS).where(ORDERS.c.id == row["id"]).values(reference))
