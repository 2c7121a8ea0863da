"""3.1: the document's classic check overlooks a running payment; fix its one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, delete
from sqlmodel import Session

from taskref_edu import Order, Task, TaskQueue, writing
from taskref_edu.exercises.catalog._answer_forms import require_few_changes
from taskref_edu.exercises.catalog._clicks import ORDER, PAYMENT, bring_to, one_order
from taskref_edu.exercises.catalog._worlds import (
    NOW,
    Row,
    World,
    changes,
    classic_world,
    judge_worlds,
    opened,
    placed,
    rows_of,
    worlds,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.models import LIVE, TaskStatus

WORLDS = 9
Click = Callable[[Session, TaskQueue, Order], Any]

STUB = '''
from sqlalchemy import func
from sqlmodel import col, select

from taskref_edu import Task


def enqueue_if_none(session, queue, order):
    """Enqueue a payment unless one is in process; None if one is."""
    query = select(Task.id).where(Task.type == "process_payment")
    query = query.where(func.json_extract(Task.payload, "$.order_id") == order.id)
    query = query.where(Task.status == "pending")
    if session.exec(query).first() is None:
        return queue.enqueue(session, "process_payment", {"order_id": order.id})
    return None
'''
LINE = 'query.where(Task.status == "pending")'


@contextmanager
def shop() -> Iterator[tuple[Engine, TaskQueue]]:
    """A database without tasks; order 7 is the one that is clicked."""
    with opened("as_written") as engine:
        one_order(engine)
        yield engine, TaskQueue(engine)


def clicked(click: Click, engine: Engine, queue: TaskQueue) -> Any:
    """What a click on order 7 returns."""
    with writing(engine) as session:
        return click(session, queue, session.get_one(Order, ORDER))


def check_every_status(click: Click) -> None:
    """A click while a payment waits or runs enqueues nothing; after it ended, and at the first time, it enqueues."""
    with shop() as (engine, queue):
        for status in (None, *TaskStatus):
            with writing(engine) as session:
                session.execute(delete(Task))
                if status is not None:
                    queue.enqueue(session, PAYMENT, {"order_id": ORDER})
                    bring_to(session, queue, status)
            _as_it_should(status, clicked(click, engine, queue))


def _as_it_should(status: TaskStatus | None, got: Any) -> None:
    while_ = f"on an order whose payment is `{status}`" if status else "on an order without a payment"
    if status in LIVE:
        if isinstance(got, Task):
            twice = f"A click {while_} enqueues another one: the order is paid twice."
            raise CheckFailed(twice, expected=None, found=got)
        if got is not None:
            returned = f"A click {while_} enqueues nothing, and returns `{got!r:.60}`; expected None."
            raise CheckFailed(returned, expected=None, found=got)
    elif not isinstance(got, Task):
        again = "it has ended, and must not stand in the way" if status else "nothing stands in the way"
        raise CheckFailed(f"A click {while_} enqueues nothing; {again}.", expected="a task", found=got)


def check_in_random_worlds(click: Click) -> None:
    """In random databases, where tasks differ in every column: a task where no payment is live, else None."""
    with opened("as_written") as engine:
        judge_worlds(worlds(31, WORLDS, classic_world, 14), lambda world: _problem(click, engine, world))


def _problem(click: Click, engine: Engine, world: World) -> CheckFailed | None:
    for order in world.orders[:3]:
        payments = [
            task for task in world.tasks if task["type"] == PAYMENT and task["payload"]["order_id"] == order["id"]
        ]
        live = [task for task in payments if task["status"] in LIVE]
        with placed(engine, world) as session:
            before = rows_of(session)
            with callers(session):
                got = click(session, TaskQueue(engine), session.get_one(Order, order["id"]))
            new = changes(before, rows_of(session))
        told = f"a click on order {order['id']}"
        if live and new:
            return CheckFailed(
                f"Task {live[0]['id']} is a live payment ({_about(live[0])}), and {told} enqueues another.",
                expected=None,
                found=got,
            )
        if live and got is not None:
            return CheckFailed(
                f"Nothing is enqueued by {told}, which is right; it returns `{got!r:.60}`, and not None.",
                expected=None,
                found=got,
            )
        if not live and not (isinstance(got, Task) and list(new) == [("task", got.id)]):
            nothing = f"No payment of the order is live, and {told} enqueues nothing; expected one task."
            return CheckFailed(nothing, expected="a task", found=got)
    return None


def _about(task: Row) -> str:
    facts = [f"`{task['status']}`"]
    facts += ["asked to stop"] * (task["cancel_requested_at"] is not None)
    facts += [f"attempt {task['attempt']}"] * bool(task["attempt"])
    facts += ["due later"] * (task["available_at"] > NOW)
    return ", ".join(facts)


def check_this_payment_only(click: Click) -> None:
    """Tasks of other orders and of other types do not stand in the way."""
    with shop() as (engine, queue):
        for type, order_id in ((PAYMENT, 70), ("send_receipt", ORDER)):
            with writing(engine) as session:
                session.execute(delete(Task))
                queue.enqueue(session, type, {"order_id": order_id})
                bring_to(session, queue, TaskStatus.RUNNING)
            got = clicked(click, engine, queue)
            if not isinstance(got, Task):
                stopped = f"A running `{type}` of order {order_id} stops the payment of order {ORDER}."
                raise CheckFailed(stopped, expected="a task", found=got)


def check_one_line(click: Click) -> None:
    """The repair is one line."""
    require_few_changes(click, STUB, 1)


THREE_LINES = "".join(
    f'    query = query.where(Task.status != "{end}")\n' for end in ("succeeded", "failed", "cancelled")
)


def _mended(line: str) -> str:
    return STUB.replace(LINE, line)


EXERCISE = Exercise(
    id="3.1",
    title="Pending isn't the whole truth",
    objective="3-live",
    core=True,
    goal="""
This is the document's classic check. Change **one line**, so that a click enqueues nothing while a payment of the
order waits *or runs*. A payment that has ended, however it ended, must not stand in the way of another one. Nothing
else changes: the function returns the new task, or None.
""",
    stub=STUB,
    checks=[check_every_status, check_this_payment_only, check_in_random_worlds, check_one_line],
    hints=[
        "There are five statuses. Which of them mean that the payment may still happen?",
        "A task that waits is `pending`, a task that is being worked on is `running`. The other three are ends: "
        "`succeeded`, `failed`, `cancelled`. Name the two that you want, not those that you do not want.",
        """
`col(…)` gives the column its `in_`:

```python
query = query.where(col(Task.status).in_([..., ...]))
```
""",
    ],
    solution=_mended('query.where(col(Task.status).in_(["pending", "running"]))'),
    discussion="""
`!= "succeeded"` looks the same on the first day. Then a card is refused, the task ends as `failed`, and the order
can never be paid again. Name what you mean: the live statuses.

The check only reads. Two clicks can read at the same moment; that is the rest of this notebook.
""",
    wrong_answers=[
        Wrong(_mended('query.where(Task.status != "succeeded")'), "payment is `failed` enqueues nothing"),
        Wrong(
            _mended('query.where(col(Task.status).in_(["pending", "running", "failed"]))'),
            "payment is `failed` enqueues nothing",
        ),
        Wrong(
            _mended('query.where(col(Task.status).in_(["pending", "running", "succeeded"]))'),
            "payment is `succeeded` enqueues nothing",
        ),
        Wrong(_mended("query"), "payment is `succeeded` enqueues nothing"),
        Wrong(_mended('query.where(Task.status == "running")'), "payment is `pending` enqueues another one"),
        Wrong(
            _mended('query.where(Task.status == "pending" or Task.status == "running")'),
            "payment is `pending` enqueues another one",
        ),
        Wrong(
            STUB.replace(
                '    query = query.where(func.json_extract(Task.payload, "$.order_id") == order.id)\n', ""
            ).replace(LINE, 'query.where(col(Task.status).in_(["pending", "running"]))'),
            "A running `process_payment` of order 70 stops the payment of order 7",
        ),
        Wrong(
            STUB.replace(
                "    if session.exec",
                '    running = select(Task.id).where(Task.status == "running")\n    if session.exec',
            ).replace("is None:", "is None and session.exec(running).first() is None:"),
            "A running `process_payment` of order 70 stops the payment of order 7",
        ),
        Wrong(
            _mended(
                'query.where(col(Task.status).in_(["pending", "running"]), col(Task.cancel_requested_at).is_(None))'
            ),
            "asked to stop",
        ),
        Wrong(STUB.replace(f"    query = {LINE}\n", THREE_LINES), "3 lines of the function are new or changed"),
    ],
)
