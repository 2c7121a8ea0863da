"""Inverted, at its best: the order references its task (`order.processing_task_id`); the task has no payload.

The reference is set in the transaction that enqueues, and the database clears it when the task ends, so that
`IS NOT NULL` means "in process". Compare `classic.py`: the same verbs in the same sequence.

Not covered: several tasks for an order, several orders for a task, work without an order.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col, select

from ..database.transactions import expect_session
from ..errors import OrphanTask
from ..models import PAYMENT, Order, Task
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from .expectations import expect_payment, expect_task


def enqueue_payment(session: Session, queue: TaskQueue, order: Order) -> Task:
    """Enqueue a payment and let the order reference it, replacing any former reference. Returns the task.

    Raises OrphanTask if the order is not in the database: nothing would reference the task.
    """
    expect_payment(session, queue, order)
    session.flush()  # a new order gets its id here
    task = queue.enqueue(session, PAYMENT)
    this_order = col(Order.id) == order.id
    if not _reference(session, order, task, this_order):
        session.execute(delete(Task).where(col(Task.id) == task.id))  # the caller may catch the error and commit
        raise OrphanTask(f"order {order.id} not found: add it to the session, or look it up again, then enqueue")
    return task


def order_for(session: Session, task: RunningTask) -> Order:
    """The order that references the task; OrphanTask if there is none."""
    expect_task(session, task)
    order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
    if order is None:
        raise OrphanTask(f"task {task.id}: no order references it; it was cancelled, replaced or deleted meanwhile")
    return order


def enqueue_payment_once(session: Session, queue: TaskQueue, order: Order) -> Task | None:
    """Enqueue a payment unless one is in process; None if one is. Raises OrphanTask if the order was never added."""
    expect_payment(session, queue, order)
    with session.begin_nested() as savepoint:
        task = queue.enqueue(session, PAYMENT)
        this_order_if_free = (col(Order.id) == order.id) & col(Order.processing_task_id).is_(None)
        if _reference(session, order, task, this_order_if_free):
            return task
        if order.id is None:  # it was never added, so the UPDATE failed for lack of a row, not because of another task
            raise OrphanTask("order None not found: add it to the session, or look it up again, then enqueue")
        savepoint.rollback()  # so that no task is left without a reference
        return None


def cancel_payment(session: Session, queue: TaskQueue, order: Order) -> int:
    """Cancel the order's payment; return how many tasks were cancelled or asked to stop (0 or 1)."""
    expect_payment(session, queue, order)
    task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one_or_none()
    cancelled = int(task_id is not None and queue.cancel(session, task_id))
    if order in session:
        session.expire(order, ["processing_task_id"])
    return cancelled


def orders_in_process(session: Session) -> list[Order]:
    """The orders with a pending or running payment, by id."""
    expect_session(session)
    # Sorted here: with ORDER BY, SQLite walks all orders by id instead of the few references in the index.
    query = select(Order).where(col(Order.processing_task_id).is_not(None))
    return sorted(session.exec(query), key=lambda order: order.id or 0)


def process_payment(task: RunningTask) -> None:
    """Pay the order."""
    with task.reading() as session:
        order_for(session, task)
    task.checkpoint()
    # The slow part, charging a card, belongs here: outside any transaction.
    with task.completing() as session:
        order_for(session, task).status = "paid"


def _reference(session: Session, order: Order, task: Task, where: ColumnElement[bool]) -> bool:
    """Set the reference if the condition holds; return whether it did.

    By UPDATE, not by assignment: the caller may have read the order in an earlier transaction.
    """
    moved = session.execute(update(Order).where(where).values(processing_task_id=task.id)).rowcount  # type: ignore[attr-defined]
    if moved:
        set_committed_value(order, "processing_task_id", task.id)
    return bool(moved)
