"""A worker with fault injection: it can be killed in the middle of a task, or stall until its lease expires.

A thread cannot be killed. So a killed worker's next statement is refused, and nothing that its handler does later
reaches the database; it sends no heartbeat, and its task stays `running` until the lease expires. A stalled worker
waits at its next statement, outside any transaction, until another worker has claimed its task: then it is a zombie.

Not covered: servers, whose statements cannot be observed; a handler that sends no statements runs to its end.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from typing import Any

from ...database.observed_connection import ObservedConnection
from ...database.sqlite_engine import observers_of
from ...errors import StaleLease
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue
from ...worker.attempt import describe
from ...worker.worker import Worker, WorkerStatus

LEASE = 5.0  # seconds at most in a panel, so that the user can watch it expire


class Killed(BaseException):
    """Raised at a statement of a killed worker; not an Exception, so that handlers do not catch it."""


class KillableWorker(Worker):
    """A worker of a panel. Calls `refused(task, error)` when its task's result came too late."""

    def __init__(self, queue: TaskQueue, name: str, refused: Callable[[RunningTask, str], None]) -> None:
        own = copy(queue)  # the same handlers, on the same engine
        own.lease = min(queue.lease, LEASE)
        super().__init__(own, name=name)
        self._refused = refused
        self._engine = queue.engine
        self._task_thread: int | None = None  # the one that runs its tasks
        self._observed = ExitStack()
        self._thaw = threading.Event()
        self.frozen = False
        self.end: str | None = None  # how it was killed

    def kill(self) -> str:
        """Kill it now; return at which moment. Raises TypeError on a server."""
        task = self.status.task
        end = f"killed while it ran task {task.id}" if task else "killed between two tasks"
        self._observe()
        self.end, self.frozen = end, False
        self.heartbeat.silent = True
        self.stop(timeout=0)
        return end

    def freeze(self) -> None:
        """Stall at the next statement. Raises TypeError on a server."""
        self._thaw.clear()
        self._observe()
        self.frozen = True
        self.heartbeat.silent = True

    def thaw(self) -> None:
        """Continue now, even if no other worker has claimed the task."""
        self._thaw.set()

    def stop(self, timeout: float = 5.0) -> bool:
        """As a worker's; a stalled one is resumed first, since it would wait until another worker claims its task."""
        self.thaw()
        return super().stop(timeout)

    @property
    def status(self) -> WorkerStatus:
        """As a worker's; dead after kill(), unresponsive while it stalls."""
        status = super().status
        if self.end is not None:
            return replace(status, state="dead", task=None, error=self.end)
        return replace(status, state="unresponsive") if self.frozen else status

    def step(self) -> bool:
        """As a worker's, with a heartbeat: the lease is short here."""
        with self.heartbeat:
            return super().step()

    @contextmanager
    def working(self) -> Iterator[None]:
        before, self._task_thread = self._task_thread, threading.get_ident()
        try:
            yield
        finally:
            self._observed.close()  # later, another thread may have this one's id
            self._task_thread = before

    def finished(self, task: RunningTask, error: BaseException | None) -> None:
        if isinstance(error, StaleLease):
            self._refused(task, describe(error))

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        """A statement of the engine, since kill() or freeze()."""
        # ROLLBACK is let through: a killed process's transaction is rolled back, too.
        if threading.get_ident() == self._task_thread and sql != "ROLLBACK":
            if self.frozen:
                self._stand_still(connection)
            if self.end is not None:
                raise Killed(self.end)
        return run()

    def _observe(self) -> None:
        self._observed.close()
        self._observed.enter_context(observers_of(self._engine).attached(self))

    def _stand_still(self, connection: ObservedConnection) -> None:
        # Not inside a transaction, where it would block every other writer.
        if connection.in_transaction or (task := super().status.task) is None:
            return
        while _holds(connection, task) and not self._thaw.wait(0.1):
            pass
        if self.end is None:
            self._observed.close()
            self.frozen = self.heartbeat.silent = False


def _holds(connection: ObservedConnection, task: RunningTask) -> bool:
    """Whether the task is still leased to this claim; the query bypasses the observers."""
    try:
        look = "SELECT status, lease_token FROM task WHERE id = ?"
        return sqlite3.Cursor(connection).execute(look, (task.id,)).fetchone() == ("running", task.token)
    except sqlite3.Error:
        return False
