"""Where a worker takes its tasks, and hands in those it has finished.

A thread hands in and takes the next one in one transaction: each completion is durable before the next task
starts, as with two transactions, but SQLite begins and commits once. A crash before the commit leaves the
finished task running until its lease ends, a crash after it the next one: what two transactions can leave, too.

Leaves out: running the task, see `attempt.py`. Read next: `worker.py`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .attempt import describe
from .database import writing
from .driver import Transaction, wrapped
from .errors import StaleLease
from .queue import TaskQueue
from .running import RunningTask


class Desk:
    """A desk of one queue, used by one thread at a time.

    hold: keep a connection between the transactions, and on SQLite talk to its driver: a session for each
    transaction would take several times as long as the transaction itself.
    """

    def __init__(self, queue: TaskQueue, *, hold: bool = False) -> None:
        self._queue = queue
        self._hold = hold and queue.engine.dialect.name == "sqlite"
        self._held: Any = None
        self._reclaimed_at = 0.0

    def claim(self) -> RunningTask | None:
        """Take the oldest due task; None if there is none."""
        with self._transaction() as transaction:
            return self._next(transaction)

    def complete_and_claim(self, task: RunningTask) -> tuple[str | None, RunningTask | None]:
        """Record the success of `task` and take the next one: what went wrong with the first, and the second."""
        trouble = None
        with self._transaction() as transaction:
            try:
                self._queue.complete(transaction, task)
            except StaleLease as error:  # it changed nothing, so there is nothing to roll back
                trouble = describe(error)
            return trouble, self._next(transaction)

    def close(self) -> None:
        """Give back the connection; the next transaction takes another one."""
        if self._held is not None:
            self._held.close()  # rolls back what is open
            self._held = None

    def _next(self, transaction: Transaction) -> RunningTask | None:
        task = self._queue.claim(transaction)
        # Dead workers' tasks: looked for when there is nothing else to do, and four times in a lease.
        if task is None or time.monotonic() - self._reclaimed_at > self._queue.lease / 4:
            self._reclaimed_at = time.monotonic()
            if self._queue.reclaim(transaction) and task is None:
                task = self._queue.claim(transaction)
        return task

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        if not self._hold:
            with writing(self._queue.engine) as session:
                yield session
            return
        try:
            if self._held is None:
                self._held = self._queue.engine.raw_connection()
            driver = self._held.driver_connection
            driver.execute("BEGIN IMMEDIATE")
            yield driver
            driver.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise wrapped(error, "a worker's transaction") from error
        except BaseException:
            self.close()
            raise
