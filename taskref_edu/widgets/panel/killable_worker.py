"""A worker that can die in the middle of a task, or stand still until its lease is over.

A thread cannot be killed. So a dead worker's next statement is refused, and nothing that its handler does later
reaches the database; it sends no heartbeat, and its task stays `running` until the lease runs out. A frozen one
waits at its next statement, outside any transaction, until somebody else has been given its task: a zombie.

Not covered: servers, where statements are not seen; a handler that sleeps and asks nothing of the database is dead
for everybody but itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from ...database.observed_connection import Connection
from ...database.sqlite_engine import observers_of
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue
from ...worker.attempt import Complete
from ...worker.heartbeat import Heartbeat
from ...worker.worker import Worker, WorkerStatus

LEASE = 5.0  # seconds at most, in a panel: somebody watches, and waits for it to run out


class Killed(BaseException):
    """Raised at a statement of a dead worker; no Exception, so that a handler does not go on after it."""


class StatementFault:
    """What becomes of the statements of one thread on one engine: `act` is called before each but ROLLBACK."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._attached = ExitStack()
        self._thread: int | None = None
        self._act: Callable[[Connection], None] = lambda connection: None

    def put(self, thread: int, act: Callable[[Connection], None]) -> None:
        """Let `act` stand in the way of that thread. Raises TypeError on an engine that cannot be observed."""
        observers = observers_of(self._engine)
        self._act = act
        if self._thread is None:
            self._thread = thread
            self._attached.enter_context(observers.attached(self))

    def lift(self) -> None:
        """Leave the thread alone: also when it ends, for another one may get its number."""
        self._attached.close()
        self._thread = None

    def around(self, connection: Connection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        # A dead process's transaction is rolled back, too.
        if threading.get_ident() == self._thread and sql != "ROLLBACK":
            self._act(connection)
        return run()


class KillableWorker(Worker):
    """A worker of a panel. `refused(task, error)` is called when the result of its task came too late."""

    def __init__(self, queue: TaskQueue, name: str, refused: Callable[[RunningTask, str], None]) -> None:
        own = copy(queue)  # the same handlers, on the same engine
        own.lease = min(queue.lease, LEASE)
        super().__init__(own, name=name)
        self._refused = refused
        self._fate = StatementFault(queue.engine)
        self._stepping: int | None = None
        self._thaw = threading.Event()
        self.frozen = False
        self.end: str | None = None  # what killed it

    def kill(self) -> str:
        """Die now; returns in which moment. Raises TypeError on a server."""
        task = self._task
        end = f"killed while it ran task {task.id}" if task else "killed between two tasks"
        self._fate.put(self._runs_on(), self._die)
        self.end, self.frozen = end, False
        self._heartbeat.stop(wait=False)  # it may be waiting for a locked database, and a click must not
        self._thaw.set()
        self.stop(timeout=0)
        return end

    def freeze(self) -> None:
        """Stand still from the next statement on. Raises TypeError on a server."""
        self._thaw.clear()
        self._fate.put(self._runs_on(), self._stand_still)
        self.frozen = True
        self._heartbeat.stop(wait=False)

    def thaw(self) -> None:
        """Come back now, whoever has the task."""
        self._thaw.set()

    @property
    def status(self) -> WorkerStatus:
        """As a worker's; dead after kill(), unresponsive while it stands still."""
        status = super().status
        if self.end is not None:
            return replace(status, state="dead", task=None, error=self.end)
        return replace(status, state="unresponsive") if self.frozen else status

    def step(self) -> bool:
        """As a worker's, with a heartbeat: the lease is short here."""
        if self._thread is None or not self._thread.is_alive():
            self._heartbeat = Heartbeat(self.queue, self.name)
            self._heartbeat.start()
        self._stepping = threading.get_ident()
        try:
            return super().step()
        finally:
            self._stepping = None
            self._fate.lift()
            if self._thread is None or not self._thread.is_alive():
                self._heartbeat.stop()

    def _loop(self) -> None:
        try:
            super()._loop()
        finally:
            self._fate.lift()

    def _run(self, task: RunningTask, complete: Complete) -> None:
        super()._run(task, complete)
        if self._error is not None and self._error.startswith(f"StaleLease: task {task.id}:"):
            self._refused(task, self._error)

    def _runs_on(self) -> int:
        thread = self._thread.ident if self._thread else None
        return self._stepping or thread or 0

    def _die(self, connection: Connection) -> None:
        raise Killed(self.end)

    def _stand_still(self, connection: Connection) -> None:
        # In a transaction it would make every writer wait: that is another story.
        if connection.in_transaction or (task := self._task) is None:
            return
        while _holds(connection, task) and not self._thaw.wait(0.1):
            pass
        if self.end is not None:
            self._die(connection)
        self._fate.lift()
        self.frozen = False
        self._heartbeat = Heartbeat(self.queue, self.name)
        self._heartbeat.task = task
        self._heartbeat.start()


def _holds(connection: Connection, task: RunningTask) -> bool:
    """Whether the lease was given to nobody else; asked past the observers."""
    try:
        look = "SELECT status, lease_token FROM task WHERE id = ?"
        return sqlite3.Cursor(connection).execute(look, (task.id,)).fetchone() == ("running", task.token)
    except sqlite3.Error:
        return False
