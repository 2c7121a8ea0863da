"""One side of a panel: an approach on a queue, its workers, and what each click does there.

Every click is one short transaction, or sets an event, and returns a sentence for the status line. Knows no widgets,
and may be called on any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Literal

from sqlalchemy import Engine, Table, delete, func, insert, select, text, update
from sqlmodel import Session

from ...approaches import classic, inverted
from ...database.opening import open_database
from ...database.transactions import reading, writing
from ...errors import UnknownType
from ...models import Order, Task
from ...queue.payload import clean
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue
from ..display.events import Event, Timeline
from . import click_storm as storms
from .click_transactions import own_engine, short_writing
from .order_actions import CLICKS, existing, new_order
from .sql_lens import SeenClick
from .worker_actions import WorkerPool

Name = Literal["classic", "inverted"]
APPROACHES: dict[str, ModuleType] = {"classic": classic, "inverted": inverted}
MOST_ROWS = 5_000  # of each table: the copy is kept in memory
ORDERS: Table = Order.__table__  # type: ignore[attr-defined]
TASKS: Table = Task.__table__  # type: ignore[attr-defined]
REFERENCE = ORDERS.c.processing_task_id


class Copy:
    """A copy of both tables' rows, for the button "Start over". refusal: why there is no copy, or "".

    Not covered: ids of new rows, which go on rising where the database gives each id once only, as PostgreSQL does.
    """

    def __init__(self, session: Session) -> None:
        rows = max(session.execute(select(func.count()).select_from(table)).scalar_one() for table in (ORDERS, TASKS))
        refused = rows > MOST_ROWS
        self.refusal = f"{rows:,} rows found when the cell ran; up to {MOST_ROWS:,} are put back" if refused else ""
        self._orders, self._tasks = ([] if refused else _rows(session, table) for table in (ORDERS, TASKS))

    def put_back(self, session: Session) -> None:
        """Replace all rows. The tables may reference each other, so references are cleared first and set last."""
        session.execute(update(ORDERS).values({REFERENCE: None}))
        session.execute(delete(TASKS))
        session.execute(delete(ORDERS))
        if self._orders:
            session.execute(insert(ORDERS), [row | {REFERENCE.name: None} for row in self._orders])
        if self._tasks:
            session.execute(insert(TASKS), self._tasks)
        for row in self._orders:
            if row[REFERENCE.name] is not None:
                reference = {REFERENCE: row[REFERENCE.name]}
                session.execute(update(ORDERS).where(ORDERS.c.id == row["id"]).values(reference))


def _rows(session: Session, *what: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in session.execute(select(*what)).mappings()]


class Side:
    """An approach on a queue. `seconds()` is how long the slow part of a payment takes, `say` the status line."""

    def __init__(self, name: Name, queue: TaskQueue, seconds: Callable[[], float], say: Callable[[str], None]) -> None:
        self.name = name
        self.queue = queue
        self.approach = APPROACHES[name]
        self.seen = SeenClick("no click yet")  # the latest click, for the lens
        self.pool = WorkerPool(name, queue, say, self._refused)
        self.timeline = Timeline()
        self.storming = False  # set by the panel, before the storm's thread starts
        self._say = say
        self._closed = threading.Event()
        self.paced = SlowPayment.register(queue, self.approach, seconds, self._closed)
        with own_engine(queue) as engine, reading(engine) as session:
            self.copy = Copy(session)

    def new_order(self) -> int:
        with self._clicked("New order") as session:
            return new_order(session).id or 0

    def click(self, name: str, title: str, order_id: int) -> str:
        """Do one of CLICKS in a transaction of its own."""
        with self._clicked(title) as session:
            return CLICKS[name](session, self.queue, self.approach, order_id)

    def storm(self, order_id: int, clicks: int, how: storms.How) -> str:
        """Pay the order from many threads at once. Blocks until they have ended, so not for the thread of a click."""
        with own_engine(self.queue, storms.STORM_TIMEOUT) as engine:
            with reading(engine) as session:
                order = existing(session, order_id)
            if order.status == "paid":
                return f"order {order_id}: already paid; a new order shows more"
            with self._observed(f"Click storm, {how}", engine):
                return storms.storm(engine, self.queue, self.approach, order, clicks, how)

    def start_over(self) -> str:
        """Put the orders and tasks back as they were when the cell ran, with a worker that is stopped."""
        if self.copy.refusal:
            return self.copy.refusal
        with own_engine(self.queue) as engine, short_writing(engine) as session:
            self.copy.put_back(session)
        self.pool.renew()
        return "start over: the shop is as the cell made it"

    def counts(self) -> dict[str, int]:
        """How many orders and tasks there are, how many orders are paid, and how many tasks have each status."""
        with own_engine(self.queue) as engine, reading(engine) as session:
            tasks = self.queue.counts(session)
            paid = ORDERS.c.status == "paid"
            orders, paid_orders = session.execute(
                select(func.count(), func.count().filter(paid)).select_from(ORDERS)
            ).one()
        return {"orders": orders, "paid": paid_orders, "tasks": sum(tasks.values()), **tasks}

    def note(self, text: str) -> None:
        """Add an event to the timeline that no row shows, such as a refused result."""
        self.timeline.note(Event(clean(text)))

    def close(self, timeout: float = 5.0) -> None:
        """End every thread of this side; a slow payment is cut short. May be called twice."""
        self._closed.set()
        self.pool.close(timeout)

    @contextmanager
    def _clicked(self, title: str) -> Iterator[Session]:
        with own_engine(self.queue) as engine, self._observed(title, engine), short_writing(engine) as session:
            yield session

    @contextmanager
    def _observed(self, title: str, engine: Engine) -> Iterator[None]:
        seen = SeenClick(title)
        try:
            with seen.observing(engine):
                yield
        finally:
            self.seen = seen

    def _refused(self, task: RunningTask, error: str) -> None:
        """A result came too late: another worker has claimed the task."""
        text = f"task {task.id}, attempt {task.attempt}: refused as stale"
        self.note(text)
        self._say(f"{self.name} worker: came back too late; {error}")


COPIED = [ORDERS.c[name] for name in ("id", "customer", "amount", "status")]


def queue_beside(queue: TaskQueue) -> TaskQueue:
    """A queue on a new temporary database with a copy of the orders, so that their ids agree; no tasks."""
    with reading(queue.engine) as session:
        orders = _rows(session, *COPIED)
        schema = session.execute(text("SELECT name FROM taskref_schema")).scalar_one()
    # Both sides get the same kind of schema: without indexes and triggers if the first one has none.
    engine = open_database(schema="as_written" if schema == "as_written" else "both")
    if orders:
        with writing(engine) as session:
            session.execute(insert(ORDERS), orders)
    return TaskQueue(engine, lease=queue.lease, max_attempts=queue.max_attempts, backoff=queue.backoff)


STEP = 1.0  # seconds between two checkpoints of a slow payment: so one sees that a task asked to stop still runs


class SlowPayment:
    """The approach's `process_payment` with a slow part before it, as a call to a bank would be."""

    def __init__(self, approach: ModuleType, seconds: Callable[[], float], closed: threading.Event) -> None:
        self._approach = approach
        self._seconds = seconds
        self._closed = closed

    @classmethod
    def register(
        cls, queue: TaskQueue, approach: ModuleType, seconds: Callable[[], float], closed: threading.Event
    ) -> bool:
        """Handle the queue's payments, unless the learner has a handler for them; return whether it does.

        The handler of an earlier panel is replaced, because it refers to that stopped panel.
        """
        with suppress(UnknownType):
            if not isinstance(queue.handlers.of(approach.PAYMENT), cls):
                return False
        queue.handler(approach.PAYMENT)(cls(approach, seconds, closed))
        return True

    def __call__(self, task: RunningTask) -> None:
        with task.reading() as session:
            self._approach.order_for(session, task)  # a task without an order fails at once
        until = time.monotonic() + self._seconds()
        while (remaining := until - time.monotonic()) > 0 and not self._closed.wait(min(STEP, remaining)):
            task.checkpoint()
        self._approach.process_payment(task)
