"""A worker process is stopped past its lease, another worker finishes its task, and then it wakes up."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine

from taskref_edu import Task, TaskQueue, TaskStatus, Worker, open_database, reading
from tests.conftest import until

from . import processes
from .payments import APPROACHES, audit, left, open_queue, open_shop, order_and_pay

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP on Windows"),
]
LEASE = 0.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@contextmanager
def stopped_worker(path: Path, approach: str, where: str) -> Iterator[tuple[int, Connection]]:
    """A worker process that has claimed a payment and was stopped there: its id, and a line to it."""
    ours, theirs = multiprocessing.Pipe()
    process = processes.start(processes.sleepy, path, approach, LEASE, where, theirs)
    try:
        assert ours.poll(30)
        ours.recv()
        assert process.pid
        os.kill(process.pid, signal.SIGSTOP)
        yield process.pid, ours
    finally:
        process.kill()
        process.join()


def only_task(engine: Engine) -> Task:
    with reading(engine) as session:
        return session.get_one(Task, 1)


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("where", ["before completing", "before a completion by hand"])
def test_a_worker_that_wakes_up_late_is_refused_and_goes_on(path: Path, approach: str, where: str) -> None:
    engine = open_shop(path, approach)
    queue = open_queue(engine, approach, LEASE)
    order_and_pay(queue, approach)
    with stopped_worker(path, approach, where) as (zombie, line):
        with Worker(queue):
            until(lambda: not left(engine))
        line.send("go on")
        os.kill(zombie, signal.SIGCONT)
        assert line.poll(10)
        assert "lease token 1 is stale, 2 was given out since; drop this result" in line.recv()
        order_and_pay(queue, approach, 5)
        until(lambda: not left(engine))
    found = audit(engine, approach)
    assert (found.tasks, found.reruns, found.faults) == (6, 1, {})
    engine.dispose()


def test_one_that_is_stopped_while_it_holds_the_write_lock_keeps_its_task(path: Path) -> None:
    """Nobody can take the task over, so the completion counts although the lease is over; the others wait."""
    engine = open_shop(path, "inverted")
    order_and_pay(open_queue(engine, "inverted", LEASE), "inverted")
    hasty = open_database(path, timeout=0.1)
    with stopped_worker(path, "inverted", "inside completing") as (zombie, line):
        time.sleep(LEASE)
        with Worker(TaskQueue(hasty)) as other:
            until(lambda: other.status.state == "blocked")
            assert "database is locked" in (other.status.error or "")
            line.send("go on")
            os.kill(zombie, signal.SIGCONT)
            until(lambda: only_task(engine).status is TaskStatus.SUCCEEDED)
            until(lambda: other.status.state == "idle")
    assert only_task(engine).attempt == 1
    assert audit(engine, "inverted").faults == {}
    engine.dispose()
    hasty.dispose()
