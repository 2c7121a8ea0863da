"""One side of a panel: an approach on a queue, its worker, and what each click does there.

Every click is a method that makes one short transaction, or sets an event, and returns a sentence for the
status line. Knows no widgets, and may be called on any thread. Read next: `slow.py`, then `rows.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy import func
from sqlmodel import Session, select

from ..approaches import classic, inverted
from ..attempt import describe
from ..database import file_of, writing
from ..errors import DatabaseGone, TaskNotFound
from ..models import Order
from ..queue import TaskQueue
from ..worker import Worker
from .slow import SlowPayment

Name = Literal["classic", "inverted"]
APPROACHES = {"classic": classic, "inverted": inverted}
CUSTOMERS = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony")
NO_THREAD = ("stopped", "dead")


class Side:
    """An approach on a queue. `seconds()` is how long the slow part of a payment takes."""

    def __init__(self, name: Name, queue: TaskQueue, seconds: Callable[[], float], say: Callable[[str], None]) -> None:
        self.name = name
        self.queue = queue
        self.worker = Worker(queue, name=f"{name} worker")
        self._approach = APPROACHES[name]
        self._say = say
        self._step: threading.Thread | None = None
        self._closed = threading.Event()
        self.paced = SlowPayment.register(queue, self._approach, seconds, self._closed)

    # Orders

    def new_order(self) -> Order:
        """Create an order; customer and amount follow from its number."""
        with self._writing() as session:
            number = (session.exec(select(func.max(Order.id))).one() or 0) + 1
            order = Order(customer=CUSTOMERS[number % len(CUSTOMERS)], amount=500 * (1 + number * 7 % 19))
            session.add(order)
        return order

    def pay(self, order_id: int) -> str:
        """Enqueue a payment of the order, unless one is in process or it is paid."""
        with self._writing() as session:
            order = _order(session, order_id)
            if order.status == "paid":
                return f"order {order_id}: already paid"
            task = self._approach.enqueue_payment_once(session, self.queue, order)
        if task is None:
            return f"order {order_id}: a payment is in process already"
        return f"order {order_id}: payment enqueued as task {task.id}"

    def cancel(self, order_id: int) -> str:
        """Cancel the payment of the order: at once while it is pending, as a request while it runs."""
        with self._writing() as session:
            order = _order(session, order_id)
            cancelled = self._approach.cancel_payment(session, self.queue, order)
            runs_on = any(other.id == order_id for other in self._approach.orders_in_process(session))
        if not cancelled:
            return f"order {order_id}: nothing to cancel"
        return f"order {order_id}: " + ("asked to stop" if runs_on else "payment cancelled")

    # The worker

    def start(self) -> str:
        """Start the worker's thread."""
        if self._is_stepping():
            return "worker: in a step; start it when the step has ended"
        if self.worker.status.state not in NO_THREAD:
            return "worker: started already"
        self.worker.start()
        return "worker: started"

    def pause(self) -> str:
        """Let the worker claim no further task."""
        if self.worker.status.state in NO_THREAD:
            return "worker: not started, so there is nothing to pause"
        self.worker.pause()
        return "worker: pauses; a task that runs goes on"

    def resume(self) -> str:
        """Let a paused worker claim tasks again."""
        if self._is_stepping():
            return "worker: in a step; resume it when the step has ended"
        if self.worker.status.state in NO_THREAD or not self.worker.status.pausing:
            return "worker: not paused, so there is nothing to resume"
        self.worker.resume()
        return "worker: resumed"

    def step(self) -> str:
        """Run one task, on a thread of its own: a payment takes seconds, and a click must not."""
        if self._is_stepping():
            return "worker: still in the last step"
        status = self.worker.status
        if status.state not in NO_THREAD and (status.task or not status.pausing):
            return "worker: works by itself; pause or stop it, then step"
        self._step = threading.Thread(target=self._take_step, name=f"{self.worker.name}-step", daemon=True)
        return "worker: takes one step"

    def go(self) -> None:
        """Begin the step that a click has asked for: after the click's own text, which would hide the step's."""
        if self._step is not None and self._step.ident is None:
            self._step.start()

    def stop(self) -> str:
        """Ask the worker's thread to end after the task that it runs."""
        if self.worker.status.state in NO_THREAD:
            return "worker: not started, so there is nothing to stop"
        self.worker.stop(timeout=0)
        return "worker: stops; a task that runs is brought to its end"

    def close(self, timeout: float = 5.0) -> None:
        """End every thread of this side; a slow payment is done at once. May be called twice."""
        self._closed.set()
        self.worker.stop(timeout)
        if self._step is not None and self._step.ident is not None:
            self._step.join(timeout)

    def _is_stepping(self) -> bool:
        return self._step is not None and self._step.is_alive()

    def _take_step(self) -> None:
        try:
            if not self.worker.step():
                self._say(f"{self.worker.name}: no task is due")
        except BaseException as error:  # nothing may get out of a thread: it would surface in a stranger's cell
            self._say(f"{self.worker.name}: {plain(error)}")

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        # A connection that was open before goes on writing into the file that is gone, and nobody would notice.
        file = file_of(self.queue.engine)
        if file is not None and not file.exists():
            raise DatabaseGone(f"{file} was deleted: put it back, or re-run the cell with another database")
        with writing(self.queue.engine) as session:
            yield session


def plain(error: BaseException) -> str:
    """The error in one line, without the SQL and the links that SQLAlchemy adds."""
    cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) and error.orig else error
    return " ".join(describe(cause).split())


def _order(session: Session, order_id: int) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise TaskNotFound(f"order {order_id} not found: it was deleted; select another one")
    return order
