"""Whether it is time to read a database again, and what is read then.

The panel reads through an engine of its own, so that an instrument that observes the learner's engine sees
the learner's statements only.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection

from ...database.file_watch import identity_of, version_reader
from ...database.sqlite_engine import file_of, sqlite_engine
from ...errors import DatabaseGone
from ...queue.task_queue import TaskQueue
from .rows import ROWS, OrderRow, Rows, read


class ChangeReader:
    """Looks at the database of one queue. Belongs to one thread."""

    def __init__(self, queue: TaskQueue) -> None:
        self.polls = file_of(queue.engine) is None  # a server has no number that changes with each commit
        self._queue = queue
        self._file = file_of(queue.engine)
        self._engine = queue.engine if self._file is None else sqlite_engine(self._file)
        self._identity = self._file and identity_of(self._file)
        self._held: Connection | None = None
        self._copy: OrdersCopy | None = None
        self._seen: int | None = None

    def changed_rows(self, before: Rows) -> Rows | None:
        """The rows, or None if nobody has committed since the last call. Raises DatabaseGone without the file."""
        self._check_file()
        try:
            return self._read_changed(before)
        except BaseException:
            self.close()
            raise

    def has_changes(self) -> bool:
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
            self._held = self._copy = None
        if self._file is not None:
            self._engine.dispose()

    def _read_changed(self, before: Rows) -> Rows | None:
        if self.polls:
            with self._engine.begin() as connection:
                return read(connection, before)
        if self._held is None or self._copy is None:
            self._held = self._engine.connect()
            driver: sqlite3.Connection = self._held.connection.driver_connection  # type: ignore[assignment]
            self._copy = OrdersCopy(driver)
            self._read_version = version_reader(driver)
        version = self._version()  # before the rows, so that no commit falls between the two
        if version == self._seen:
            return None
        with self._held.begin():
            rows = read(self._held, before, self._copy.same())
            self._copy.keep(before, rows)
        self._seen = version
        return rows

    def _version(self) -> int | None:
        """A number that changes with each commit of somebody else; inside a transaction it would stand still."""
        if self._held is None:
            return None
        return self._read_version()

    def _check_file(self) -> None:
        found = self._file and identity_of(self._file)
        if found != self._identity:
            self._identity = found
            self.close()
            self._queue.engine.dispose()  # its connections would go on in a file that is gone
        if found is None and self._file is not None:
            raise DatabaseGone(f"{self._file} was deleted: put it back, or re-run the cell with another database")


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
