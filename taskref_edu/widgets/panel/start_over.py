"""The button "Start over": restores the orders and tasks to their state when the panel's cell ran.

A module of its own, because only this copies whole tables. Not covered: ids of new rows, which go on rising where the
database never reuses an id.
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
    """A copy of both tables' rows. refusal: why there is no copy, or ""."""

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
        """Replace all rows. The tables may reference each other, so references are cleared first and set last."""
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
