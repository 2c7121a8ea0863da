"""What the exercises about two clicks share: the order that is clicked, and tasks brought to a status."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, reading, writing
from taskref_edu.errors import DatabaseLocked
from taskref_edu.exercises.catalog._worlds import opened
from taskref_edu.exercises.exercise import CheckFailed
from taskref_edu.lab import explore
from taskref_edu.lab.explorer.errors import ActorNeverEnds
from taskref_edu.models import LIVE, PAYMENT, TaskStatus

ORDER = 7
MAX_SCHEDULES = 150  # a right answer has far fewer
LOCK_TIMEOUT = 1.0  # seconds from one statement of a click to its next
LOCK_MODULES = ("_thread", "threading", "multiprocessing.synchronize", "asyncio.locks")
ONE_PROCESS = "A lock in Python holds in one process only, and the second web worker is another one."
Once = Callable[[Session, TaskQueue, Order], Any]


def one_order(engine: Engine) -> None:
    """The start of every run: one order, and nothing in process."""
    with writing(engine) as session:
        session.add(Order(id=ORDER, customer="Ann", amount=2500))


@contextmanager
def shop() -> Iterator[tuple[Engine, TaskQueue]]:
    """Orders 7 and 8, and nothing in process."""
    with opened() as engine:
        one_order(engine)
        with writing(engine) as session:
            session.add(Order(id=8, customer="Bob", amount=900))
        yield engine, TaskQueue(engine)


def seen(engine: Engine, id: int = ORDER) -> Order:
    """The order as it is now, read in a transaction that is over."""
    with reading(engine) as session:
        return session.get_one(Order, id)


def live_payments(session: Session) -> list[int]:
    """The ids of the payments that wait or run."""
    query = select(Task.id).where(Task.type == PAYMENT, col(Task.status).in_(LIVE))
    return [id for id in session.exec(query) if id is not None]


def one_live_payment(session: Session) -> list[str]:
    """Broken if more than one payment waits or runs."""
    live = live_payments(session)
    return [f"{len(live)} payments of one order are live: tasks {live}"] if len(live) > 1 else []


def bring_to(session: Session, queue: TaskQueue, status: TaskStatus) -> None:
    """Take the oldest pending task to this status, by the queue's own verbs."""
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
    """Fail unless the clicks end in one payment, and without an error, in every interleaving of their statements."""
    errors: list[BaseException] = []

    def invariant(session: Session, raised: Mapping[str, BaseException], results: Mapping[str, bool]) -> list[str]:
        errors.extend(raised.values())
        return one_payment(session, raised, results)

    try:
        found = explore(
            clicks,
            setup=one_order,
            invariant=invariant,
            schema="inverted",
            max_runs=MAX_SCHEDULES,
            patience=LOCK_TIMEOUT,
        )
    except ActorNeverEnds:
        raise CheckFailed(f"Of {who}, one waits for the other, and not in the database. {ONE_PROCESS}") from None
    counted = f"of {found.count} schedules of {who}"
    if found.broken:
        problem = found.problems[found.shortest or found.broken[0]][0]
        raise CheckFailed(f"In {len(found.broken)} {counted}, {problem}.", found)
    if found.errors:
        raise CheckFailed(f"In {len(found.errors)} {counted}, a click fails with {why_it_died(errors)}.", found)
    if not found.complete:
        raise CheckFailed(f"Not proven: more than {found.count} schedules; let the first statement write.", found)


def why_it_died(errors: Sequence[BaseException]) -> str:
    """What the first of these errors says, and where it is the lock, why."""
    if all(is_locked(error) for error in errors):
        return "`database is locked`: it reads before it writes, and SQLite cannot let it wait"
    return f"`{next(error for error in errors if not is_locked(error))!s:.80}`"


def is_locked(error: BaseException) -> bool:
    """Whether SQLite refused the lock, by the driver's own code."""
    if isinstance(error, DatabaseLocked):
        return True
    cause = error if isinstance(error, sqlite3.Error) else getattr(error, "orig", None) or error.__cause__
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return cause is not None and is_locked(cause)


def holds_a_lock(function: Callable[..., Any]) -> bool:
    """Whether the function can reach a lock of Python's, in its module, its default values or a container there."""
    function = inspect.unwrap(function)
    held = [*function.__globals__.values(), *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    held += [value for each in held if isinstance(each, dict) for value in each.values()]
    held += [value for each in held if isinstance(each, list | tuple | set) for value in each]
    return any(type(each).__module__ in LOCK_MODULES and hasattr(each, "acquire") for each in held)


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
