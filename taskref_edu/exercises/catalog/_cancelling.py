"""The shop in which 4.2 is checked: an order whose payment stands somewhere, and who else is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, inverted, writing
from taskref_edu.exercises.catalog._clicks import bring_to, is_locked
from taskref_edu.exercises.catalog._worlds import opened
from taskref_edu.models import LIVE, TaskStatus

ORDER = 7
CancelPayment = Callable[[Session, TaskQueue, Order], Any]
Transaction = Callable[[Engine], AbstractContextManager[Session]]


@contextmanager
def shop() -> Iterator[tuple[Engine, TaskQueue]]:
    """An empty database, as the inverted approach has it."""
    with opened() as engine:
        yield engine, TaskQueue(engine)


def order_with_payment(engine: Engine, id: int, status: TaskStatus = TaskStatus.PENDING) -> int:
    """A new order whose payment has come to this status; the task's id. No older task may be pending."""
    queue = TaskQueue(engine)
    with writing(engine) as session:
        order = Order(id=id, customer="Ada", amount=1000)
        session.add(order)
        task_id = inverted.enqueue_payment(session, queue, order).id or 0
        if status == TaskStatus.CANCELLED:
            queue.cancel(session, task_id)
        else:
            bring_to(session, queue, status)
    return task_id


def pay_again(session: Session, queue: TaskQueue) -> int:
    """A further payment of the order; the task's id."""
    return inverted.enqueue_payment(session, queue, session.get_one(Order, ORDER)).id or 0


# The exploration: task 1 pays order 7


def pending(engine: Engine) -> None:
    """The order, and its payment is pending."""
    order_with_payment(engine, ORDER)


def running(engine: Engine) -> None:
    """The order, and its payment is running."""
    order_with_payment(engine, ORDER, TaskStatus.RUNNING)


@contextmanager
def deferred(engine: Engine) -> Iterator[Session]:
    """A transaction that begins to read at its first read and to write at its first write."""
    with Session(engine, expire_on_commit=False) as session:
        yield session
        session.commit()


def customer(cancel_payment: CancelPayment, transaction: Transaction) -> Callable[[Engine], list[int]]:
    """Actor A: cancels with an order read earlier; returns the live tasks that were not asked to stop."""

    def cancels(engine: Engine) -> list[int]:
        order = read_earlier()
        with transaction(engine) as session:
            cancel_payment(session, TaskQueue(engine), order)
            return [task.id or 0 for task in _live(session) if task.cancel_requested_at is None]

    return cancels


def second_click(engine: Engine) -> list[int]:
    """Actor B: pays again if that is allowed; returns the payments that are alive then."""
    with writing(engine) as session:
        inverted.enqueue_payment_once(session, TaskQueue(engine), read_earlier())
        return [task.id or 0 for task in _live(session)]


def worker(engine: Engine) -> None:
    """Actor C: claims task 1 and completes it, without a look back."""
    queue = TaskQueue(engine)
    with writing(engine) as session:
        task = queue.claim(session)
    if task and task.id == 1:
        with writing(engine) as session:
            queue.complete(session, task)


def read_earlier() -> Order:
    """The order as it was read before the schedule begins."""
    order = Order(id=ORDER, customer="Ada", amount=1000, processing_task_id=1)
    make_transient_to_detached(order)
    return order


def _live(session: Session) -> list[Task]:
    return list(session.exec(select(Task).where(col(Task.status).in_(LIVE))))


def all_well(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, Any]) -> list[str]:
    """No two live payments, and none overlooked. To be refused by a lock harms nobody: nothing happened, loudly."""
    problems = [f"{who} gets {error}" for who, error in errors.items() if not is_locked(error)]
    if len(results.get("B", ())) > 1:
        problems.append("a click after the cancelling is let in while task 1 still runs, so two payments are alive")
    if results.get("A"):
        problems.append(f"task {results['A'][0]}, which the order references by then, was not asked to stop")
    return problems
