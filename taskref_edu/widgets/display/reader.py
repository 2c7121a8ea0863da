"""Decides whether to read a database again, and reads it.

The panel reads through its own engine, so that observers of the learner's engine see only the learner's statements.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection

from ...database.file_watch import identity_of, version_reader
from ...database.sqlite_engine import file_of, sqlite_engine
from ...errors import DatabaseGone
from ...queue.task_queue import TaskQueue
from .rows import Rows, orders_as_text, read


class ChangeReader:
    """Reads the database of one queue when it has changed. For one thread only."""

    def __init__(self, queue: TaskQueue) -> None:
        self.polls = file_of(queue.engine) is None  # a server has no number that changes with each commit
        self._queue = queue
        self._file = file_of(queue.engine)
        self._engine = queue.engine if self._file is None else sqlite_engine(self._file)
        self._identity = self._file and identity_of(self._file)
        self._held: Connection | None = None
        self._orders: tuple[str, ...] | None = None  # as they were last read
        self._seen: int | None = None

    def changed_rows(self, before: Rows) -> Rows | None:
        """The rows, or None if there was no commit since the last call. Raises DatabaseGone without the file."""
        self._check_file()
        try:
            return self._read_changed(before)
        except BaseException:
            self.close()
            raise

    def has_changes(self) -> bool:
        """Whether changed_rows() would read rows, or raise. On a server always False: a check would cost as much."""
        try:
            return not self.polls and self._version() != self._seen
        except Exception:  # changed_rows() raises it, too
            return True

    def close(self) -> None:
        self._seen = None
        if self._held is not None:
            self._held.close()
            self._held = self._orders = None
        if self._file is not None:
            self._engine.dispose()

    def _read_changed(self, before: Rows) -> Rows | None:
        if self.polls:
            with self._engine.begin() as connection:
                return read(connection, before)
        if self._held is None:
            self._held = self._engine.connect()
            driver: sqlite3.Connection = self._held.connection.driver_connection  # type: ignore[assignment]
            self._read_version = version_reader(driver)
        version = self._version()  # before the rows, so that no commit falls between the two
        if version == self._seen:
            return None
        with self._held.begin():
            orders = orders_as_text(self._held)
            rows = read(self._held, before, same_orders=orders is not None and orders == self._orders)
            self._orders = orders
        self._seen = version
        return rows

    def _version(self) -> int | None:
        """A number that changes with each commit of another connection, but not inside a transaction."""
        return None if self._held is None else self._read_version()

    def _check_file(self) -> None:
        found = self._file and identity_of(self._file)
        if found != self._identity:
            self._identity = found
            self.close()
            self._queue.engine.dispose()  # its connections would continue to use the deleted file
        if found is None and self._file is not None:
            raise DatabaseGone(f"{self._file} was deleted: put it back, or re-run the cell with another database")
