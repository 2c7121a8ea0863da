"""A click storm: the same order is paid n times at once, from n threads, as by repeated clicks in a browser.

"as written": the document's snippet, which checks first and enqueues afterwards. In production, chance decides how
many clicks come between another click's check and its enqueue. Here all threads check before any continues: the worst
case, reproduced every time. "at its best": the approach's own `enqueue_payment_once`, unmodified.

Not covered: all other interleavings, which `taskref_edu.lab.explore` runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import ModuleType
from typing import Any, Literal

from sqlalchemy import Engine
from sqlalchemy import exc as sqlalchemy_errors

from ...approaches import as_written, classic, inverted
from ...arguments import counted
from ...database.sqlite_engine import observers_of
from ...database.transactions import writing
from ...models import Order, Task
from ...queue.task_queue import TaskQueue
from .click_transactions import plain
from .order_actions import existing

How = Literal["as written", "at its best"]
STORM_TIMEOUT = 5.0  # seconds that a click of a storm waits for the others; they are many, and the page is not blocked
Click = Callable[[], Task | None]


def storm(engine: Engine, queue: TaskQueue, approach: ModuleType, order: Order, clicks: int, how: How) -> str:
    """Pay the order from `clicks` threads, wait for them, and return the result in words."""
    with ExitStack() as stack:
        if how == "as written":
            click = _as_written(engine, approach, order)
            if engine.dialect.name == "sqlite":
                stack.enter_context(observers_of(engine).attached(_AllCheckFirst(clicks)))
        else:
            click = _at_its_best(engine, queue, approach, order)
        results = _at_once(click, clicks)
    return f"order {order.id}, {clicks} clicks {how}: {_outcome(results, approach, how)}"


def _as_written(engine: Engine, approach: ModuleType, order: Order) -> Click:
    name = approach.__name__.rpartition(".")[2]
    enqueue_once = getattr(as_written, f"{name}_enqueue_payment_once")
    return lambda: enqueue_once(engine, order)


def _at_its_best(engine: Engine, queue: TaskQueue, approach: ModuleType, order: Order) -> Click:
    def click() -> Task | None:
        with writing(engine) as session:
            return approach.enqueue_payment_once(session, queue, existing(session, order.id or 0))

    return click


def _at_once(click: Click, count: int) -> list[Any]:
    """What each click returned or raised."""
    ready = threading.Barrier(count)

    def run(_number: int) -> Any:
        try:
            ready.wait(STORM_TIMEOUT)
            return click()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count, "panel click") as threads:
        return list(threads.map(run, range(count)))


class _AllCheckFirst:
    """Blocks each thread after its first SELECT until all have run theirs."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count)
        self._checked: set[int] = set()

    def around(self, connection: Any, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        result = run()
        thread = threading.get_ident()
        if sql.startswith("SELECT") and thread not in self._checked:
            self._checked.add(thread)
            with suppress(threading.BrokenBarrierError):
                self._barrier.wait(STORM_TIMEOUT)
        return result


def _outcome(results: list[Any], approach: ModuleType, how: How) -> str:
    payments = sum(isinstance(result, Task) for result in results)
    refused = sum(isinstance(result, sqlalchemy_errors.IntegrityError) for result in results)
    errors = {plain(error) for error in results if isinstance(error, Exception)}
    text = counted(payments, "live payment")
    if payments > 1 and approach is inverted:  # a column holds one id
        text += ", 1 of them an orphan" if payments == 2 else f", {payments - 1} of them orphans"
    if payments > 1 and approach is classic and how == "at its best":
        text += "; these bare tables have no unique index that refuses"
    if refused:
        text += f"; the unique index refused {refused}"
    elif errors:
        text += "; " + "; ".join(sorted(errors))
    return text
