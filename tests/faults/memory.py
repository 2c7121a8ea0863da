"""Does a worker grow? Resident memory of a process that enqueues and runs very many tasks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection as PipeConnection
from pathlib import Path

import psutil

from taskref_edu import TaskQueue, Worker, open_database, reading, writing

from .processes import start

CHUNK = 1_000


@dataclass(frozen=True)
class Memory:
    """Resident bytes after the first tenth of the tasks, when all caches are full, and after all of them."""

    tasks: int
    seconds: float
    early: int
    late: int
    database: int


def memory(path: Path, tasks: int) -> Memory:
    """Run so many tasks on a worker's thread, in a process of its own."""
    begun = time.monotonic()
    ours, theirs = Pipe()
    process = start(_run, path, tasks, theirs)
    early, late = ours.recv(), ours.recv()
    process.join(20)
    return Memory(tasks, time.monotonic() - begun, early, late, path.stat().st_size)


def _run(path: Path, tasks: int, line: PipeConnection) -> None:
    engine = open_database(path)
    queue, this = TaskQueue(engine), psutil.Process()
    queue.handler("work")(lambda task: None)
    with Worker(queue) as worker:
        for number in range(0, tasks, CHUNK):
            with writing(engine) as session:
                queue.enqueue_many(session, "work", [{"number": number + place} for place in range(CHUNK)])
            while worker.status.done < number:  # one chunk waits while another one is run
                time.sleep(0.002)
            if number == max(tasks // 10, CHUNK):
                line.send(this.memory_info().rss)
        while worker.status.done < tasks:
            time.sleep(0.002)
        line.send(this.memory_info().rss)
        with reading(engine) as session:
            assert set(queue.counts(session).values()) == {0, tasks}
