"""Claims a worker's tasks, and records the success of finished ones.

A worker completes one task and claims the next in one transaction: as with two transactions, each completion is durable
before the next task starts, but SQLite begins and commits only once. A crash before the commit leaves the finished task
running until its lease ends; a crash after it leaves the next one so. Two transactions could leave either, too.

Not covered: running the task (`attempt.py`).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress

from sqlalchemy import Engine, PoolProxiedConnection

from ..arguments import counted
from ..database.error_names import translated
from ..database.observed_connection import BEGIN_IMMEDIATE, ObservedConnection
from ..database.sqlite_engine import expect_same_file, file_of
from ..database.transactions import Transaction, writing
from ..errors import StaleLease
from ..queue.running_task import RunningTask
from ..queue.statement_execution import sqlalchemy_error
from ..queue.task_queue import TaskQueue
from .attempt import AttemptProblem, describe, logger


class ReclaimTimer:
    """Decides when to reclaim dead workers' tasks: whenever nothing is due, and four times in a lease."""

    def __init__(self) -> None:
        self._reclaimed_at = 0.0

    def is_due(self, queue: TaskQueue, claimed: RunningTask | None) -> bool:
        """Whether to reclaim now; if so, the time starts again."""
        if claimed is not None and time.monotonic() - self._reclaimed_at <= queue.lease / 4:
            return False
        self._reclaimed_at = time.monotonic()
        return True


class TaskFetcher:
    """Claims from one queue; used by one thread, until close().

    On SQLite it keeps one connection of the driver: a session for each transaction would take several times as long as
    the transaction itself.
    """

    def __init__(self, queue: TaskQueue, timer: ReclaimTimer | None = None) -> None:
        self._queue = queue
        self._kept = KeptConnection(queue.engine) if queue.engine.dialect.name == "sqlite" else None
        self._timer = timer or ReclaimTimer()
        self._reclaimed = 0  # tasks that were put back, and not logged yet

    def claim(self) -> RunningTask | None:
        """Take the oldest due task; None if there is none."""
        with self._kept or writing(self._queue.engine) as transaction:
            task = self._next(transaction, self._queue.claim(transaction))
        if self._reclaimed:
            self._report_reclaimed()
        return task

    def complete(self, task: RunningTask, *, and_claim: bool) -> tuple[AttemptProblem | None, RunningTask | None]:
        """Record the success of `task`; with `and_claim`, take the next. Returns what went wrong, and the next task."""
        if self._reclaimed:
            self._report_reclaimed()
        with self._kept or writing(self._queue.engine) as transaction:
            try:
                if not and_claim:
                    self._queue.complete(transaction, task)
                    return None, None
                return None, self._next(transaction, self._queue.complete_and_claim(transaction, task))
            except StaleLease as error:  # it changed nothing, so there is nothing to roll back
                problem = AttemptProblem(error, describe(error))
                return problem, self._next(transaction, self._queue.claim(transaction)) if and_claim else None

    def close(self) -> None:
        """Return the connection to the pool; the next transaction takes another one."""
        if self._kept is not None:
            self._kept.close()

    def _next(self, transaction: Transaction, task: RunningTask | None) -> RunningTask | None:
        if self._timer.is_due(self._queue, task) and (count := self._queue.reclaim(transaction)):
            self._reclaimed += count
            if task is None:
                return self._queue.claim(transaction)
        return task

    def _report_reclaimed(self) -> None:
        """Log what was put back; after the transaction, because a log handler may be slow."""
        count, self._reclaimed = self._reclaimed, 0
        what = "lease over: its worker died or hung. Pending again, or failed if no attempt was left"
        with suppress(Exception):  # a log handler that fails must not lose the task that was claimed
            logger.warning("%s with the %s", counted(count, "task"), what)


BUSY_FILE_INTERVAL = 0.005  # seconds between two checks of the file: one takes as long as a statement


class KeptConnection:
    """A connection kept for many transactions; each `with` block is one write transaction, as with writing()."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = file_of(engine)
        self._pooled: PoolProxiedConnection | None = None
        self._looked_at_file = 0.0

    def __enter__(self) -> sqlite3.Connection:
        try:
            if self._pooled is None:
                self._pooled = self._engine.raw_connection()
                self._driver: ObservedConnection = self._pooled.driver_connection  # type: ignore[assignment]
            if (now := time.monotonic()) - self._looked_at_file > BUSY_FILE_INTERVAL:
                expect_same_file(self._engine, self._driver)
                self._looked_at_file = now
            self._driver.execute(BEGIN_IMMEDIATE)
        except BaseException as error:
            self._end_with(error, BEGIN_IMMEDIATE)
            raise
        return self._driver

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            return self._end_with(error)
        try:
            self._driver.execute("COMMIT")
            self._driver.transaction_ended()
        except BaseException as error:
            self._end_with(error, "COMMIT")
            raise

    def close(self) -> None:
        """Return it to the pool, which rolls back an open transaction."""
        if self._pooled is not None:
            self._pooled.close()
            self._pooled = None

    def _end_with(self, error: BaseException, sql: str = "") -> None:
        """Close it; raise our error, or SQLAlchemy's, for one of the driver."""
        self.close()
        if name := translated(error, self._file):
            raise name from error
        if isinstance(error, sqlite3.Error):
            raise sqlalchemy_error(error, sql) from error
