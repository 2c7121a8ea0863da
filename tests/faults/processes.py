"""The processes that are killed. A fork server starts them: an interpreter for each would take most of a run.

Not covered: Windows, which has neither SIGKILL nor SIGSTOP.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as PipeConnection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from taskref_edu import Worker, open_database, writing
from taskref_edu.database.observed_connection import ObservedConnection, Observers
from taskref_edu.database.sqlite_engine import observers_of
from taskref_edu.queue.running_task import RunningTask

from .payments import APPROACHES, PAYMENT, Approach, left, open_queue, open_shop, order_and_pay, paying, paying_by_hand

KILLED = -9  # by SIGKILL; its name is missing on Windows, where this is only imported
BACKLOG = 300  # tasks that a producer keeps waiting


def start(job: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that runs job(*arguments)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    process = context.Process(target=job, args=arguments, daemon=True)
    process.start()
    return process


class Dies:
    """An observer that kills its own process before statement number `at`."""

    def __init__(self, at: int) -> None:
        self._left = at

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return run()


def work(path: Path, approach: Approach, lease: float, slow: float) -> None:
    """A worker that goes on until it is killed."""
    Worker(open_queue(open_shop(path, approach), approach, lease, slow)).start()
    while True:
        signal.pause()


def poisoned(path: Path, approach: Approach, lease: float) -> None:
    """A worker whose handler takes the whole process with it, as a segmentation fault would."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    queue.handler(PAYMENT)(lambda task: os.kill(os.getpid(), signal.SIGKILL))
    worker = Worker(queue)
    while True:
        worker.step()
        time.sleep(0.01)


def produce(path: Path, approach: Approach, lease: float) -> None:
    """A client that goes on until it is killed: an order and its payment in each transaction."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    while True:
        if left(queue.engine) > BACKLOG:
            time.sleep(0.05)
        for _ in range(50):
            order_and_pay(queue, approach)


def sleepy(path: Path, approach: Approach, lease: float, where: str, line: PipeConnection) -> None:
    """A worker whose first payment tells where it is and waits for an answer; then it tells what went wrong."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    told: list[int] = []

    def wait(task: RunningTask) -> None:
        if not told:
            told.append(task.id)
            line.send(task.id)
            line.recv()

    handler = paying(approach, wait)
    if where == "inside completing":
        handler = paying(approach, lambda task: None, before_commit=wait)
    elif where == "before a completion by hand":
        handler = paying_by_hand(approach, wait)
    queue.handler(PAYMENT)(handler)
    worker = Worker(queue)
    worker.start()
    while worker.status.error is None:
        time.sleep(0.01)
    line.send(worker.status.error)
    while True:
        signal.pause()


# What dies before its statement number `at`, or ends well if there is no such statement.


def thread(path: Path, approach: Approach, lease: float, at: int, type: str = PAYMENT) -> None:
    """A worker's thread runs two tasks."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    worker, ran, handler = Worker(queue), list[int](), queue.handlers.of(type)

    def ends_after_two(task: RunningTask) -> None:
        handler(task)
        ran.append(task.id)
        if len(ran) == 2:
            worker.stop()

    queue.handler(type)(ends_after_two)
    with observers_of(queue.engine).attached(Dies(at)):
        worker.start()
        while worker.status.state != "stopped":
            time.sleep(0.001)


def fused(path: Path, approach: Approach, lease: float, at: int) -> None:
    """The same with handlers that leave the completion to the worker: handing in and claiming are one transaction."""
    thread(path, approach, lease, at, "nothing")


def step(path: Path, approach: Approach, lease: float, at: int) -> None:
    """A worker runs a task on the calling thread."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    with observers_of(queue.engine).attached(Dies(at)):
        Worker(queue).step()


def enqueue(path: Path, approach: Approach, lease: float, at: int) -> None:
    """A client enqueues a payment with its order."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    with observers_of(queue.engine).attached(Dies(at)):
        order_and_pay(queue, approach)


def cancel(path: Path, approach: Approach, lease: float, at: int) -> None:
    """A client cancels a payment, and says so at the order."""
    queue = open_queue(open_shop(path, approach), approach, lease)
    with observers_of(queue.engine).attached(Dies(at)), writing(queue.engine) as session:
        order = APPROACHES[approach].orders_in_process(session)[-1]
        order.customer = "cancelled"
        APPROACHES[approach].cancel_payment(session, queue, order)


def opening(path: Path, approach: Approach, at: int) -> None:
    """A program opens a database that is not there yet."""

    class Watched(Observers):
        def __init__(self) -> None:
            super().__init__()
            self.active = (Dies(at),)

    with patch("taskref_edu.database.sqlite_engine.Observers", Watched):
        open_database(path, schema=approach)  # type: ignore[arg-type]


PATHS: dict[str, Callable[..., None]] = {job.__name__: job for job in (thread, fused, step, enqueue, cancel)}
