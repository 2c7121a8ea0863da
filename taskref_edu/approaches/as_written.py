"""The document's snippets, translated line by line with their faults; each fault is marked FAULT.

Every function takes an engine, and each statement commits by itself, as in Django outside `atomic()`. The document's
`order.save()` is an UPDATE by id. Use it on a database opened with `schema="as_written"`: the indexes and the trigger
of the other schemas would fix some of the faults.

Not covered: repairs. They are in `classic.py` and `inverted.py`.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Engine, func, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col, select

from ..database.transactions import reading, writing
from ..models import PAYMENT, Order, Task, TaskStatus
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue

logger = logging.getLogger(__name__)


def enqueue(engine: Engine, type: str, payload: Any = None) -> Task:
    """The document's `task_queue.enqueue`: a transaction of its own."""
    with writing(engine) as session:
        return TaskQueue(engine).enqueue(session, type, payload)


def cancel(engine: Engine, task_id: int) -> bool:
    """The document's `task_queue.cancel`: a transaction of its own."""
    with writing(engine) as session:
        return TaskQueue(engine).cancel(session, task_id)


def save_reference(engine: Engine, order: Order, task_id: int | None) -> None:
    """`order.processing_task_id = task_id; order.save()`."""
    with writing(engine) as session:
        _save_reference(session, order, task_id)


def _save_reference(session: Session, order: Order, task_id: int | None) -> None:
    # Django's save() writes every column, SQLAlchemy only those that changed; this writes only the reference.
    session.execute(update(Order).where(col(Order.id) == order.id).values(processing_task_id=task_id))
    set_committed_value(order, "processing_task_id", task_id)


def _load(engine: Engine, order: Order) -> Order:
    """The order as the click's request reads it: in a transaction that ends at once."""
    with reading(engine) as session:
        return session.get_one(Order, order.id)


# Classic


def classic_enqueue_payment(engine: Engine, order: Order) -> Task:
    """`enqueue('process_payment', {'order_id': order.id})`"""
    return enqueue(engine, PAYMENT, {"order_id": order.id})


def classic_process_payment(task: RunningTask) -> None:
    """Load the order named by the payload, and pay it."""
    try:
        order_id = task.payload["order_id"]
        with task.reading() as session:
            order = session.get_one(Order, order_id)
    except KeyError:
        logger.error("Missing order_id in payload")
        return  # FAULT: returning means success. The payment is lost silently.
    _pay(task, order)


def classic_enqueue_payment_once(engine: Engine, order: Order) -> Task | None:
    """Search the pending tasks; enqueue if none is found."""
    with reading(engine) as session:
        # FAULT: status='pending' misses a task that is running.
        existing_tasks = session.exec(select(Task.id).where(*_payments_of(order), Task.status == TaskStatus.PENDING))
        exists = existing_tasks.first() is not None
    # FAULT: somebody else may enqueue between the search and the enqueue.
    if not exists:
        return enqueue(engine, PAYMENT, {"order_id": order.id})
    return None


def classic_cancel_payment(engine: Engine, order: Order) -> int:
    """Search the tasks by payload; cancel each."""
    with reading(engine) as session:
        # FAULT: no filter by status, so it finds every payment that this order ever had, and cancels each.
        task_ids = session.exec(select(Task.id).where(*_payments_of(order))).all()
    return sum(cancel(engine, task_id) for task_id in task_ids if task_id)


def classic_orders_in_process(engine: Engine) -> list[Order]:
    """Search the pending tasks; collect the ids; load these orders."""
    with reading(engine) as session:
        # FAULT: status='pending' misses the order that is being paid right now.
        query = select(Task).where(Task.type == PAYMENT, Task.status == TaskStatus.PENDING)
        pending_tasks = session.exec(query).all()
    # FAULT: for a payload with a typo, get() puts None into the list; and a long list has too many SQL variables.
    order_ids = [(task.payload or {}).get("order_id") for task in pending_tasks]
    with reading(engine) as session:
        return list(session.exec(select(Order).where(col(Order.id).in_(order_ids))))


# Inverted


def inverted_enqueue_payment(engine: Engine, order: Order) -> Task:
    """`with transaction.atomic():` enqueue, and store the reference."""
    with writing(engine) as session:
        task = TaskQueue(engine).enqueue(session, PAYMENT)
        _save_reference(session, order, task.id)
    return task


def inverted_process_payment(task: RunningTask) -> None:
    """Load the order that references the task, and pay it."""
    with task.reading() as session:
        order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
    _pay(task, order)
    # FAULT: nothing clears the reference. The order stays "in process" forever, and can never be paid again.


def inverted_enqueue_payment_once(engine: Engine, order: Order) -> Task | None:
    """Check the reference; enqueue if it is empty."""
    order = _load(engine, order)
    # FAULT: somebody else may check, too, between the check and the save.
    if not order.processing_task_id:
        # FAULT: from here on, the document has no atomic(): a crash in between leaves an orphan; a worker may find one.
        task = enqueue(engine, PAYMENT)
        save_reference(engine, order, task.id)
        return task
    return None


def inverted_cancel_payment(engine: Engine, order: Order) -> int:
    """Cancel the referenced task; clear the reference."""
    order = _load(engine, order)
    if order.processing_task_id:
        cancelled = cancel(engine, order.processing_task_id)
        # FAULT: cleared even if the task is still running. The reference was the lock: the next click pays twice.
        save_reference(engine, order, None)
        return int(cancelled)
    return 0


def inverted_orders_in_process(engine: Engine) -> list[Order]:
    """The orders that have a reference."""
    with reading(engine) as session:
        return list(session.exec(select(Order).where(col(Order.processing_task_id).is_not(None))))


def _payments_of(order: Order) -> list[Any]:
    # SQLite has no `payload__contains`. Like containment, and unlike LIKE, this does not confuse orders 1 and 12.
    return [Task.type == PAYMENT, func.json_extract(Task.payload, "$.order_id") == order.id]


def _pay(task: RunningTask, order: Order) -> None:
    """`# Process order...`, then save(): a transaction of its own, before the task's completion."""
    with writing(task.queue.engine) as session:
        session.execute(update(Order).where(col(Order.id) == order.id).values(status="paid"))
