"""The workers of one side of a panel, one or two, and what each click does to them.

Each method sets an event or starts a thread, and returns a sentence for the status line. It uses no widgets, and may be
called on any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar

from ...database.sqlite_engine import file_of
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue
from .click_transactions import plain
from .killable_worker import KillableWorker, Killed

NO_THREAD = ("stopped", "dead")
ENDED = "worker: the panel has stopped"
ON_A_SERVER = "worker: only on a SQLite file can it be struck in the middle of a task"


P = ParamSpec("P")
T = TypeVar("T")


def _alone(verb: Callable[Concatenate[WorkerPool, P], T]) -> Callable[Concatenate[WorkerPool, P], T]:
    """One verb at a time: a click and a scenario that plays by itself come on two threads."""

    @wraps(verb)
    def locked(pool: WorkerPool, *args: P.args, **kwargs: P.kwargs) -> T:
        with pool._lock:
            return verb(pool, *args, **kwargs)

    return locked


class WorkerPool:
    """workers: those shown. say(text) writes to the status line; refused(task, error) reports a late result."""

    def __init__(
        self, name: str, queue: TaskQueue, say: Callable[[str], None], refused: Callable[[RunningTask, str], None]
    ) -> None:
        self._name = name
        self._queue = queue
        self._say = say
        self._refused = refused
        self._former: list[KillableWorker] = []  # replaced, and perhaps still in a handler
        self._step: threading.Thread | None = None
        self._lock = threading.RLock()
        self._closed = False
        self.workers = [self._hire(1)]

    @property
    def holders(self) -> list[KillableWorker]:
        """The workers that hold a task; also one that was replaced and still runs its last task."""
        return [worker for worker in (*self.workers, *self._former) if worker.status.task]

    @property
    def state(self) -> Literal["stopped", "started", "paused", "in a step"]:
        """What the workers have been asked to do."""
        if self._is_stepping():
            return "in a step"
        if not (running := self._running()):
            return "stopped"
        return "paused" if all(worker.status.pausing for worker in running) else "started"

    @property
    def is_running(self) -> bool:
        """Whether every worker's thread runs."""
        return all(worker.status.state not in NO_THREAD for worker in self.workers)

    @_alone
    def start(self) -> str:
        """Start every worker that is not running; a new worker replaces a dead one."""
        if self._closed:
            return ENDED
        if self._is_stepping():
            return "worker: in a step; start it when the step has ended"
        if not (resting := [worker for worker in self.workers if worker.status.state in NO_THREAD]):
            return "worker: paused: press Resume" if self.state == "paused" else "worker: started already"
        for worker in resting:
            self._alive(worker).start()
        return self._both("started")

    @_alone
    def pause(self) -> str:
        """Let the workers claim no further task."""
        if not (running := self._running()):
            return "worker: not started, so there is nothing to pause"
        for worker in running:
            worker.pause()
        return "worker: pauses; a task that runs goes on"

    @_alone
    def resume(self) -> str:
        """Let paused workers claim tasks again."""
        if self._is_stepping():
            return "worker: in a step; resume it when the step has ended"
        if not (paused := [worker for worker in self._running() if worker.status.pausing]):
            return "worker: not paused, so there is nothing to resume"
        for worker in paused:
            worker.resume()
        return self._both("resumed")

    @_alone
    def step(self) -> str:
        """Run one task on a thread of its own: a payment takes seconds, and a click must not."""
        if self._is_stepping():
            return "worker: still in the last step"
        if any(status.task or not status.pausing for status in [worker.status for worker in self._running()]):
            return "worker: works by itself; pause or stop it, then step"
        worker = self._alive(self.workers[0])
        self._step = threading.Thread(
            target=self._take_step, args=(worker,), name=f"{self._name} worker-step", daemon=True
        )
        return "worker: takes one step"

    @_alone
    def go(self) -> None:
        """Start the step that a click requested; after the click's own text, which would overwrite the step's."""
        if self._step is not None and self._step.ident is None and not self._closed:
            self._step.start()

    @_alone
    def stop(self) -> str:
        """Ask the workers' threads to end after their present tasks."""
        if not (running := self._running()):
            return "worker: not started, so there is nothing to stop"
        for worker in running:
            worker.stop(timeout=0)
        return "worker: stops; a task that runs is brought to its end"

    @_alone
    def crash(self) -> str:
        """Kill the worker that holds a task, or the first one that runs."""
        if file_of(self._queue.engine) is None:
            return ON_A_SERVER
        worker = self._holder() or next(iter(self._running()), None)
        if worker is None:
            return "worker: not started, so there is nothing to kill"
        task = worker.status.task
        text = f"{worker.name.removeprefix(self._name).strip()}: {worker.kill()}"
        if task is None:
            return text
        return f"{text}; the task stays running until its lease runs out, and then needs another worker"

    @_alone
    def zombie(self) -> str:
        """Stall the worker with a task until another worker was given the task; the next click wakes it."""
        if self._closed:
            return ENDED
        if file_of(self._queue.engine) is None:
            return ON_A_SERVER
        if frozen := next((worker for worker in self.workers if worker.frozen), None):
            frozen.thaw()
            return "worker: comes back at once, whoever has its task"
        if (worker := self._holder()) is None:
            return "worker: holds no task; start it on one, then make it a zombie"
        task = worker.status.task
        worker.freeze()
        self.set_count(2)
        for other in self.workers:
            if other is not worker and other.status.state in NO_THREAD:
                self._alive(other).start()
        return f"worker: stands still with task {task.id if task else '?'}; another one may have it after the lease"

    @_alone
    def set_count(self, count: int) -> str:
        """Set the number of workers, 1 or 2; a second one starts if the first runs, and ends after its present task."""
        if len(self.workers) == count:
            return f"workers: {count}"
        if count == 1:
            former = self.workers[1]
            self.workers = self.workers[:1]  # a new list: the watcher may be in the old one
            self._former.append(former)
            former.stop(timeout=0)
            return "workers: 1; the other one ends after its task"
        second = self._hire(2)
        running = bool(self._running())
        self.workers = [*self.workers, second]
        if running and not self._closed:
            second.start()
        return "workers: 2"

    @_alone
    def renew(self) -> None:
        """Replace all workers, whatever they do, with one that is stopped."""
        for worker in self.workers:
            if worker.status.task and file_of(self._queue.engine) is not None:
                worker.kill()  # its result is of a shop that is gone
            worker.stop(timeout=0)
        self._former += self.workers
        self.workers = [self._hire(1)]

    def close(self, timeout: float) -> None:
        """End every thread. May be called twice."""
        with self._lock:
            self._closed = True  # whoever clicks from now on starts nothing
            everybody = [*self.workers, *self._former]
        for worker in everybody:
            worker.thaw()
            worker.stop(timeout=0)
        for worker in everybody:
            worker.stop(timeout)
        if self._step is not None and self._step.ident is not None:
            self._step.join(timeout)

    def _hire(self, number: int) -> KillableWorker:
        name = f"{self._name} worker" if number == 1 else f"{self._name} worker {number}"
        return KillableWorker(self._queue, name, self._refused)

    def _alive(self, worker: KillableWorker) -> KillableWorker:
        """The worker, or the one that takes its place if it is dead."""
        if worker.end is None:
            return worker
        place = self.workers.index(worker)
        hired = self._hire(place + 1)
        self._former.append(worker)
        self.workers = [hired if other is worker else other for other in self.workers]
        return hired

    def _running(self) -> list[KillableWorker]:
        return [worker for worker in self.workers if worker.status.state not in NO_THREAD]

    def _holder(self) -> KillableWorker | None:
        """A worker with a task in its hands, one in a step included."""
        return next((worker for worker in self.workers if worker.status.task), None)

    def _both(self, what: str) -> str:
        return f"worker: {what}" if len(self.workers) == 1 else f"workers: {what}"

    def _is_stepping(self) -> bool:
        return self._step is not None and self._step.is_alive()

    def _take_step(self, worker: KillableWorker) -> None:
        try:
            if not worker.step():
                self._say(f"{worker.name}: no task is due")
        except Killed:
            return
        except BaseException as error:  # nothing may get out of a thread: it would surface in a stranger's cell
            self._say(f"{worker.name}: {plain(error)}")
