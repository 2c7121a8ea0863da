"""4.2: cancel the payment of an order, at any moment, without letting a second one in."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from textwrap import dedent, indent
from typing import Any

from sqlalchemy import Engine

from taskref_edu import Order, Task, TaskQueue, reading, writing
from taskref_edu.exercises.catalog import _cancelling as shop
from taskref_edu.exercises.catalog._cancelling import CancelPayment
from taskref_edu.exercises.catalog._clicks import bring_to, seen
from taskref_edu.exercises.catalog._worlds import (
    Row,
    World,
    about_reference,
    changes,
    detached_order,
    inverted_world,
    judge_worlds,
    opened,
    placed,
    rows_of,
    worlds,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab import explore
from taskref_edu.models import ENDED, LIVE, TaskStatus

SEED, WORLDS = 42, 8  # free orders and taken ones, of each amount, status and customer: tests hold it


def check_in_random_worlds(cancel_payment: CancelPayment) -> None:
    """In random databases, with orders read long ago: the same changes and the same count as `queue.cancel` makes."""
    with opened() as engine:
        judge_worlds(worlds(SEED, WORLDS, inverted_world, 6), lambda world: _problem(cancel_payment, engine, world))


def _problem(cancel_payment: CancelPayment, engine: Engine, world: World) -> CheckFailed | None:
    dice = random.Random(len(world.tasks) * 100 + len(world.orders))
    for row in world.orders[:3]:
        now = row["processing_task_id"]
        old = dice.choice([None, 4_711, now, *(task["id"] for task in world.tasks)])
        if problem := _problem_with(cancel_payment, engine, world, row, old):
            with suppress(Exception):  # if it fails without being old, too
                return _problem_with(cancel_payment, engine, world, row, now) or problem
            return problem
    return None


def _problem_with(
    cancel_payment: CancelPayment, engine: Engine, world: World, row: Row, old: int | None
) -> CheckFailed | None:
    """What is wrong with cancelling for this order, which referenced `old` when it was read."""
    now, queue = row["processing_task_id"], TaskQueue(engine)
    about = about_reference(f"Order {row['id']}", now, old)
    with placed(engine, world) as session:
        before = rows_of(session)
        wanted = int(now is not None and queue.cancel(session, now))
        wanted_changes = _without_times(changes(before, rows_of(session)))
        session.rollback()
    with placed(engine, world) as session, callers(session):
        count = cancel_payment(session, queue, detached_order({**row, "processing_task_id": old}))
        found = _without_times(changes(before, rows_of(session)))
    if found != wanted_changes:
        return CheckFailed(
            f"{about} Cancelling changed {_told(found)}; expected: {_told(wanted_changes)}.",
            expected=_listed(wanted_changes),
            found=_listed(found),
        )
    if count != wanted or not isinstance(count, int):
        returned = f"{about} `{count!r:.40}` returned; expected {wanted}, the tasks stopped."
        return CheckFailed(returned, expected=wanted, found=count)
    return None


def _listed(new: dict[tuple[str, int], Any]) -> dict[tuple[str, int], Any]:
    return {key: row or "deleted" for key, row in new.items()}


def _without_times(new: dict[tuple[str, int], Any]) -> dict[tuple[str, int], Any]:
    """The changes, and of a time only that it was set."""
    times = ("finished_at", "cancel_requested_at", "available_at")

    def timeless(row: Any) -> Any:
        return row and {name: "a time" if name in times and value else value for name, value in row.items()}

    return {key: timeless(row) for key, row in new.items()}


def _told(new: dict[tuple[str, int], Any]) -> str:
    return ", ".join(f"{table} {id} {row or 'deleted'}" for (table, id), row in new.items()) or "nothing"


def check_spares_strangers(cancel_payment: CancelPayment) -> None:
    """The payment of another order goes on."""
    with shop.shop() as (engine, queue):
        shop.order_with_payment(engine, shop.ORDER)
        other = shop.order_with_payment(engine, 8)
        order = seen(engine)
        with writing(engine) as session:
            with callers(session):
                cancel_payment(session, queue, order)
            spared = session.get_one(Task, other).cancel_requested_at is None
    if not spared:
        stopped = f"Order {shop.ORDER} should be stopped, but the payment of order 8 was stopped, too."
        raise CheckFailed(stopped, expected={"asked to stop": {shop.ORDER}}, found={"asked to stop": [shop.ORDER, 8]})


def check_every_status(cancel_payment: CancelPayment) -> None:
    """Pending ends, running is asked to stop and stays referenced, ended is left alone; the count says which."""
    with shop.shop() as (engine, queue):
        # The pending one last: the others are claimed on their way.
        statuses = [*ENDED, TaskStatus.RUNNING, TaskStatus.PENDING]
        tasks = {id: shop.order_with_payment(engine, id, status) for id, status in enumerate(statuses, 11)}
        for (id, task_id), status in zip(tasks.items(), statuses, strict=True):
            order = seen(engine, id)
            with writing(engine) as session:
                count = cancel_payment(session, queue, order)
            with reading(engine) as session:
                order, task = session.get(Order, id), session.get(Task, task_id)
                assert order is not None, f"Order {id} was deleted; only its payment should be cancelled."
                assert task is not None, f"Task {task_id} was deleted; a cancelled task stays, as a record."
                judge(status, count, task, order)


def judge(was: TaskStatus, count: Any, task: Task, order: Order) -> None:
    """Compare one order and its task with what cancelling is to do."""
    expected, status = int(was in LIVE), TaskStatus.CANCELLED if was == TaskStatus.PENDING else was
    asked = was == TaskStatus.RUNNING
    wanted = {"returned": expected, "status": status, "asked to stop": asked, "referenced": asked}
    found = {"returned": count, "status": task.status, "asked to stop": task.cancel_requested_at is not None}
    found["referenced"] = order.processing_task_id == task.id
    if problem := _misjudged(was, task, order) or _miscounted(was, count, expected, task.id):
        raise CheckFailed(problem, expected=wanted, found=found)


def _misjudged(was: TaskStatus, task: Task, order: Order) -> str:
    """What is wrong with the rows now."""
    if was == TaskStatus.PENDING and task.status != TaskStatus.CANCELLED:
        asked = ", and only asked to stop, which no worker hears" if task.cancel_requested_at else ""
        return f"A pending task should be cancelled; it is now `{task.status}`{asked}."
    if was == TaskStatus.RUNNING:
        if task.status != was:
            hands = "under its worker's hands"
            return f"A running task became `{task.status}` {hands}; `queue.cancel` only asks it to stop."
        if task.cancel_requested_at is None:
            return "A running task should be asked to stop; nobody asked it."
        if order.processing_task_id != task.id:
            return "The task runs on, and the order no longer references it: the next click starts a second payment."
    if was in ENDED and task.status != was:
        return f"A task that had `{was}` is now `{task.status}`; ended tasks stay as they are."
    return ""


def _miscounted(was: TaskStatus, count: Any, expected: int, id: int | None) -> str:
    """What is wrong with the number that was returned."""
    if not isinstance(count, int):
        return f"`{count!r:.40}` returned; expected a number of tasks, here {expected}."
    if count != expected:
        its_id, meant = (", its id", "how many were stopped") if count == id != 1 else ("", "the tasks stopped")
        return f"The task was `{was}`, and {count} returned{its_id}; expected {expected}, {meant}."
    return ""


def check_looks_again(cancel_payment: CancelPayment) -> None:
    """What counts is the task that the order references now, not when it was read. Nothing is committed."""
    with shop.shop() as (engine, queue):
        first = shop.order_with_payment(engine, shop.ORDER)
        order = seen(engine)
        with writing(engine) as session:
            bring_to(session, queue, TaskStatus.SUCCEEDED)
        with writing(engine) as session:
            second = shop.pay_again(session, queue)
        with writing(engine) as session:
            count = cancel_payment(session, queue, order)
            found = session.get_one(Task, second).status
            session.rollback()
        with reading(engine) as session:
            kept = session.get_one(Task, second).status
    if found != TaskStatus.CANCELLED:
        raise CheckFailed(
            f"The order was read while it referenced task {first}; by now it references task {second}, which was not "
            f"cancelled ({count} returned). Ask the database for the reference once more.",
            expected={"returned": 1, f"task {second}": "cancelled"},
            found={"returned": count, f"task {second}": found},
        )
    committed = "The function committed: its caller rolled back, and the task stays cancelled. The caller decides."
    if kept != TaskStatus.PENDING:
        at = f"task {second}, rolled back"
        raise CheckFailed(committed, expected={at: "pending"}, found={at: kept})


def check_every_schedule(cancel_payment: CancelPayment) -> None:
    """Beside a worker and a second click, in every interleaving, the order never has two live payments."""
    actors = [shop.customer(cancel_payment, writing), shop.second_click, shop.worker]
    _explore("inside `writing()`", actors, shop.pending)


def check_deferred(cancel_payment: CancelPayment) -> None:
    """The same in a deferred transaction, while the task runs; to be refused by a lock is allowed there."""
    actors = [shop.customer(cancel_payment, shop.deferred), shop.second_click]
    _explore("inside a deferred transaction", actors, shop.running)


def _explore(where: str, actors: list[Callable[[Engine], Any]], setup: Callable[[Engine], None]) -> None:
    found = explore(actors, setup=setup, invariant=shop.all_well, schema="inverted")
    if not found.holds:
        problem = found.problems[found.shortest or ""][0]
        raise CheckFailed(f"{len(found.broken)} of {found.count} schedules break {where}: {problem}.", found)


def _wrong(body: str, message: str) -> Wrong:
    head = "from sqlmodel import select\nfrom taskref_edu import Order, Task\n\n"
    return Wrong(f"{head}def cancel_payment(session, queue, order):\n{indent(dedent(body).strip(), '    ')}", message)


EXERCISE = Exercise(
    id="4.2",
    title="Stop it",
    objective="4-stop",
    core=True,
    goal="""
Write the inverted `cancel_payment(session, queue, order)`: cancel the task that the order references. Return how many
tasks were cancelled or asked to stop: 1 or 0; to ask once more counts, too. A task that waits ends at once, a task that
runs is only asked to stop. Nothing else changes. The caller commits, and may have begun with a plain BEGIN.

`order` may have been read a while ago: it may reference another task by now, or none. The trigger is there: it clears
the reference when the task has ended.
""",
    stub='''
from sqlmodel import select

from taskref_edu import Order


def cancel_payment(session, queue, order):
    """Cancel the order's payment; how many tasks were cancelled or asked to stop."""
    ...
''',
    checks=[
        check_spares_strangers,
        check_every_status,
        check_looks_again,
        check_in_random_worlds,
        check_every_schedule,
        check_deferred,
    ],
    errors=[
        (
            "task None not found",
            "There was no task to cancel: the order references none, or the reference was cleared before it was used. "
            "Look first; with no task, return 0",
        ),
        (
            r"task \d+ not found",
            "That is not a task's id; is it the order's? `queue.cancel` takes the task's: ask the order's row, now, "
            "which one it references",
        ),
        (
            r"the id of a task expected",
            "`queue.cancel` takes the task's id, a number: ask the order's row for `processing_task_id`, as it is now",
        ),
        (
            r"a task as claim\(\) returns it",
            "This verb is for the worker that holds the task. Everybody else calls `queue.cancel(session, task_id)`",
        ),
    ],
    hints=[
        "The reference is the lock: while it is set, no second payment is let in. When may it go? Who takes it away?",
        "Ask the database which task the order references *now*, by `order.id`. If there is one, `queue.cancel` does "
        "the rest, and its answer tells whether there was anything to stop.",
        """
`queue.cancel(session, task_id)` returns True or False. Nothing here clears the reference:

```python
query = select(Order.processing_task_id).where(Order.id == order.id)
task_id = session.exec(query).one()
if task_id is None:
    return ...
return int(...)
```
""",
    ],
    solution='''
from sqlmodel import select

from taskref_edu import Order


def cancel_payment(session, queue, order):
    """Cancel the order's payment; how many tasks were cancelled or asked to stop."""
    task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
    if task_id is None:
        return 0
    return int(queue.cancel(session, task_id))
''',
    discussion="""
The document's two extra lines, which clear the reference, are what must go. As long as the task lives, the order must
say so; once the task has ended, the trigger clears the reference, whoever ended it.

In a deferred transaction SQLite refuses the cancel with `database is locked` if somebody wrote after it had read. That
is loud, and nothing has happened: begin with `writing()`, and it waits instead.
""",
    wrong_answers=[
        _wrong(
            """
            order = session.get(Order, order.id)
            if not order.processing_task_id:
                return 0
            cancelled = queue.cancel(session, order.processing_task_id)
            order.processing_task_id = None
            session.add(order)
            return int(cancelled)
            """,
            "The task runs on, and the order no longer references it",
        ),
        _wrong(
            """
            order = session.get(Order, order.id)
            order.processing_task_id = None
            session.add(order)
            session.flush()
            return int(queue.cancel(session, order.processing_task_id))
            """,
            "the reference was cleared before it was used",
        ),
        _wrong(
            """
            if order.processing_task_id is None:
                return 0
            return int(queue.cancel(session, order.processing_task_id))
            """,
            "The order was read while it referenced task 1",
        ),
        _wrong(
            """
            task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
            return int(queue.cancel(session, task_id))
            """,
            "with no task, return 0",
        ),
        _wrong(
            """
            task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
            if task_id is None:
                return 0
            queue.cancel(session, task_id)
            session.commit()
            return 1
            """,
            "Leave it out: the caller commits",
        ),
        _wrong(
            """
            task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
            task = session.get(Task, task_id) if task_id else None
            if task is None or task.status != "pending":
                return 0
            return int(queue.cancel(session, task_id))
            """,
            "nobody asked it",
        ),
        _wrong(
            """
            from taskref_edu.models import utc_now
            task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
            if task_id is None:
                return 0
            task = session.get(Task, task_id)
            task.status, task.finished_at, task.lease_expires_at = "cancelled", utc_now(), None
            return 1
            """,
            "under its worker's hands",
        ),
        _wrong(
            """
            task_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
            if task_id:
                queue.cancel(session, task_id)
            """,
            "expected a number of tasks",
        ),
        _wrong(
            """
            tasks = session.exec(select(Task).where(Task.status.in_(["pending", "running"]))).all()
            return sum(queue.cancel(session, task.id) for task in tasks)
            """,
            "order 8 was stopped, too",
        ),
    ],
)
