"""Classic, at its best: the task references its order (`payload["order_id"]`); the order knows nothing of the task.

The payload is typed, and a unique index over the live tasks allows one payment at a time for each order.
Compare `inverted.py`: the same verbs in the same sequence. Several tasks for an order, and work without an order, need
no change here.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import BigInteger, Select, literal_column
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session, col, select

from ..arguments import LARGEST_ID, short
from ..database.transactions import expect_session
from ..errors import PayloadError
from ..models import LIVE, PAYMENT, Order, Task, sql_literals
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from ..schema import PAYLOAD_ORDER_ID
from .expectations import expect_payment, expect_task


class Payment(BaseModel):
    """The payload of a payment: `{"order_id": 1}`, without further keys."""

    model_config = ConfigDict(strict=True, extra="forbid")
    order_id: int = Field(ge=0, le=LARGEST_ID)


def enqueue_payment(session: Session, queue: TaskQueue, order: Order) -> Task:
    """Enqueue a payment of the order. Returns the task; raises IntegrityError if one is in process already."""
    expect_payment(session, queue, order)
    session.flush()  # a new order gets its id here
    if order.id is None:
        raise PayloadError("the order has no id: add it to the session, then enqueue")
    return queue.enqueue(session, PAYMENT, Payment(order_id=order.id).model_dump())


def order_for(session: Session, task: RunningTask) -> Order:
    """The order that the payload names; PayloadError if it names none."""
    expect_task(session, task)
    try:
        order_id = Payment.model_validate(task.payload).order_id
    except ValidationError as error:
        raise PayloadError(
            f"task {task.id}: payload {short(task.payload)} found, {{'order_id': <int>}} expected"
        ) from error
    order = session.get(Order, order_id)
    if order is None:
        raise PayloadError(f"task {task.id}: order {order_id} not found; it was deleted, or never existed")
    return order


def enqueue_payment_once(session: Session, queue: TaskQueue, order: Order) -> Task | None:
    """Enqueue a payment unless one is in process; None if one is."""
    expect_payment(session, queue, order)
    try:
        with session.begin_nested():
            return enqueue_payment(session, queue, order)
    except sqlalchemy_errors.IntegrityError:
        if not session.execute(_live_payments(session, order)).first():
            raise  # refused for another reason
        return None


def cancel_payment(session: Session, queue: TaskQueue, order: Order) -> int:
    """Cancel the order's payments; return how many tasks were cancelled or asked to stop."""
    expect_payment(session, queue, order)
    task_ids = session.scalars(_live_payments(session, order)).all()
    return sum(queue.cancel(session, task_id) for task_id in task_ids)


def orders_in_process(session: Session) -> list[Order]:
    """The orders with a pending or running payment, by id."""
    expect_session(session)
    live = select(_payload_order_id(session)).select_from(Task).where(*_is_live_payment())
    query = select(Order).where(col(Order.id).in_(live))
    return sorted(session.exec(query), key=lambda order: order.id or 0)


def process_payment(task: RunningTask) -> None:
    """Pay the order."""
    with task.reading() as session:
        order_for(session, task)
    task.checkpoint()
    # The slow part, charging a card, belongs here: outside any transaction.
    with task.completing() as session:
        order_for(session, task).status = "paid"


def _live_payments(session: Session, order: Order) -> Select[Any]:
    return select(Task.id).where(*_is_live_payment(), _payload_order_id(session) == order.id)


def _is_live_payment() -> list[Any]:
    # Written exactly as in the index: with parameters instead of literals, SQLite would not use it.
    return [literal_column(f"type = '{PAYMENT}'"), literal_column(f"status IN ({sql_literals(LIVE)})")]


def _payload_order_id(session: Session) -> Any:
    return literal_column(PAYLOAD_ORDER_ID[session.get_bind().dialect.name], BigInteger())
