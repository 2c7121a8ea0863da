"""Whether the orders are still as they were last read: SQLite compares them with a copy, sooner than it hands them out.

The copy is a temporary table, which only its connection sees, and which goes with it.
Leaves out: tasks, which hardly ever stay as they were, and a table that is not shown whole. Read next: `rows.py`.
"""

from __future__ import annotations

import sqlite3

from .rows import ROWS, OrderRow, Rows

_ID, *_OTHERS = OrderRow._fields
_CREATE = f"CREATE TEMP TABLE IF NOT EXISTS seen ({_ID} INTEGER PRIMARY KEY, {', '.join(_OTHERS)})"
_FILL = f"INSERT INTO temp.seen SELECT {', '.join(OrderRow._fields)} FROM main.orders"
# IS: two NULLs are the same, too.
_SAME = "SELECT count(*) FROM main.orders AS now JOIN temp.seen AS seen USING (id) WHERE " + " AND ".join(
    f"now.{name} IS seen.{name}" for name in _OTHERS
)
_COUNT = "SELECT count(*) FROM main.orders"


class OrdersCopy:
    """The orders as they were last read, once two looks have found the same ones.

    While they change at each look there is no copy: to make it and to ask it would cost more than it saves.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._count: int | None = None  # None: there is no copy
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(_CREATE)

    def same(self) -> bool:
        """Whether there is a copy and the orders are still the same, as the open transaction sees them."""
        return self._count is not None and self._number(_COUNT) == self._number(_SAME) == self._count

    def keep(self, before: Rows, now: Rows) -> None:
        """Copy what was read in the open transaction, if `before`, the state of the last look, held the same."""
        if now.orders is not before.orders or now.order_count >= ROWS:
            self._count = None
        elif self._count is None:
            self._connection.execute("DELETE FROM temp.seen")
            self._connection.execute(_FILL)
            self._count = now.order_count

    def _number(self, sql: str) -> int:
        return self._connection.execute(sql).fetchone()[0]
