"""Everybody at once on one file: workers, producers, a client that cancels, and the panel's reader.

Each actor says in the end what went wrong, and how long it waited for its turn to write; the longest wait of all is
what fairness means here, since SQLite lets writers wait by asking again, without a queue.

Not covered: throughput, which `benchmarks/` measures.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection as PipeConnection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import col, select

from taskref_edu import Order, Task, TaskQueue, Worker, inverted, open_database, reading, writing
from taskref_edu.database.observed_connection import ObservedConnection
from taskref_edu.database.sqlite_engine import observers_of

from .processes import start

ORDERS = 2_000


@dataclass
class Said:
    """What an actor saw."""

    acts: int = 0
    errors: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)  # seconds, one for each turn to write


class Turns:
    """An observer that takes the time of each BEGIN IMMEDIATE: how long a writer waited for the others."""

    def __init__(self, said: Said) -> None:
        self._said = said

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        if sql != "BEGIN IMMEDIATE":
            return run()
        begun = time.monotonic()
        try:
            return run()
        finally:
            self._said.waits.append(time.monotonic() - begun)


@contextmanager
def actor(path: Path, line: PipeConnection) -> Iterator[tuple[Engine, Said, float]]:
    """An engine as anybody opens it, watched; all begin together, work until a given time, and say what they saw."""
    engine, said = open_database(path), Said()
    with observers_of(engine).attached(Turns(said)):
        line.send("ready")
        yield engine, said, line.recv()
    engine.dispose()
    line.send(said)


def workers(path: Path, line: PipeConnection, threads: int) -> None:
    """One process with so many worker threads."""
    with actor(path, line) as (engine, said, until):
        queue = TaskQueue(engine)
        queue.handler("process_payment")(inverted.process_payment)
        crew = [Worker(queue, name=f"worker {number}") for number in range(threads)]
        for worker in crew:
            worker.start()
        while time.monotonic() < until:
            time.sleep(0.05)
            said.errors |= {error for worker in crew if (error := worker.status.error)}
        said.acts = sum(worker.status.done for worker in crew)
        for worker in crew:
            worker.stop()


def producer(path: Path, line: PipeConnection, pause: float) -> None:
    """A client that pays an order in each transaction, if it is not in process."""
    with actor(path, line) as (engine, said, until):
        queue = TaskQueue(engine)
        _repeat(said, until, pause, lambda: _pay(queue))


def canceller(path: Path, line: PipeConnection, pause: float) -> None:
    """A client that cancels what it finds in process."""
    with actor(path, line) as (engine, said, until):
        queue = TaskQueue(engine)
        _repeat(said, until, pause, lambda: _cancel(queue))


def panel(path: Path, line: PipeConnection, pause: float) -> None:
    """What the panel does: it reads the newest rows of both tables, and how many there are."""
    with actor(path, line) as (engine, said, until):
        queue = TaskQueue(engine)
        _repeat(said, until, pause, lambda: _look(queue))


def _repeat(said: Said, until: float, pause: float, act: Callable[[], object]) -> None:
    while time.monotonic() < until:
        try:
            act()
            said.acts += 1
        except Exception as error:  # whatever reaches a caller is what this run looks for
            said.errors.add(f"{type(error).__name__}: {error}")
        time.sleep(random.uniform(0.5, 1.5) * pause)


def _pay(queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        order = session.get_one(Order, random.randint(1, ORDERS))
        inverted.enqueue_payment_once(session, queue, order)


def _cancel(queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        if orders := inverted.orders_in_process(session):
            inverted.cancel_payment(session, queue, random.choice(orders))


def _look(queue: TaskQueue) -> None:
    with reading(queue.engine) as session:
        for model in (Task, Order):
            session.exec(select(model).order_by(col(model.id).desc()).limit(50)).all()
        queue.counts(session)
        inverted.orders_in_process(session)


@dataclass(frozen=True)
class Load:
    """What all actors saw together. Times in seconds, sizes in bytes."""

    seconds: float
    tasks: int
    cancelled: int
    reads: int
    errors: set[str]
    turns: int
    longest_wait: float
    longest_wait_of_a_worker: float
    latencies: list[float]  # from enqueue to start, sorted
    largest_wal: int

    def latency(self, part: float) -> float:
        """The latency that so many of the tasks stayed below: .99 for p99."""
        return self.latencies[min(int(len(self.latencies) * part), len(self.latencies) - 1)]


def load(path: Path, seconds: float, pause: float) -> Load:
    """2 worker threads, 2 worker processes, 4 producers, one who cancels, one who reads; `pause` between two acts."""
    engine = open_database(path)
    with writing(engine) as session:
        session.add_all([Order(id=number, customer="x", amount=1) for number in range(1, ORDERS + 1)])
    jobs = [(workers, 2), (workers, 1), (workers, 1), *[(producer, pause)] * 4, (canceller, 0.05), (panel, 0.1)]
    crew = [_start(job, path, setting) for job, setting in jobs]
    for _, line in crew:
        line.recv()
    until, largest = time.monotonic() + seconds, 0
    for _, line in crew:
        line.send(until)
    while time.monotonic() < until:
        time.sleep(0.1)
        largest = max(largest, wal_size(path))
    said = [line.recv() for _, line in crew]
    for process, _ in crew:
        process.join(20)
    with reading(engine) as session:
        took = "SELECT (julianday(started_at) - julianday(created_at)) * 86400 FROM task WHERE attempt = 1 ORDER BY 1"
        latencies = list(session.execute(text(took)).scalars())
        tasks = session.execute(text("SELECT count(*) FROM task")).scalar_one()
        cancelled = session.execute(text("SELECT count(*) FROM task WHERE status = 'cancelled'")).scalar_one()
    engine.dispose()
    waits = [max(each.waits, default=0.0) for each in said]
    return Load(
        seconds=seconds,
        tasks=tasks,
        cancelled=cancelled,
        reads=said[-1].acts,
        errors=set().union(*(each.errors for each in said)),
        turns=sum(len(each.waits) for each in said),
        longest_wait=max(waits),
        longest_wait_of_a_worker=max(waits[:3]),
        latencies=latencies,
        largest_wal=largest,
    )


def _start(job: Callable[..., None], path: Path, setting: float) -> tuple[BaseProcess, PipeConnection]:
    ours, theirs = Pipe()
    return start(job, path, theirs, setting), ours


def wal_size(path: Path) -> int:
    """The size of the write-ahead log beside the file."""
    with suppress(FileNotFoundError):
        return path.with_name(path.name + "-wal").stat().st_size
    return 0
