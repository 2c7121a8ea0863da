"""1.1: the order that references a task; in random databases, with every kind of stranger about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, inverted, reading, writing
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

OrderOf = Callable[[Session, Task], Any]
WORLDS = 16


def check_in_random_worlds(order_of: OrderOf) -> None:
    """In random databases, small and large, each task leads to its order with all its values, if it has one."""
    with opened() as engine:
        judge_worlds(worlds(11, WORLDS, lookup_world), lambda world: _problem(order_of, engine, world))
        judge_large_world(lambda world: _problem(order_of, engine, world))


def _problem(order_of: OrderOf, engine: Engine, world: World) -> CheckFailed | None:
    owners = {order["processing_task_id"]: order for order in world.orders}
    with placed(engine, world) as session:
        for row in world.tasks:
            order, task = owners.get(row["id"]), session.get_one(Task, row["id"])
            try:
                with callers(session):
                    found = order_of(session, task)
            except Exception:
                if order is not None:
                    raise
                continue  # no order references it: an error is an answer
            if order is None and found is not None:
                return CheckFailed(
                    f"No order references task {task.id}, and the function returned {_said(found)}; "
                    "expected None, or an error.",
                    expected="None, or an error",
                    found=found,
                )
            if order is not None and (problem := _not_the_row(found, order)):
                returned = found.model_dump() if isinstance(found, Order) else found
                return CheckFailed(f"For task {task.id} {problem}", expected=dict(order), found=returned)
    return None


def _not_the_row(found: Any, order: Any) -> str:
    expected = f"expected order {order['id']}, whose `processing_task_id` is {order['processing_task_id']}."
    if not isinstance(found, Order) or found.id != order["id"]:
        return f"the function returned {_said(found)}; {expected}"
    for column, value in order.items():
        if getattr(found, column) != value:
            told = f"its `{column}` is `{getattr(found, column)!r}`, and in the table it is `{value!r}`"
            return f"the function returned an order of the right id, made up by itself: {told}."
    return ""


def _said(found: Any) -> str:
    return f"order {found.id}" if isinstance(found, Order) else f"`{found!r:.60}`"


@contextmanager
def five_payments() -> Iterator[tuple[Any, dict[int, int]]]:
    """A database with five orders in process, and which order belongs to which task: no two ids are the same."""
    with opened() as engine:
        queue = TaskQueue(engine)
        with writing(engine) as session:
            orders = [Order(id=100 + number, customer=f"customer {number}", amount=1000) for number in range(5)]
            # Orders that a wrong look-up by the task's id would find; and many, for one that looks at the first few.
            strangers = [Order(id=number, customer=f"stranger {number}", amount=1) for number in range(1, 90)]
            session.add_all([*orders, *strangers])
            session.flush()
            # Not in the order of their ids, so that a constant offset is no answer either.
            owners = {inverted.enqueue_payment(session, queue, orders[n]).id or 0: 100 + n for n in (3, 0, 4, 1, 2)}
        yield engine, owners


def check_right_order(order_of: OrderOf) -> None:
    """Each of five tasks leads to the order that references it, although no ids match."""
    with five_payments() as (engine, owners):
        answers: dict[int, tuple[Any, int | None]] = {}  # what was returned, and its id if it is an order
        for task_id in owners:
            with reading(engine) as session:
                task = session.get_one(Task, task_id)
                with callers(session):
                    found = order_of(session, task)
                answers[task_id] = found, found.id if isinstance(found, Order) else None
    own = all(found_id == task_id for task_id, (_, found_id) in answers.items())
    expected = {f"task {task_id}": f"order {order_id}" for task_id, order_id in owners.items()}
    returned = {f"task {task_id}": f"order {id}" if id else found for task_id, (found, id) in answers.items()}
    for task_id, order_id in owners.items():
        if problem := _problem_of(*answers[task_id], task_id, order_id, own):
            raise CheckFailed(problem, expected=expected, found=returned)


def _problem_of(found: Any, found_id: int | None, task_id: int, order_id: int, own: bool) -> str:
    expected = f"expected order {order_id}, whose `processing_task_id` is {task_id}"
    what = f"For task {task_id} the function returned"
    if found is None:
        return f"{what} nothing; {expected}."
    if not isinstance(found, Order):
        return f"{what} `{found!r:.60}`; {expected}."
    why = ": the order's own id was compared with the task's" if own else ""
    return f"{what} order {found_id}{why}; {expected}." if found_id != order_id else ""


def check_no_payload_needed(order_of: OrderOf) -> None:
    """The task's payload plays no part: a payload that names a stranger changes nothing."""
    with five_payments() as (engine, owners):
        task_id, order_id = next(iter(owners.items()))
        with writing(engine) as session:
            session.get_one(Task, task_id).payload = {"order_id": 1}
        with reading(engine) as session:
            task = session.get_one(Task, task_id)
            with callers(session):
                found = order_of(session, task)
            if not isinstance(found, Order):
                returned = f"With a payload on task {task_id}, the function returned `{found!r:.60}`."
                raise CheckFailed(returned, expected=f"order {order_id}", found=found)
            if found.id != order_id:
                raise CheckFailed(
                    f"The payload of task {task_id} was changed to name order {found.id}, and the function followed "
                    "it. In the inverted approach the order's reference decides.",
                    expected=f"order {order_id}",
                    found=found,
                )


def check_follows_now(order_of: OrderOf) -> None:
    """The reference is read from the database as it stands: after it moved, the new order is found."""
    with five_payments() as (engine, owners):
        task_id, order_id = next(iter(owners.items()))
        with reading(engine) as session:
            order_of(session, session.get_one(Task, task_id))
        with writing(engine) as session:
            session.get_one(Order, order_id).processing_task_id = None
            session.flush()
            session.get_one(Order, 9).processing_task_id = task_id
        with reading(engine) as session:
            task = session.get_one(Task, task_id)
            with callers(session):
                found = order_of(session, task)
            now = session.exec(select(Order).where(col(Order.processing_task_id) == task_id)).one()
            if not isinstance(found, Order):
                returned = f"After the reference moved, the function returned `{found!r:.60}`."
                raise CheckFailed(returned, expected=now, found=found)
            if found.id != now.id:
                still = f"the function still returns order {found.id}"
                moved = f"The reference to task {task_id} moved to order {now.id}; {still}."
                raise CheckFailed(moved, expected=now, found=found)


EXERCISE = Exercise(
    id="1.1",
    title="Follow the arrow",
    objective="1-follow",
    core=True,
    goal="""
Write `order_of(session, task)`: return the order that references the task.

The arrow points from the order to the task, in the column `Order.processing_task_id`. The payload plays no part.
A task that no order references leads to no order: return None, or let an error be raised. The caller goes on with
the session.
""",
    stub='''
from sqlmodel import select

from taskref_edu import Order


def order_of(session, task):
    """The order that references the task."""
    ...
''',
    checks=[check_right_order, check_no_payload_needed, check_follows_now, check_in_random_worlds],
    errors=[
        (
            "'NoneType' object (is not subscriptable|has no attribute)",
            "The task has no payload: it does not name the order, the order names it",
        )
    ],
    hints=[
        "Which of the two tables holds the arrow? Look there, and not into the task.",
        "You want the row of `orders` whose `processing_task_id` equals the task's id. In SQL: "
        "`SELECT * FROM orders WHERE processing_task_id = :task_id`.",
        """
`select(Order).where(…)` says it in Python; `session.exec(query).one()` runs it and insists on one row:

```python
query = select(Order).where(Order.processing_task_id == ...)
return session.exec(query).one()
```
""",
    ],
    solution='''
from sqlmodel import select

from taskref_edu import Order


def order_of(session, task):
    """The order that references the task."""
    return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
''',
    discussion="""
The task's id and the order's id are two different numbers; that they often coincide in a small database hides
the mistake until the first task without an order.

`one()` raises an error if no order references the task. What a worker should do then is a question of notebook 02.
""",
    wrong_answers=[
        Wrong(
            """
from taskref_edu import Order

def order_of(session, task):
    return session.get(Order, task.id)
""",
            "the order's own id was compared with the task's",
        ),
        Wrong(
            """
from taskref_edu import Order

def order_of(session, task):
    return session.get(Order, task.payload["order_id"])
""",
            "The task has no payload",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task):
    if task.payload:
        return session.get(Order, task.payload["order_id"])
    return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
""",
            "In the inverted approach the order's reference decides",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task):
    return session.exec(select(Order).where(Order.processing_task_id != None)).first()
""",
            "the function returned order",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task):
    return session.exec(select(Order.id).where(Order.processing_task_id == task.id)).one()
""",
            "the function returned `10",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task, known={}):
    if task.id not in known:
        known[task.id] = session.exec(select(Order.id).where(Order.processing_task_id == task.id)).one()
    return session.get(Order, known[task.id])
""",
            "the function still returns order",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task):
    order = session.exec(select(Order).where(Order.processing_task_id == task.id)).first()
    return order or session.get(Order, task.id)
""",
            "No order references task",
        ),
        Wrong(
            """
from sqlmodel import select
from taskref_edu import Order

def order_of(session, task):
    with session:
        return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()
""",
            "`with session:` in line",
        ),
    ],
)
