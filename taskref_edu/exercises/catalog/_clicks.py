"""What the exercises about two clicks share: the order that is clicked, and tasks brought to a status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, open_database, reading, writing
from taskref_edu.exercises.exercise import CheckFailed
from taskref_edu.lab import explore
from taskref_edu.models import LIVE, TaskStatus

ORDER = 7
PAYMENT = "process_payment"
MAX_SCHEDULES = 150  # a right answer has far fewer
Once = Callable[[Session, TaskQueue, Order], Any]


def one_order(engine: Engine) -> None:
    """The start of every run: one order, and nothing in process."""
    with writing(engine) as session:
        session.add(Order(id=ORDER, customer="Ann", amount=2500))


@contextmanager
def shop() -> Iterator[tuple[Engine, TaskQueue]]:
    """Orders 7 and 8, and nothing in process."""
    engine = open_database(schema="inverted")
    try:
        one_order(engine)
        with writing(engine) as session:
            session.add(Order(id=8, customer="Bob", amount=900))
        yield engine, TaskQueue(engine)
    finally:
        engine.dispose()


def seen(engine: Engine) -> Order:
    """Order 7 as it is now, read in a transaction that is over."""
    with reading(engine) as session:
        return session.get_one(Order, ORDER)


def live_payments(session: Session) -> list[int]:
    """The ids of the payments that wait or run."""
    query = select(Task.id).where(Task.type == PAYMENT, col(Task.status).in_(LIVE))
    return [id for id in session.exec(query) if id is not None]


def one_live_payment(session: Session) -> list[str]:
    """Broken if more than one payment waits or runs."""
    live = live_payments(session)
    return [f"{len(live)} payments of one order are live: tasks {live}"] if len(live) > 1 else []


def bring_to(session: Session, queue: TaskQueue, status: TaskStatus) -> None:
    """Take the only pending task to this status, by the queue's own verbs."""
    if status == TaskStatus.PENDING:
        return
    if status == TaskStatus.CANCELLED:
        queue.cancel(session, live_payments(session)[0])
        return
    task = queue.claim(session)
    assert task is not None
    if status == TaskStatus.SUCCEEDED:
        queue.complete(session, task)
    elif status == TaskStatus.FAILED:
        queue.fail(session, task, "card refused", retry=False)


def click_in(once: Once, immediate: bool) -> Callable[[Engine], bool]:
    """A click that reads the order in one transaction, and enqueues in another."""

    def click(engine: Engine) -> bool:
        with reading(engine) as session:
            order = session.get_one(Order, ORDER)
        return click_on(once, engine, order, immediate)

    return click


def click_on(once: Once, engine: Engine, order: Order, immediate: bool) -> bool:
    """Enqueue in one transaction, begun either way; whether there was a task to return."""
    if immediate:
        with writing(engine) as session:
            return once(session, TaskQueue(engine), order) is not None
    with Session(engine) as session:
        task = once(session, TaskQueue(engine), order)
        session.commit()
        return task is not None


def explore_clicks(clicks: list[Callable[[Engine], bool]], who: str) -> None:
    """Fail unless the clicks end in one payment, and without an error, in every order of their statements."""
    found = explore(clicks, setup=one_order, invariant=one_payment, schema="inverted", max_runs=MAX_SCHEDULES)
    counted = f"of {found.count} schedules of {who}"
    if found.broken:
        problem = found.problems[found.shortest or found.broken[0]][0]
        raise CheckFailed(f"In {len(found.broken)} {counted}, {problem}.", found)
    if found.errors:
        reason = "it reads before it writes, and SQLite cannot let it wait"
        locked = all("locked" in text for texts in found.error_texts.values() for text in texts)
        text = found.error_texts[found.errors[0]][0].partition(": ")[2]
        why = f"`database is locked`: {reason}" if locked else f"`{text:.80}`"
        raise CheckFailed(f"In {len(found.errors)} {counted}, a click dies of {why}.", found)
    if not found.complete:
        raise CheckFailed(f"Not proven: more than {found.count} schedules; let the first statement write.", found)


def one_payment(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, bool]) -> list[str]:
    """One live payment, which the order references; and one click that got it."""
    if errors:
        return []
    live, reference = live_payments(session), session.get_one(Order, ORDER).processing_task_id
    winners = sum(results.values())
    if len(live) > 1 and winners == 1:
        return ["the loser got None, but its task stays and will be run"]
    if len(live) > 1:
        return [f"{winners} clicks get a task, and the order is paid {len(live)} times"]
    if winners != 1 or live != [reference]:
        return [f"{winners} clicks get a task; live are {live}, and the order references {reference}"]
    return []
