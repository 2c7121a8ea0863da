"""What is compared: five databases, and on each the same five acts, as the document writes them and at their best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, update
from sqlalchemy.dialects import sqlite
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, classic, inverted, writing
from taskref_edu.lab.many_orders import many_orders
from taskref_edu.queue.running_task import RunningTask
from taskref_edu.schema import EXTRA_DDL, SchemaName

Act = Callable[[Session, "Shop"], Any]


@dataclass(frozen=True)
class Shop:
    """A database of so many orders, and those that the acts work on."""

    queue: TaskQueue
    free: Order  # paid long ago, its task ended
    taken: Order  # in process, its task pending
    running: RunningTask  # the task of another one in process

    @classmethod
    def of(cls, engine: Engine, count: int) -> Shop:
        pending = count - count % 2
        running = RunningTask(pending - 1, inverted.PAYMENT, {"order_id": pending - 1}, 0, 0, TaskQueue(engine))
        return cls(TaskQueue(engine), _order(1), _order(pending), running)


def _order(order_id: int) -> Order:
    return Order(id=order_id, customer="customer", amount=1000)


# The document's statements, in the caller's transaction (see approaches/as_written.py).


def _payments_of(order: Order) -> list[Any]:
    return [Task.type == classic.PAYMENT, func.json_extract(Task.payload, "$.order_id") == order.id]


def classic_check(session: Session, shop: Shop) -> None:
    session.exec(select(Task.id).where(*_payments_of(shop.taken), Task.status == TaskStatus.PENDING)).first()


def classic_cancel(session: Session, shop: Shop) -> None:
    for task_id in session.exec(select(Task.id).where(*_payments_of(shop.taken))).all():
        shop.queue.cancel(session, task_id or 0)


def classic_list(session: Session, shop: Shop) -> None:
    tasks = session.exec(
        select(Task.id, Task.payload).where(Task.type == classic.PAYMENT, Task.status == TaskStatus.PENDING)
    )
    ids = [payload["order_id"] for _, payload in tasks]
    for start in range(0, len(ids), 10_000):  # the document passes all of them; SQLite takes 32,766
        session.exec(select(Order).where(col(Order.id).in_(ids[start : start + 10_000]))).all()


def classic_enqueue(session: Session, shop: Shop) -> None:
    shop.queue.enqueue(session, classic.PAYMENT, {"order_id": shop.free.id})


def inverted_check(session: Session, shop: Shop) -> None:
    session.exec(select(Order.processing_task_id).where(Order.id == shop.taken.id)).one()


def inverted_cancel(session: Session, shop: Shop) -> None:
    task_id = session.exec(select(Order.processing_task_id).where(Order.id == shop.taken.id)).one()
    shop.queue.cancel(session, task_id or 0)
    session.execute(update(Order).where(col(Order.id) == shop.taken.id).values(processing_task_id=None))


def inverted_list(session: Session, shop: Shop) -> None:
    session.exec(select(Order).where(col(Order.processing_task_id).is_not(None))).all()


def inverted_enqueue(session: Session, shop: Shop) -> None:
    task = shop.queue.enqueue(session, inverted.PAYMENT)
    session.execute(update(Order).where(col(Order.id) == shop.free.id).values(processing_task_id=task.id))


def complete(session: Session, shop: Shop) -> None:
    shop.queue.complete(session, shop.running)


def _best(approach: Any) -> dict[str, Act]:
    return {
        "duplicate check": lambda session, shop: approach.enqueue_payment_once(session, shop.queue, shop.taken),
        "cancel": lambda session, shop: approach.cancel_payment(session, shop.queue, shop.taken),
        "list": lambda session, shop: approach.orders_in_process(session),
        "enqueue": lambda session, shop: approach.enqueue_payment(session, shop.queue, shop.free),
        "complete": complete,
    }


CLASSIC_AS_WRITTEN: dict[str, Act] = {
    "duplicate check": classic_check,
    "cancel": classic_cancel,
    "list": classic_list,
    "enqueue": classic_enqueue,
    "complete": complete,
}
INVERTED_AS_WRITTEN: dict[str, Act] = {
    "duplicate check": inverted_check,
    "cancel": inverted_cancel,
    "list": inverted_list,
    "enqueue": inverted_enqueue,
    "complete": complete,
}


@dataclass(frozen=True)
class Variant:
    """An approach: its acts, and what its database has beyond the two tables."""

    acts: Mapping[str, Act]
    add: tuple[str, ...] = ()
    schema: SchemaName = "as_written"

    def engine(self, count: int, live: int) -> Engine:
        """Filled first, then indexed: that is much faster."""
        engine = many_orders(count, live)
        with writing(engine) as session:
            added = [statement for addition in EXTRA_DDL[self.schema] for statement in addition(engine.dialect, None)]
            for statement in (*added, *self.add):
                session.connection().exec_driver_sql(statement)
        return engine


# Without the generated column of schema="classic": it is about typos, not about speed.
ONE_LIVE_PAYMENT = tuple(EXTRA_DDL["classic"][0](sqlite.dialect(), None))
VARIANTS = {
    "classic, as written": Variant(CLASSIC_AS_WRITTEN),
    "classic, index on status": Variant(CLASSIC_AS_WRITTEN, ("CREATE INDEX task_status ON task (type, status)",)),
    "classic, expression index": Variant(_best(classic), ONE_LIVE_PAYMENT),
    "inverted, as written": Variant(INVERTED_AS_WRITTEN),
    "inverted, partial index": Variant(_best(inverted), schema="inverted"),
}
ACTS = list(CLASSIC_AS_WRITTEN)
