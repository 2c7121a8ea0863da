"""What the document's snippets do wrong, found by exploring them: each fault with its count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, Worker, as_written, reading, writing
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.models import LIVE

Actor = Callable[[Engine], Any]


def order_of(engine: Engine) -> Order:
    with reading(engine) as session:
        return session.get_one(Order, 101)


def click_classic(engine: Engine) -> None:
    as_written.classic_enqueue_payment_once(engine, order_of(engine))


def click_inverted(engine: Engine) -> None:
    as_written.inverted_enqueue_payment_once(engine, order_of(engine))


def cancel_classic(engine: Engine) -> int:
    return as_written.classic_cancel_payment(engine, order_of(engine))


def cancel_inverted(engine: Engine) -> int:
    return as_written.inverted_cancel_payment(engine, order_of(engine))


def claim(engine: Engine) -> None:
    with writing(engine) as session:
        TaskQueue(engine).claim(session)


def work(handler: Callable[..., None]) -> Actor:
    def step(engine: Engine) -> bool:
        queue = TaskQueue(engine)
        queue.handler("process_payment")(handler)
        return Worker(queue).step()

    return step


work_classic, work_inverted = work(as_written.classic_process_payment), work(as_written.inverted_process_payment)


def one_order(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=101, customer="Ada", amount=0))


def pending(click: Actor) -> Actor:
    def setup(engine: Engine) -> None:
        one_order(engine)
        click(engine)

    return setup


def running(click: Actor) -> Actor:
    def setup(engine: Engine) -> None:
        pending(click)(engine)
        claim(engine)

    return setup


def one_live(session: Session) -> list[str]:
    live = session.exec(select(Task.id).where(col(Task.status).in_(LIVE))).all()
    return [f"{len(live)} live payments"] if len(live) > 1 else []


def referenced(session: Session) -> list[str]:
    """A live task is referenced, and a reference is to a live task."""
    live = session.exec(select(Task.id).where(col(Task.status).in_(LIVE))).all()
    reference = session.exec(select(Order.processing_task_id)).one()
    return [f"task {task_id} is an orphan" for task_id in live if task_id != reference] + (
        ["the reference was left behind"] if reference is not None and reference not in live else []
    )


def not_failed(session: Session) -> list[str]:
    errors = session.exec(select(Task.error).where(col(Task.error).is_not(None))).all()
    return [f"the worker found no order: {error}" for error in errors]


def told_cancelled_and_paid(session: Session, errors: dict[str, Exception], results: dict[str, Any]) -> list[str]:
    paid = session.exec(select(Order.status)).one() == "paid"
    return ["the customer was told that it is cancelled, and paid"] if results.get("A") and paid else []


# What races with what, from which start; what is broken, and in how many of how many schedules.
FAULTS: dict[str, tuple[list[Actor], Actor, Any, str, tuple[int, int]]] = {
    "two clicks, classic": ([click_classic] * 2, one_order, one_live, "2 live payments", (30, 42)),
    "two clicks, inverted": ([click_inverted] * 2, one_order, one_live, "2 live payments", (156, 174)),
    "a click while the task runs, classic: no race at all": (
        [click_classic],
        running(click_classic),
        one_live,
        "2 live payments",
        (1, 1),
    ),
    "a click and the claim, classic": ([click_classic, claim], pending(click_classic), one_live, "2 live", (4, 10)),
    "the worker starts before the reference is saved": (
        [click_inverted, work_inverted],
        one_order,
        not_failed,
        "the worker found no order: NoResultFound",
        (4, 21),
    ),
    "a cancel and the claim, inverted": (
        [cancel_inverted, claim],
        pending(click_inverted),
        referenced,
        "task 1 is an orphan",
        (10, 12),
    ),
    "a cancel takes the order away from the worker": (
        [cancel_inverted, work_inverted],
        pending(click_inverted),
        not_failed,
        "the worker found no order: NoResultFound",
        (15, 413),
    ),
    "a cancel and the completion, inverted": (
        [cancel_inverted, work_inverted],
        pending(click_inverted),
        told_cancelled_and_paid,
        "told that it is cancelled, and paid",
        (318, 413),
    ),
    "a cancel and the completion, classic": (
        [cancel_classic, work_classic],
        pending(click_classic),
        told_cancelled_and_paid,
        "told that it is cancelled, and paid",
        (111, 190),
    ),
    "a cancel clears the reference of a running task, then a click": (
        [cancel_inverted, click_inverted],
        running(click_inverted),
        one_live,
        "2 live payments",
        (9, 45),
    ),
    "the completion leaves the reference behind": (
        [work_inverted],
        pending(click_inverted),
        referenced,
        "the reference was left behind",
        (1, 1),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_is_found(fault: str) -> None:
    actors, setup, invariant, problem, (broken, count) = FAULTS[fault]
    found = explore(actors, setup=setup, invariant=invariant, schema="as_written")
    assert (len(found.broken), found.count, found.errors) == (broken, count, [])
    assert all(problem in text for texts in found.problems.values() for text in texts), found
    assert found.replay(found.shortest or "").broken == found.problems[found.shortest or ""]


def test_a_click_while_the_task_runs_is_refused_by_the_reference() -> None:
    found = explore([click_inverted], setup=running(click_inverted), invariant=one_live, schema="as_written")
    assert found.holds


CRASHES: dict[str, tuple[Actor, Actor, str, tuple[int, int]]] = {
    "an orphan between enqueue and reference": (click_inverted, one_order, "task 1 is an orphan", (3, 8)),
    "a reference left behind by half a cancel": (
        cancel_inverted,
        pending(click_inverted),
        "the reference was left behind",
        (3, 8),
    ),
}


@pytest.mark.parametrize("fault", CRASHES)
def test_is_found_by_a_crash(fault: str) -> None:
    actor, setup, problem, (broken, count) = CRASHES[fault]
    lost = explore_crashes(actor, setup=setup, invariant=referenced, schema="as_written")
    assert (len(lost.broken), lost.count) == (broken, count)
    assert set(lost.problems.values()) == {(problem,)}


def test_a_crash_before_the_commit_leaves_nothing_where_there_is_one_transaction() -> None:
    def click(engine: Engine) -> None:
        as_written.inverted_enqueue_payment(engine, order_of(engine))

    lost = explore_crashes(click, setup=one_order, invariant=referenced, schema="as_written")
    assert (lost.holds, lost.count) == (True, 5)
