"""Where a worker takes its tasks, and hands in those it has finished.

A thread hands in and takes the next one in one transaction: each completion is durable before the next task
starts, as with two transactions, but SQLite begins and commits once. A crash before the commit leaves the
finished task running until its lease ends, a crash after it the next one: what two transactions can leave, too.

Leaves out: running the task, see `attempt.py`. Read next: `worker.py`.
"""

from __future__ import annotations

import sqlite3
import time

from sqlalchemy import Engine, PoolProxiedConnection

from ..database.error_names import translated
from ..database.sqlite_engine import file_of
from ..database.transactions import Transaction, writing
from ..errors import StaleLease
from ..queue.execution import wrapped
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from .attempt import describe


class TaskFetcher:
    """A desk of one queue, used by one thread at a time.

    hold: keep a connection between the transactions, and on SQLite talk to its driver: a session for each
    transaction would take several times as long as the transaction itself.
    """

    def __init__(self, queue: TaskQueue, *, hold: bool = False) -> None:
        self._queue = queue
        self._kept = KeptConnection(queue.engine) if hold and queue.engine.dialect.name == "sqlite" else None
        self._reclaimed_at = 0.0

    def claim(self) -> RunningTask | None:
        """Take the oldest due task; None if there is none."""
        with self._kept or writing(self._queue.engine) as transaction:
            return self._next(transaction, self._queue.claim(transaction))

    def complete_and_claim(self, task: RunningTask) -> tuple[str | None, RunningTask | None]:
        """Record the success of `task` and take the next one: what went wrong with the first, and the second."""
        with self._kept or writing(self._queue.engine) as transaction:
            try:
                return None, self._next(transaction, self._queue.complete_and_claim(transaction, task))
            except StaleLease as error:  # it changed nothing, so there is nothing to roll back
                return describe(error), self._next(transaction, self._queue.claim(transaction))

    def close(self) -> None:
        """Give back the connection; the next transaction takes another one."""
        if self._kept is not None:
            self._kept.close()

    def _next(self, transaction: Transaction, task: RunningTask | None) -> RunningTask | None:
        # Dead workers' tasks: looked for when there is nothing else to do, and four times in a lease.
        if task is None or time.monotonic() - self._reclaimed_at > self._queue.lease / 4:
            self._reclaimed_at = time.monotonic()
            if self._queue.reclaim(transaction) and task is None:
                return self._queue.claim(transaction)
        return task


class KeptConnection:
    """A connection that is kept; each `with` is one write transaction on it, as writing() is on a session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = file_of(engine)
        self._pooled: PoolProxiedConnection | None = None

    def __enter__(self) -> sqlite3.Connection:
        if self._pooled is None:
            try:
                self._pooled = self._engine.raw_connection()
            except sqlite3.Error as error:
                raise translated(error, self._file) or wrapped(error, "") from error
            self._driver: sqlite3.Connection = self._pooled.driver_connection  # type: ignore[assignment]
        self._send("BEGIN IMMEDIATE")
        return self._driver

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            self._send("COMMIT")
            return
        self.close()
        if name := translated(error, self._file):
            raise name from error

    def close(self) -> None:
        """Give it back to the pool, which rolls back what is open."""
        if self._pooled is not None:
            self._pooled.close()
            self._pooled = None

    def _send(self, sql: str) -> None:
        try:
            self._driver.execute(sql)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise translated(error, self._file) or wrapped(error, sql) from error
            raise
