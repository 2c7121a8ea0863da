"""The worker: claim a task, run its handler, record how it ended; on a thread, or one step at a time.

Neither a handler nor the database can end the thread: a handler's error fails the attempt; a locked or missing
database is reported and tried again. A handler runs outside any transaction of ours.

Not covered: several handlers at a time (start more workers). Waiting is in `wakeup.py`, the lease in `heartbeat.py`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Literal

from ..arguments import expect, expect_seconds
from ..errors import WorkerBusy
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from .attempt import AttemptProblem, Complete, complete_alone, describe, run_attempt
from .claims import ReclaimTimer, TaskFetcher
from .database_backoff import SHORTEST_DELAY, Backoff
from .heartbeat import Heartbeat
from .wakeup import WakeUp

# stopped: no thread. blocked: the database does not answer. unresponsive: a task was asked to stop but goes on, or
# stop() timed out. dead: the thread ended although nobody stopped it.
State = Literal["stopped", "idle", "busy", "paused", "blocked", "unresponsive", "dead"]


@dataclass(frozen=True)
class WorkerStatus:
    """What a worker is doing: `since` is a time of time.monotonic(), `error` the latest error.

    `pausing`, `stopping`: it was asked to, and will do so when its present task has ended.
    """

    state: State
    task: RunningTask | None
    since: float
    done: int
    error: str | None
    pausing: bool = False
    stopping: bool = False


# Beside a handler that computes, an enqueue takes 33 to 39 ms with Python's 5 ms, and 5 to 7 ms with 1 ms; a queue is
# drained as fast (docs/decisions/0015).
SWITCH_INTERVAL = 0.001  # seconds


class ShorterSwitchInterval:
    """Python's switch interval, shortened while any worker's thread runs; the last one restores what the first found.

    A thread that computes keeps the interpreter for one interval each time another thread wants it, and an enqueue
    wants it about ten times.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._before = self._set = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, SWITCH_INTERVAL))
                self._set = sys.getswitchinterval()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads and sys.getswitchinterval() == self._set:  # unless somebody else has changed it since
                sys.setswitchinterval(self._before)


_shorter_switch_interval = ShorterSwitchInterval()


class Worker:
    """Runs the tasks of one queue, one at a time.

    poll: seconds between two polls of a file for commits of other processes.
    patience: seconds after which the worker is called unresponsive if its task was asked to stop and goes on.

    A subclass may override two methods: `working()` and `finished()`.
    """

    def __init__(self, queue: TaskQueue, *, name: str = "worker", poll: float = 0.01, patience: float = 2.0) -> None:
        expect(queue, TaskQueue, "a TaskQueue")
        expect(name, str, "a name as text")
        expect_seconds("poll", poll, 0.001)
        expect_seconds("patience", patience)
        self.queue = queue
        self.name = name
        self._patience = patience
        self._thread: threading.Thread | None = None
        self.heartbeat = Heartbeat(queue, name)
        self._wake_up = WakeUp(queue, poll)
        self._reclaim_timer = ReclaimTimer()
        self._next: RunningTask | None = None  # claimed together with the last completion, not started yet
        self._stopping = threading.Event()
        self._pausing = threading.Event()
        # Set by the thread itself: if pause() comes just after it checked `_pausing`, it still claims one more task.
        self._paused = threading.Event()
        self._task: RunningTask | None = None
        self._since = time.monotonic()
        self._done = 0
        self._error: str | None = None
        self._blocked = self._stop_timed_out = False

    # Control, from any thread

    def start(self) -> None:
        """Start the thread, unless it runs. Raises WorkerBusy if a thread that was stopped still runs a task."""
        if self._thread is not None and self._thread.is_alive():
            if self._stopping.is_set():
                raise WorkerBusy(f"{self._thread.name} was stopped and is still in {self._task}: start another Worker")
            return
        self._stopping.clear()
        self._pausing.clear()
        self._stop_timed_out = self._blocked = False
        self._error = None
        self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
        try:
            self._thread.start()
        except BaseException:  # the system allows no more threads
            self._thread = None
            raise

    def stop(self, timeout: float = 5.0) -> bool:
        """Let the thread end after its present task; whether it ended within `timeout` seconds (0: do not wait)."""
        expect_seconds("timeout", timeout)
        self._stopping.set()
        self._wake_up.signal.set()
        if self._thread is None or self._thread is threading.current_thread():
            return self._thread is None
        self._thread.join(timeout)
        alive = self._thread.is_alive()
        self._stop_timed_out = alive and timeout > 0
        return not alive

    def pause(self) -> None:
        """Claim no further task until resume(); a running task goes on."""
        self._pausing.set()
        self._wake_up.signal.set()

    def resume(self) -> None:
        """Claim tasks again."""
        self._pausing.clear()
        self._wake_up.signal.set()

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def status(self) -> WorkerStatus:
        """A snapshot of what the worker is doing, for display."""
        task = self._task
        pausing, stopping = self._pausing.is_set(), self._stopping.is_set()
        return WorkerStatus(self._state(task), task, self._since, self._done, self._error, pausing, stopping)

    # Work, on the calling thread

    def step(self) -> bool:
        """Claim and run one task on the calling thread; False if none was due. There is no heartbeat.

        Raises WorkerBusy while the worker's own thread runs a task or may claim one.
        """
        return bool(self._run_here(limit=1))

    def run_until_idle(self) -> int:
        """Run tasks on the calling thread until none is due; return how many. Does not wait for retries due later.

        There is no heartbeat. Raises as step() does.
        """
        return self._run_here(limit=None)

    # For subclasses

    def working(self) -> AbstractContextManager[object]:
        """Entered by each thread that runs this worker's tasks: its own, and that of step(). Left when they have run.

        Override it to set something up for that thread.
        """
        return nullcontext()

    def finished(self, task: RunningTask, error: BaseException | None) -> None:
        """Called after each attempt; error: the handler's, or StaleLease for a result that came too late, or None.

        Override it to be notified.
        """

    # Inside

    def _run_here(self, limit: Literal[1] | None) -> int:
        if self._thread is not None and self._thread.is_alive() and not self._is_paused():
            raise WorkerBusy(f"{self.name} runs on its own thread: pause() or stop() it before step()")
        count = 0
        with self.working(), closing(TaskFetcher(self.queue, self._reclaim_timer)) as fetcher:
            complete = self._completing(fetcher, goes_on=lambda: limit is None)
            while count != limit and (task := self._take(fetcher)):
                count += 1
                self._run(task, complete)
        return count

    def _loop(self) -> None:
        fetcher, backoff = TaskFetcher(self.queue, self._reclaim_timer), Backoff()
        complete = self._completing(fetcher, goes_on=lambda: not self._pause_requested())
        with closing(fetcher), closing(self._wake_up), _shorter_switch_interval, self.working(), self.heartbeat:
            while self._next or not self._stopping.is_set():
                try:
                    self._iteration(fetcher, complete)
                    self._blocked = False
                    backoff.reset()
                except BaseException as error:  # only stop() may end this thread
                    delay = backoff.delay_after(error)
                    self._report_blocked(f"{describe(error)} (next try in {delay:.1f} s)")
                    self._wake_up.close()
                    fetcher.close()
                    self._stopping.wait(delay)

    def _iteration(self, fetcher: TaskFetcher, complete: Complete) -> None:
        if self._next is None and self._pausing.is_set():
            self._wait_while_paused()
        elif task := self._take(fetcher):
            self._run(task, complete)
        else:
            self._blocked = False  # the database has answered, and the wait below may be long
            self._wake_up.wait(self._pause_requested)

    def _wait_while_paused(self) -> None:
        """Claim nothing until resume() or stop()."""
        self._blocked = False  # while paused, only the file is checked
        self._paused.set()
        try:
            while self._pausing.is_set() and not self._stopping.is_set():
                self._wake_up.signal.wait(SHORTEST_DELAY)
                self._wake_up.signal.clear()
                self._wake_up.check_file()
        finally:
            self._paused.clear()

    def _take(self, fetcher: TaskFetcher) -> RunningTask | None:
        """The task that was claimed together with the last completion, or a new claim."""
        task, self._next = self._next, None
        return task or fetcher.claim()

    def _completing(self, fetcher: TaskFetcher, goes_on: Callable[[], bool]) -> Complete:
        """A function that records a task's success; if `goes_on()`, it claims the next one in the same transaction."""

        def complete(task: RunningTask) -> AttemptProblem | None:
            try:
                problem, self._next = fetcher.complete(task, and_claim=goes_on())
                return problem
            except Exception:  # the database is locked or gone, or the claim failed: the completion must not be lost
                return complete_alone(self.queue, task, self._report_blocked)

        return complete

    def _run(self, task: RunningTask, complete: Complete) -> None:
        self._task, self._since = task, time.monotonic()
        self.heartbeat.task = task
        try:
            problem = run_attempt(self.queue, task, complete, self._report_blocked)
        finally:
            self.heartbeat.task = self._task = None
            self._blocked = False
            self._since = time.monotonic()
            self._done += 1
        if problem is not None:
            self._error = problem.text
        self.finished(task, problem and problem.error)

    def _report_blocked(self, why: str) -> None:
        self._error, self._blocked = why, True

    def _is_paused(self) -> bool:
        """Whether the thread is paused; if it was asked to pause and holds no task, this waits a moment for it."""
        return self._pausing.is_set() and not self._task and self._paused.wait(SHORTEST_DELAY)

    def _pause_requested(self) -> bool:
        return self._stopping.is_set() or self._pausing.is_set()

    def _state(self, task: RunningTask | None) -> State:
        if self._thread is None or not self._thread.is_alive():
            if task:  # a step() is running
                return "busy"
            return "stopped" if self._thread is None or self._stopping.is_set() else "dead"
        if task and (self._stop_timed_out or self._ignores_cancel(task)):
            return "unresponsive"
        if self._blocked:
            return "blocked"
        return "busy" if task else "paused" if self._paused.is_set() else "idle"

    def _ignores_cancel(self, task: RunningTask) -> bool:
        asked = self.heartbeat.asked_to_stop
        return asked is not None and asked[0] == task.id and time.monotonic() - asked[1] > self._patience
