"""This package as its users use it: `writing()` and `enqueue()` on one side, a `Worker` on the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import Engine, text

from taskref_edu import Order, TaskQueue, Worker, inverted, open_database, writing

PAYLOAD = {"order_id": 1}


def enqueue(queue: TaskQueue, count: int) -> float:
    """Tasks a second, each enqueued in a transaction of its own."""
    begun = time.perf_counter()
    for _ in range(count):
        with writing(queue.engine) as session:
            queue.enqueue(session, "work", PAYLOAD)
    return count / (time.perf_counter() - begun)


def enqueue_many(queue: TaskQueue, count: int) -> float:
    """Tasks a second, all in one call."""
    payloads = [PAYLOAD] * count
    begun = time.perf_counter()
    with writing(queue.engine) as session:
        queue.enqueue_many(session, "work", payloads)
    return count / (time.perf_counter() - begun)


def drain(queue: TaskQueue, count: int, type: str = "work") -> float:
    """Tasks a second that a worker's thread runs, from its start to its stop after so many."""
    left, done = [count], threading.Event()

    def nothing(task: object) -> None:
        left[0] -= 1
        if not left[0]:
            worker.stop(timeout=0)  # after this task; the thread's own completion of it still counts
            done.set()

    queue.handler(type)(nothing)
    worker = Worker(queue)
    begun = time.perf_counter()
    worker.start()
    done.wait()
    worker.stop()
    rate = count / (time.perf_counter() - begun)
    assert worker.status.error is None, worker.status.error
    return rate


def drain_here(folder: Path, count: int) -> dict[str, float]:
    """Tasks a second of `run_until_idle()`, on the calling thread."""
    engine = open_database(folder / "ours.db")
    queue = TaskQueue(engine)
    enqueue_many(queue, count)
    queue.handler("work")(lambda task: None)
    begun = time.perf_counter()
    assert Worker(queue).run_until_idle() == count
    rate = count / (time.perf_counter() - begun)
    engine.dispose()
    return {"drain": rate}


def whole(folder: Path, count: int, many: int, synchronous: str = "NORMAL") -> dict[str, float]:
    """The three figures on one new database."""
    engine = open_database(folder / "ours.db", synchronous=synchronous)  # type: ignore[arg-type]
    queue = TaskQueue(engine)
    figures = {"enqueue": enqueue(queue, count), "drain": drain(queue, count)}
    figures["enqueue_many"] = enqueue_many(queue, many)
    engine.dispose()
    return figures


def referenced(folder: Path, count: int) -> dict[str, float]:
    """Drain where an order references each task; the trigger clears the reference."""
    engine = open_database(folder / "ours.db", schema="inverted")
    queue = TaskQueue(engine)
    reference_all(engine, queue, count)
    figures = {"drain": drain(queue, count, inverted.PAYMENT)}
    engine.dispose()
    return figures


def reference_all(engine: Engine, queue: TaskQueue, count: int) -> None:
    """So many orders, each with a task that it references."""
    with writing(engine) as session:
        queue.enqueue_many(session, inverted.PAYMENT, [None] * count)
        session.execute(
            text(
                "INSERT INTO orders (id, customer, amount, status, processing_task_id)"
                " SELECT id, 'customer', 100, 'new', id FROM task"
            )
        )


def with_order(folder: Path, count: int) -> dict[str, float]:
    """Enqueue with the order that references the task, in one transaction, through the ORM."""
    engine = open_database(folder / "ours.db", schema="inverted")
    queue = TaskQueue(engine)
    begun = time.perf_counter()
    for _ in range(count):
        with writing(engine) as session:
            order = Order(customer="customer", amount=100)
            session.add(order)
            inverted.enqueue_payment(session, queue, order)
    rate = count / (time.perf_counter() - begun)
    engine.dispose()
    return {"enqueue": rate}


def beside(folder: Path, count: int, finished: int, pending: int) -> dict[str, float]:
    """Drain so many tasks while others lie around: ended long ago, and pending behind them."""
    engine = open_database(folder / "ours.db")
    queue = TaskQueue(engine)
    fill(engine, finished, "succeeded", "'2000-01-01 00:00:00.000000'")
    with writing(engine) as session:
        queue.enqueue_many(session, "work", [PAYLOAD] * count)
    fill(engine, pending, "pending", "NULL")
    figures = {"drain": drain(queue, count)}
    engine.dispose()
    return figures


def fill(engine: Engine, count: int, status: str, finished_at: str) -> None:
    """Insert so many rows by bulk SQL, due from now on."""
    new = f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        INSERT INTO task
            (type, payload, status, attempt, max_attempts, lease_token, available_at, created_at, finished_at)
        SELECT 'work', '{{"order_id": 1}}', '{status}', 1, 3, 1, now, now, {finished_at}
        FROM n, (SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now') AS now)"""
    with writing(engine) as session:
        session.connection().exec_driver_sql(new)


def observed(folder: Path, count: int, watched: bool) -> dict[str, float]:
    """Drain, perhaps while an observer looks at each statement and does nothing with it."""
    from taskref_edu.database.sqlite_engine import observers_of

    class Looks:
        def around(self, connection: object, sql: str, parameters: object, run: Callable[[], object]) -> object:
            return run()

    engine = open_database(folder / "ours.db")
    queue = TaskQueue(engine)
    enqueue_many(queue, count)
    with observers_of(engine).attached(Looks()) if watched else nullcontext():  # type: ignore[arg-type]
        figures = {"drain": drain(queue, count)}
    engine.dispose()
    return figures
