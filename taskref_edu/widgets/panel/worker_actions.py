"""The workers of one side of a panel, one or two, and what each click does to them.

Each method sets an event or starts a thread, and returns a sentence for the status line. It uses no widgets, and may be
called on any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Literal

from ...database.sqlite_engine import file_of
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue
from .click_transactions import plain
from .killable_worker import KillableWorker, Killed

NO_THREAD = ("stopped", "dead")
ENDED = "worker: the panel has stopped"
ON_A_SERVER = "only on a SQLite file can a worker be struck in the middle of a task"
NOT_STARTED = dict.fromkeys(("stopped", "dead"), "the worker is not started")
STARTED, IN_A_STEP = "the worker is started already", "a step is under way"
# For each verb, the states in which it can do nothing, and why.
WHY_NOT = {
    "start": {"started": STARTED, "paused": "paused: press Resume", "in a step": IN_A_STEP},
    "pause": NOT_STARTED | {"paused": "the worker is paused already", "in a step": IN_A_STEP},
    "resume": dict.fromkeys(("stopped", "dead", "started", "in a step"), "the worker is not paused"),
    "step": {"started": "the worker runs by itself: pause or stop it first", "in a step": IN_A_STEP},
    "stop": NOT_STARTED | {"in a step": IN_A_STEP},
}
ON_WORKERS = (*WHY_NOT, "crash", "zombie")


def _verb(act: Callable[[WorkerPool], str]) -> Callable[[WorkerPool], str]:
    """Runs one verb at a time, since clicks and scenarios use different threads; one that cannot act says why."""

    @wraps(act)
    def checked(pool: WorkerPool) -> str:
        with pool._lock:
            return (ENDED if pool._closed else pool.why_not(act.__name__)) or act(pool)

    return checked


class WorkerPool:
    """workers: those shown. say(text) writes to the status line; refused(task, error) reports a late result."""

    def __init__(
        self, name: str, queue: TaskQueue, say: Callable[[str], None], refused: Callable[[RunningTask, str], None]
    ) -> None:
        self._name = name
        self._queue = queue
        self._say = say
        self._refused = refused
        self._former: list[KillableWorker] = []  # replaced, perhaps still running a handler
        self._step: threading.Thread | None = None
        self._lock = threading.RLock()
        self._closed = False
        self.workers = [self._hire(1)]

    @property
    def holders(self) -> list[KillableWorker]:
        """The workers that hold a task; also one that was replaced and still runs its last task."""
        return [worker for worker in (*self.workers, *self._former) if worker.status.task]

    @property
    def state(self) -> Literal["stopped", "dead", "started", "paused", "in a step"]:
        """What the workers have been asked to do, or what has become of them."""
        if self._is_stepping():
            return "in a step"
        if not (running := self._running()):
            return "dead" if any(worker.end for worker in self.workers) else "stopped"
        return "paused" if all(worker.status.pausing for worker in running) else "started"

    @property
    def toggle(self) -> str:
        """The verb that comes next: start, pause or resume."""
        if self.state == "paused":
            return "resume"
        return "pause" if self.state == "started" and self.is_running else "start"

    @property
    def is_running(self) -> bool:
        return not self._resting()

    def why_not(self, verb: str) -> str:
        """Why the verb can do nothing now, or ""."""
        if verb in ("crash", "zombie"):
            if file_of(self._queue.engine) is None:
                return ON_A_SERVER
            if self._holder() or (verb == "crash" and self._running()):
                return ""
            return "no worker is started" if verb == "crash" else "no worker holds a task: start it on a payment first"
        state = self.state
        if verb == "start" and state == "started" and self._resting():  # one of two is dead
            return ""
        return WHY_NOT[verb].get(state, "")

    @_verb
    def start(self) -> str:
        """Start every worker that is not running; a new worker replaces a dead one."""
        for worker in self._resting():
            self._alive(worker).start()
        return self._both("started")

    @_verb
    def pause(self) -> str:
        """Let the workers claim no further task."""
        for worker in self._running():
            worker.pause()
        return "worker: pauses; a task that runs goes on"

    @_verb
    def resume(self) -> str:
        """Let paused workers claim tasks again, and start one that was added meanwhile."""
        for worker in self._running():
            worker.resume()
        for worker in self._resting():
            if worker.end is None:
                worker.start()
        return self._both("resumed")

    @_verb
    def step(self) -> str:
        """Run one task on a thread of its own: a payment takes seconds, and a click must return at once."""
        if any(worker.status.task for worker in self._running()):
            return "the paused worker still runs a task: step when it has ended"
        worker = self._alive(self.workers[0])
        self._step = threading.Thread(
            target=self._take_step, args=(worker,), name=f"{self._name} worker-step", daemon=True
        )
        return "worker: takes one step"

    def go(self) -> None:
        """Start the step that a click requested; called after the click's text, so that the step's text replaces it."""
        with self._lock:
            if self._step is not None and self._step.ident is None and not self._closed:
                self._step.start()

    @_verb
    def stop(self) -> str:
        """Ask the workers' threads to end after their present tasks."""
        for worker in self._running():
            worker.stop(timeout=0)
        return "worker: stops; a task that runs is brought to its end"

    @_verb
    def crash(self) -> str:
        """Kill the worker that holds a task, or the first one that runs."""
        worker = self._holder() or self._running()[0]
        task = worker.status.task
        text = f"{worker.name.removeprefix(self._name).strip()}: {worker.kill()}"
        if task is None:
            return text
        return f"{text}; the task stays running until its lease runs out, and then needs another worker"

    @_verb
    def zombie(self) -> str:
        """Stall the worker with a task until another worker was given the task; the next click wakes it."""
        if frozen := next((worker for worker in self.workers if worker.frozen), None):
            frozen.thaw()
            return "worker: comes back at once, whoever has its task"
        if (worker := self._holder()) is None or (task := worker.status.task) is None:
            return self.why_not("zombie")  # its task has just ended
        worker.freeze()
        self.set_count(2)
        for other in self._resting():
            self._alive(other).start()
        return f"worker: stands still with task {task.id}; another one may have it after the lease"

    def set_count(self, count: int) -> str:
        """Set the number of workers, 1 or 2; a second one starts if the first claims tasks."""
        with self._lock:
            if len(self.workers) == count:
                return f"workers: {count}"
            if count == 1:
                first, former = self.workers
                self.workers = [first]  # a new list: the watcher may be iterating over the old one
                self._former.append(former)
                former.stop(timeout=0)
                return "workers: 1; the other one ends after its task"
            second, claims = self._hire(2), self.state == "started"
            self.workers = [*self.workers, second]
            if claims and not self._closed:
                second.start()
            return "workers: 2"

    def renew(self) -> None:
        """Replace all workers, whatever they do, with as many that are stopped."""
        with self._lock:
            for worker in self.workers:
                if worker.status.task and file_of(self._queue.engine) is not None:
                    worker.kill()  # its task no longer exists
                worker.stop(timeout=0)
            self._former += self.workers
            self.workers = [self._hire(number) for number in range(1, len(self.workers) + 1)]

    def close(self, timeout: float) -> None:
        """End every thread. May be called twice."""
        with self._lock:
            self._closed = True  # later clicks start nothing
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
        """The worker, or a new one in its place if it is dead."""
        if worker.end is None:
            return worker
        place = self.workers.index(worker)
        hired = self._hire(place + 1)
        self._former.append(worker)
        self.workers = [hired if other is worker else other for other in self.workers]
        return hired

    def _resting(self) -> list[KillableWorker]:
        return [worker for worker in self.workers if worker.status.state in NO_THREAD]

    def _running(self) -> list[KillableWorker]:
        return [worker for worker in self.workers if worker.status.state not in NO_THREAD]

    def _holder(self) -> KillableWorker | None:
        """A worker that holds a task, one in a step included."""
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
        except BaseException as error:  # an error printed by a thread would appear in an unrelated cell
            self._say(f"{worker.name}: {plain(error)}")
