"""What the state machine compares the queue with: a task, and a program that works on tasks, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from taskref_edu import Task, TaskQueue, TaskStatus
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import Clock

PENDING, RUNNING = TaskStatus.PENDING, TaskStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED
LEASE = 10.0
BEGINNING = Clock().time


@dataclass
class Model:
    """A task as the model knows it: plain values, no database. Times are seconds since the clocks' first reading."""

    due: float
    max_attempts: int
    order: int | None
    status: TaskStatus = PENDING
    attempt: int = 0
    token: int = 0
    lease_end: float = 0.0
    asked: bool = False
    ended: float = 0.0

    @property
    def live(self) -> bool:
        return self.status in (PENDING, RUNNING)

    def claim(self, now: float) -> None:
        self.status, self.lease_end = RUNNING, now + LEASE
        self.attempt += 1
        self.token += 1

    def end(self, status: TaskStatus, now: float) -> None:
        self.status, self.ended = status, now

    def cancel(self, now: float) -> None:
        self.asked = self.asked or self.live
        if self.status is PENDING:
            self.end(CANCELLED, now)

    def give_up(self, now: float, later: float, retry: bool = True) -> None:
        if self.asked:
            self.end(CANCELLED, now)
        elif retry and self.attempt < self.max_attempts:
            self.status, self.due = PENDING, later
        else:
            self.end(FAILED, now)

    def row(self) -> tuple[object, ...]:
        """What its row must say."""
        moment = {PENDING: self.due, RUNNING: self.lease_end}.get(self.status, self.ended)
        return self.status, self.attempt, self.token, self.asked, moment


@dataclass
class WorkerOrClient:
    """A program with a connection and a clock of its own."""

    name: str
    queue: TaskQueue
    clock: Clock
    leases: list[RunningTask] = field(default_factory=list)  # all that it ever got and has not forgotten

    @property
    def now(self) -> float:
        return seconds(self.clock())


def seconds(moment: datetime) -> float:
    return (moment - BEGINNING).total_seconds()


def row_of(task: Task) -> tuple[object, ...]:
    moment = {PENDING: task.available_at, RUNNING: task.lease_expires_at}.get(task.status, task.finished_at)
    return task.status, task.attempt, task.lease_token, task.cancel_requested_at is not None, moment and seconds(moment)
