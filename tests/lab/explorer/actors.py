"""Actors of many kinds, written as a caller would write them, and the order that they work on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, func, text, update
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, reading, writing

Actor = Callable[[Engine], Any]


@contextmanager
def driver(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The driver's own connection, autocommitting until somebody says BEGIN; what is open at the end is rolled back."""
    raw = engine.raw_connection()
    try:
        assert isinstance(raw.driver_connection, sqlite3.Connection)
        yield raw.driver_connection
    finally:
        raw.close()


def one_order(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=1, customer="Ada", amount=0))


def one_live_task(session: Session) -> list[str]:
    count = session.exec(select(func.count()).select_from(Task)).one()
    return [f"{count} live tasks"] if count > 1 else []


def nothing(_session: Session) -> list[str]:
    return []


def autocommitted(statements: int) -> Actor:
    """A straight line of statements that never wait for long: each is a transaction of its own."""

    def straight_line(engine: Engine) -> None:
        with driver(engine) as connection:
            for number in range(statements):
                connection.execute("UPDATE orders SET amount = amount + ?", (10**number,))

    return straight_line


def read(engine: Engine) -> Order:
    with reading(engine) as session:
        return session.get_one(Order, 1)


def enqueue(session: Session, engine: Engine) -> int | None:
    return TaskQueue(engine).enqueue(session, "process_payment").id


def refer(session: Session, task_id: int | None) -> None:
    session.execute(update(Order).where(col(Order.id) == 1).values(processing_task_id=task_id))


def click_inverted(engine: Engine) -> None:
    """Check, then enqueue, then refer, each in a transaction of its own; deferred ones."""
    if read(engine).processing_task_id is None:
        with Session(engine) as session:
            task_id = enqueue(session, engine)
            session.commit()
        with Session(engine) as session:
            refer(session, task_id)
            session.commit()


def click_classic(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.execute(text("SELECT count(*) FROM task")).scalar():
            return
    with Session(engine) as session:
        enqueue(session, engine)
        session.commit()


def check_before_the_block(engine: Engine) -> None:
    """The check stands before the IMMEDIATE transaction."""
    if read(engine).processing_task_id is None:
        with writing(engine) as session:
            refer(session, enqueue(session, engine))


def check_in_a_deferred_transaction(engine: Engine) -> None:
    with Session(engine) as session:
        order = session.get_one(Order, 1)
        if order.processing_task_id is None:
            order.processing_task_id = enqueue(session, engine)
            session.commit()


def check_in_writing(engine: Engine) -> None:
    with writing(engine) as session:
        order = session.get_one(Order, 1)
        if order.processing_task_id is None:
            order.processing_task_id = enqueue(session, engine)


def conditional_update(engine: Engine) -> None:
    """The check and the set are one statement; the loser rolls its task back."""
    with writing(engine) as session:
        task_id = enqueue(session, engine)
        free = update(Order).where(col(Order.id) == 1, col(Order.processing_task_id).is_(None))
        if not session.execute(free.values(processing_task_id=task_id)).rowcount:  # type: ignore[attr-defined]
            session.rollback()
