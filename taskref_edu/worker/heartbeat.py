"""A thread for each worker that extends the lease of the running task, and notices if the task was asked to stop."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import exc as sqlalchemy_errors

from ..database.transactions import reading, writing
from ..errors import DatabaseError, StaleLease, TaskCancelled
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue

logger = logging.getLogger(__name__)


class Heartbeat:
    """Extends the lease every third of its length while `task` is set. A task shorter than one tick costs no statement.

    Its thread runs while somebody is inside `with heartbeat:`. While `silent` is set, it sends nothing, as if its
    process had died or were suspended, and the lease expires.
    """

    def __init__(self, queue: TaskQueue, name: str) -> None:
        self.task: RunningTask | None = None
        self.silent = False
        self.asked_to_stop: tuple[int, float] | None = None  # task id, time.monotonic() when it was seen
        self._queue = queue
        self._name = f"{name}-heartbeat"
        self._tick = min(queue.lease / 3, 0.5)
        self._lock = threading.Lock()
        self._users = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Heartbeat:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._loop, args=(self._ended,), name=self._name, daemon=True)
                self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._thread is None:
                return
            self._ended.set()
            thread = self._thread
        thread.join()  # after stopping a worker, the caller may close its database

    def _loop(self, ended: threading.Event) -> None:
        last, beat_at = None, 0.0
        while not ended.wait(self._tick):
            task = None if self.silent else self.task
            if task is not last or task is None:
                last, beat_at = task, time.monotonic()
                continue
            try:
                self._look(task)
                if time.monotonic() - beat_at >= self._queue.lease / 3:
                    self._beat(task)
                    beat_at = time.monotonic()
            except (DatabaseError, sqlalchemy_errors.SQLAlchemyError) as error:
                logger.info("heartbeat of task %s not sent, next try in %.1f s: %s", task.id, self._tick, error)
            except StaleLease as error:
                logger.info("%s", error)  # the handler gets the same error at its next checkpoint or completion
                last = None

    def _look(self, task: RunningTask) -> None:
        with reading(self._queue.engine) as session:
            try:
                self._queue.check(session, task)
            except TaskCancelled:
                if self.asked_to_stop is None or self.asked_to_stop[0] != task.id:
                    self.asked_to_stop = (task.id, time.monotonic())

    def _beat(self, task: RunningTask) -> None:
        with writing(self._queue.engine) as session:
            self._queue.heartbeat(session, task)
