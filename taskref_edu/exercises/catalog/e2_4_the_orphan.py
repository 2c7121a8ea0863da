"""2.4: the inverted look-up, which says by name that no order points at the task."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, Worker, inverted, reading, writing
from taskref_edu.errors import OrphanTask
from taskref_edu.exercises.catalog._worlds import (
    World,
    judge_large_world,
    judge_worlds,
    lookup_world,
    opened,
    placed,
    worlds,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.queue.running_task import RunningTask

FindOrder = Callable[[Session, Any], Any]
ANN, BOB, CLEO = 111, 112, 113
WORLDS = 12


@contextmanager
def shop() -> Iterator[tuple[Engine, TaskQueue, dict[str, int]]]:
    """Three tasks in process, oldest first: one whose reference was never set, one whose order is deleted, Cleo's."""
    with opened() as engine:
        queue = TaskQueue(engine, backoff=0)
        with writing(engine) as session:
            orders = [
                Order(id=id, customer=name, amount=1000) for id, name in ((ANN, "Ann"), (BOB, "Bob"), (CLEO, "Cleo"))
            ]
            # Orders with the ids of tasks, for look-ups of the wrong id.
            session.add_all([*orders, *(Order(id=id, customer="stranger", amount=1) for id in range(1, 6))])
            session.flush()
            queue.enqueue(session, "warm_up")
            unset = queue.enqueue(session, inverted.PAYMENT)
            deleted = inverted.enqueue_payment(session, queue, orders[1])
            good = inverted.enqueue_payment(session, queue, orders[2])
            session.delete(orders[1])
        yield engine, queue, {"unset": unset.id or 0, "deleted": deleted.id or 0, "good": good.id or 0}


def _running(queue: TaskQueue, id: int, payload: Any = None) -> RunningTask:
    return RunningTask(id, inverted.PAYMENT, payload, 1, 1, queue=queue)


def check_finds_the_order(find_order: FindOrder) -> None:
    """A task that an order references leads to that order."""
    with shop() as (engine, queue, ids), reading(engine) as session:
        found = find_order(session, _running(queue, ids["good"]))
        expected = f"expected order {CLEO}, whose `processing_task_id` is {ids['good']}"
        what = f"For task {ids['good']} the function returned"
        if not isinstance(found, Order):
            raise CheckFailed(f"{what} `{found!r:.60}`; {expected}.", expected=f"order {CLEO}", found=found)
        if found.id != CLEO:
            raise CheckFailed(f"{what} order {found.id}; {expected}.", expected=f"order {CLEO}", found=found)


def check_names_the_orphan(find_order: FindOrder) -> None:
    """Without an order, be it never referenced or deleted since, the look-up raises OrphanTask and names the task."""
    with shop() as (engine, queue, ids), reading(engine) as session:
        for name, why in (("unset", "whose reference was never set"), ("deleted", "whose order was deleted")):
            task = _running(queue, ids[name])
            said = _raised(find_order, session, task, why)
            if not _names(said, task.id):
                raise _unnamed(said, task.id)


def _unnamed(said: str, id: int) -> CheckFailed:
    problem = f"The error for task {id} says `{said:.80}`; it does not name the task."
    return CheckFailed(problem, expected=f"a text that names task {id}", found=said)


def _names(said: str, id: int) -> bool:
    return re.search(rf"(?<!\d){id}(?!\d)", said) is not None


def _raised(find_order: FindOrder, session: Session, task: RunningTask, why: str) -> str:
    try:
        found = find_order(session, task)
    except OrphanTask as error:
        return str(error)
    except Exception as error:
        kind = type(error).__name__
        raised = f"For a task {why} the function raised {kind}; expected OrphanTask."
        raise CheckFailed(raised, expected="OrphanTask", found=kind) from None
    what = f"order {found.id}" if isinstance(found, Order) else f"`{found!r:.40}`"
    returned = f"For a task {why} the function returned {what}; expected OrphanTask."
    raise CheckFailed(returned, expected="OrphanTask", found=found)


def check_in_random_worlds(find_order: FindOrder) -> None:
    """In random databases, small and large: the order with all its values, or OrphanTask with the task's own id."""
    with opened() as engine:
        queue = TaskQueue(engine)
        judge_worlds(worlds(24, WORLDS, lookup_world), lambda world: _problem(find_order, engine, queue, world))
        judge_large_world(lambda world: _problem(find_order, engine, queue, world))


def _problem(find_order: FindOrder, engine: Engine, queue: TaskQueue, world: World) -> CheckFailed | None:
    owners = {order["processing_task_id"]: order for order in world.orders}
    orders = {order["id"] for order in world.orders}
    with placed(engine, world) as session:
        for row in world.tasks:
            task, order = _running(queue, row["id"], row["payload"]), owners.get(row["id"])
            try:
                with callers(session):
                    found = find_order(session, task)
            except OrphanTask as error:
                if order is not None:
                    return CheckFailed(
                        f"Order {order['id']} ({order['status']}) references task {task.id}, and the function raised "
                        f"OrphanTask: {error!s:.80}.",
                        expected=f"order {order['id']}",
                        found="OrphanTask",
                    )
                if task.id not in orders and not _names(str(error), task.id):
                    return _unnamed(str(error), task.id)
                continue
            if order is None:
                returned = f"No order references task {task.id}, and the function returned {_said(found)}."
                return CheckFailed(returned, expected="OrphanTask", found=found)
            if not isinstance(found, Order) or found.model_dump() != dict(order):
                return CheckFailed(
                    f"For task {task.id} the function returned {_said(found)}; expected `{order}`.",
                    expected=dict(order),
                    found=found.model_dump() if isinstance(found, Order) else found,
                )
    return None


def _said(found: Any) -> str:
    return f"order {found.id}, `{found!r:.90}`" if isinstance(found, Order) else f"`{found!r:.60}`"


def check_the_worker_goes_on(find_order: FindOrder) -> None:
    """In a worker, both orphans fail at their first attempt, and the next payment is made."""
    with shop() as (engine, queue, ids):
        raised: dict[int, str] = {}  # a subclass counts as OrphanTask, and a task's record does not show what it is

        @queue.handler(inverted.PAYMENT)
        def pay(task: RunningTask) -> None:
            try:
                with task.completing() as session:
                    find_order(session, task).status = "paid"
            except Exception as error:
                raised[task.id] = "OrphanTask" if isinstance(error, OrphanTask) else type(error).__name__
                raise

        queue.handler("warm_up")(lambda task: None)
        Worker(queue).run_until_idle()
        with reading(engine) as session:
            ended = {name: session.get_one(Task, id) for name, id in ids.items()}
            paid = session.exec(select(Order.id).where(Order.status == "paid")).all()
        for name in ("unset", "deleted"):
            _expect_failed(ended[name], raised.get(ids[name], "no error"))
        if paid != [CLEO]:
            problem = f"After the orphans the orders {paid} are paid; expected {[CLEO]}."
            raise CheckFailed(problem, expected={CLEO}, found=paid)


def _expect_failed(task: Task, error: str) -> None:
    """The orphan failed by name, at its first attempt."""
    expected = {"status": "failed", "attempts": 1, "error": "OrphanTask"}
    found = {"status": task.status, "attempts": task.attempt, "error": error}
    if task.status != "failed" or error != "OrphanTask":
        how = f"`{task.status}` with `{task.error or 'no error':.80}`"
        ends = f"In a worker the orphan ends as {how}; expected `failed` with OrphanTask."
        raise CheckFailed(ends, expected=expected, found=found)
    if task.attempt != 1:
        tried = f"The orphan was tried {task.attempt} times; a permanent failure is tried once."
        raise CheckFailed(tried, expected=expected, found=found)


def check_hides_nothing_else(find_order: FindOrder) -> None:
    """A database that does not answer is no orphan: its error comes through as it is."""
    with shop() as (engine, queue, ids):
        with writing(engine) as session:
            session.execute(text("ALTER TABLE orders RENAME TO moved_away"))
        with reading(engine) as session:
            try:
                find_order(session, _running(queue, ids["good"]))
            except OrphanTask:
                raise AssertionError(
                    "The table of orders could not be read, and the function said OrphanTask. "
                    "Such a task would fail for good, though its order is there."
                ) from None
            except DBAPIError:
                return
            except Exception as error:
                kind = type(error).__name__
                raise AssertionError(
                    f"The table of orders could not be read, and the function raised {kind} instead of the database's "
                    "error: whoever searches for the cause is misled."
                ) from None
        raise AssertionError("The table of orders could not be read, and the function returned as if it had been.")


HEAD = """
from sqlmodel import select

from taskref_edu import Order
from taskref_edu.errors import OrphanTask

"""

EXERCISE = Exercise(
    id="2.4",
    title="The orphan",
    objective="2-orphan",
    goal="""
Write `find_order(session, task)` for the inverted approach: return the order that references the task. If there is
none, raise `OrphanTask` with a text that names the task's id. Let any other error pass as it is.
""",
    stub='''
from sqlmodel import select

from taskref_edu import Order
from taskref_edu.errors import OrphanTask


def find_order(session, task):
    """The order that references the task; OrphanTask if there is none."""
    ...
''',
    checks=[
        check_finds_the_order,
        check_names_the_orphan,
        check_the_worker_goes_on,
        check_hides_nothing_else,
        check_in_random_worlds,
    ],
    errors=[
        (
            "'NoneType' object (is not subscriptable|has no attribute)",
            "An inverted task has no payload: the order names the task",
        )
    ],
    hints=[
        "There may be one order, or none. Which of the two should raise? And what does the worker do then?",
        "`one()` raises NoResultFound, which is not yours; `one_or_none()` returns None if there is no row. "
        "Look at what it returned, and raise OrphanTask yourself.",
        """
Ask for one or none, and name the task:

```python
order = session.exec(select(Order).where(...)).one_or_none()
if order is None:
    raise OrphanTask(f"task {task.id}: no order references it")
return order
```
""",
    ],
    solution='''
from sqlmodel import select

from taskref_edu import Order
from taskref_edu.errors import OrphanTask


def find_order(session, task):
    """The order that references the task; OrphanTask if there is none."""
    order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
    if order is None:
        raise OrphanTask(f"task {task.id}: no order references it")
    return order
''',
    discussion="""
`OrphanTask` is a permanent failure: the worker does not try again, because nothing will point at this task later.

The error can name the task and nothing else. An orphan has no payload, so that nobody can tell whose order it was:
a failed classic task still holds the id that it was given.
""",
    wrong_answers=[
        Wrong(
            HEAD
            + """
def find_order(session, task):
    return session.exec(select(Order).where(Order.processing_task_id == task.id)).first()
""",
            "For a task whose reference was never set the function returned `None`",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
""",
            "the function raised NoResultFound; expected OrphanTask",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    order = session.get(Order, task.id)
    if order is None:
        raise OrphanTask(f"task {task.id}: no order references it")
    return order
""",
            "expected order 113, whose `processing_task_id` is 4",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
    if order is None:
        raise OrphanTask("no order references this task")
    return order
""",
            "it does not name the task",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    try:
        return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
    except Exception:
        raise OrphanTask(f"task {task.id}: no order references it")
""",
            "Such a task would fail for good, though its order is there",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    return session.get(Order, task.payload["order_id"])
""",
            "An inverted task has no payload",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
    if order is None:
        ids = [order.processing_task_id for order in session.exec(select(Order))]
        raise OrphanTask(f"none of the tasks {ids}, 2, 3 is this one")
    return order
""",
            "it does not name the task",
        ),
        Wrong(
            HEAD
            + """
def find_order(session, task):
    with session:
        order = session.exec(select(Order).where(Order.processing_task_id == task.id)).one_or_none()
    return order or OrphanTask(f"task {task.id}: no order references it")
""",
            "instead of raising it",
        ),
    ],
)
