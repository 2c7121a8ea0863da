"""The kill harness: processes on one file, killed at random moments, or before each step of what they do.

    print(random_kills(path, "inverted", seconds=60))
    print(step_kills(path, "inverted"))

Not covered: power cuts. A killed process loses nothing that it had handed to the system.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from taskref_edu import TaskQueue, Worker, writing

from . import processes
from .payments import Approach, Audit, audit, left, open_queue, open_shop, order_and_pay

ALIVE = 0.15  # seconds between two kills, on average


@dataclass(frozen=True)
class Kills:
    """What was killed, how often, and what was found afterwards."""

    kills: int
    seconds: float
    found: Audit
    where: dict[str, int] = field(default_factory=dict)

    def row(self) -> list[object]:
        """As a line of the report."""
        figures = [self.kills, self.found.tasks, self.found.reruns, self.found.lost, self.found.twice]
        bad = self.found.half + self.found.dangling + self.found.orphans
        return [*(f"{figure:,}" for figure in (*figures, bad)), f"{self.seconds:.0f}"]


HEADS = ["kills", "tasks", "reruns", "lost", "twice", "dangling, orphaned or half", "seconds"]


def random_kills(path: Path, approach: Approach, seconds: float, workers: int = 3, lease: float = 0.5) -> Kills:
    """Workers and a producer, one of them killed every now and then; in the end the workers run what is left."""
    begun, engine, killed = time.monotonic(), open_shop(path, approach), Counter[str]()
    jobs: dict[str, tuple[Any, ...]] = {
        f"worker {number}": (processes.work, path, approach, lease, 0.01) for number in range(workers)
    }
    jobs["producer"] = (processes.produce, path, approach, lease)
    running = {name: processes.start(*job) for name, job in jobs.items()}
    try:
        _until_work_has_begun(engine)
        end = time.monotonic() + seconds
        while time.monotonic() < end or not killed:
            time.sleep(random.expovariate(1 / ALIVE))
            name = random.choice(list(jobs))
            _kill(running[name])
            running[name] = processes.start(*jobs[name])
            killed[name] += 1
            if killed.total() % 10 == 0:  # rarely: it looks at every row
                must_hold(audit(engine, approach))
        _kill(running.pop("producer"))
        until_all_have_ended(engine, 60 + lease)
    finally:
        for process in running.values():
            _kill(process)
        found = audit(engine, approach)
        engine.dispose()
    return Kills(killed.total(), time.monotonic() - begun, found, dict(killed))


def step_kills(path: Path, approach: Approach, paths: Iterable[str] = processes.PATHS, lease: float = 0.3) -> Kills:
    """One death before each statement of each path, and what is left is run by a worker of this process."""
    begun, engine, died = time.monotonic(), open_shop(path, approach), dict[str, int]()
    queue = open_queue(engine, approach, lease)
    for name in paths:
        died[name] = 0
        while _dies(queue, approach, name, path, died[name] + 1):
            died[name] += 1
        with Worker(queue):  # the next path begins with nothing left
            until_all_have_ended(engine, 60 + lease)
    found = audit(engine, approach)
    engine.dispose()
    return Kills(sum(died.values()), time.monotonic() - begun, found, died)


def _dies(queue: TaskQueue, approach: Approach, name: str, path: Path, at: int) -> bool:
    """Whether a process that does this path dies before statement `at`; False if it ends before it comes to it."""
    order_and_pay(queue, approach, 2)
    with writing(queue.engine) as session:
        queue.enqueue_many(session, "nothing", [None] * 2 * (name == "fused"))
    process = processes.start(processes.PATHS[name], path, approach, queue.lease, at)
    process.join(60)
    assert process.exitcode in (0, processes.KILLED), f"{name}, step {at}: exit code {process.exitcode}"
    must_hold(audit(queue.engine, approach))
    return process.exitcode != 0


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join(10)


def must_hold(found: Audit) -> None:
    assert not found.faults, f"in the middle of a run: {found}"


def _until_work_has_begun(engine: Engine) -> None:
    end = time.monotonic() + 60
    while left(engine) == 0:
        assert time.monotonic() < end, "the producer has not produced anything"
        time.sleep(0.01)


def until_all_have_ended(engine: Engine, seconds: float) -> None:
    end = time.monotonic() + seconds
    while left(engine):
        assert time.monotonic() < end, f"{left(engine)} tasks still not ended after {seconds} s"
        time.sleep(0.02)
