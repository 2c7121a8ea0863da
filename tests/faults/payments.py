"""Orders to be paid, each payment a row, and an audit: what no kill may break.

The table `payment` has no key on purpose: an effect that is applied twice must be able to show.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, classic, inverted, open_database, reading, writing
from taskref_edu.queue.running_task import RunningTask

APPROACHES: dict[str, ModuleType] = {"classic": classic, "inverted": inverted}
Approach = str  # a key of APPROACHES; also the name of its schema
PAYMENT = "process_payment"
PATIENCE = 60.0  # seconds that a writer waits for others: kills must fail a run here, a busy machine must not


def open_shop(path: Path, approach: Approach) -> Engine:
    """The database of a run; made by the first call."""
    engine = open_database(path, schema=approach, timeout=PATIENCE)  # type: ignore[arg-type]
    with writing(engine) as session:
        session.execute(
            text("CREATE TABLE IF NOT EXISTS payment (task_id INTEGER NOT NULL, order_id INTEGER NOT NULL)")
        )
    return engine


def open_queue(engine: Engine, approach: Approach, lease: float, slow: float = 0.0) -> TaskQueue:
    """A queue whose payments take up to `slow` seconds, and one in a hundred so long that it needs a heartbeat.

    Each death takes an attempt, so there are enough of them.
    """

    def slow_part(_: RunningTask) -> None:
        if slow:
            time.sleep(random.uniform(0, slow) if random.random() < 0.99 else lease * 0.8)

    queue = TaskQueue(engine, lease=lease, max_attempts=10_000, backoff=0.0)
    queue.handler(PAYMENT)(paying(approach, slow_part))
    queue.handler("nothing")(lambda task: None)
    return queue


Part = Callable[[RunningTask], object]


def paying(approach: Approach, slow_part: Part, before_commit: Part = lambda task: None) -> Part:
    """A handler as a user would write it, whose effect is a row."""

    def pay(task: RunningTask) -> None:
        with task.reading() as session:
            APPROACHES[approach].order_for(session, task)
        task.checkpoint()
        slow_part(task)
        with task.completing() as session:
            _pay(session, approach, task)
            before_commit(task)

    return pay


def paying_by_hand(approach: Approach, slow_part: Part) -> Part:
    """A handler that has its effect first and proves its lease last: then the effect must be undone."""

    def pay(task: RunningTask) -> None:
        slow_part(task)
        with writing(task.queue.engine) as session:
            _pay(session, approach, task)
            session.flush()
            task.queue.complete(session, task)
        task.completed.append(True)

    return pay


def _pay(session: Session, approach: Approach, task: RunningTask) -> None:
    order = APPROACHES[approach].order_for(session, task)
    order.status = "paid"
    values = {"task": task.id, "order": order.id}
    session.execute(text("INSERT INTO payment (task_id, order_id) VALUES (:task, :order)"), values)


def order_and_pay(queue: TaskQueue, approach: Approach, count: int = 1) -> None:
    """New orders and their payments, in one transaction."""
    with writing(queue.engine) as session:
        for _ in range(count):
            order = Order(customer="x", amount=1)
            session.add(order)
            APPROACHES[approach].enqueue_payment(session, queue, order)


@dataclass(frozen=True)
class Audit:
    """What was found, in one read transaction. All but `tasks` and `reruns` are faults, at any moment of a run."""

    tasks: int
    reruns: int
    lost: int
    twice: int
    half: int
    dangling: int
    orphans: int

    @property
    def faults(self) -> dict[str, int]:
        """What must not be, by name."""
        return {name: found for name, found in asdict(self).items() if found and name not in ("tasks", "reruns")}


_LIVE = "task.status IN ('pending', 'running')"
_LIVE_PAYMENT = f"type = '{PAYMENT}' AND {_LIVE}"
_COUNTS = {
    "tasks": "SELECT count(*) FROM task",
    "reruns": "SELECT total(max(attempt - 1, 0)) FROM task",
    # Neither paid, nor about to be, nor cancelled.
    "lost": """SELECT count(*) FROM orders WHERE customer <> 'cancelled'
                   AND id NOT IN (SELECT order_id FROM payment) AND id NOT IN ({in_process})""",
    # An effect applied twice, to an order or by a task.
    "twice": """SELECT (SELECT count(*) - count(DISTINCT order_id) FROM payment)
                     + (SELECT count(*) - count(DISTINCT task_id) FROM payment)""",
    # Effect without completion, or completion without effect; or an order that does not tell.
    "half": f"""SELECT (SELECT count(*) FROM task WHERE type = '{PAYMENT}'
                           AND (status = 'succeeded') <> (id IN (SELECT task_id FROM payment)))
                     + (SELECT count(*) FROM orders WHERE (status = 'paid')
                           <> (id IN (SELECT order_id FROM payment)))""",
    # A reference to a task that has ended, or is gone.
    "dangling": f"""SELECT count(*) FROM orders WHERE processing_task_id IS NOT NULL
                        AND processing_task_id NOT IN (SELECT id FROM task WHERE {_LIVE})""",
    "orphans": f"""SELECT (SELECT count(*) FROM task WHERE {_LIVE_PAYMENT})
                        - (SELECT count(*) FROM orders WHERE id IN ({{in_process}}))""",
}
_IN_PROCESS = {
    "classic": f"SELECT json_extract(payload, '$.order_id') FROM task WHERE {_LIVE_PAYMENT}",
    "inverted": f"SELECT orders.id FROM orders JOIN task ON task.id = processing_task_id WHERE {_LIVE_PAYMENT}",
}


def audit(engine: Engine, approach: Approach) -> Audit:
    """Look at everything at once."""
    with reading(engine) as session:
        counts = {name: sql.replace("{in_process}", _IN_PROCESS[approach]) for name, sql in _COUNTS.items()}
        return Audit(**{name: _count(session, sql) for name, sql in counts.items()})


def left(engine: Engine) -> int:
    """How many tasks have not ended."""
    with reading(engine) as session:
        return _count(session, f"SELECT count(*) FROM task WHERE {_LIVE}")


def _count(session: Session, sql: str) -> int:
    return int(session.execute(text(sql)).scalar_one())
