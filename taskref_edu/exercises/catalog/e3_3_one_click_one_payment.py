"""3.3: enqueue at most once, in whatever transaction; two and three clicks explored."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func
from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, reading, writing
from taskref_edu.exercises.catalog._clicks import (
    ONE_PROCESS,
    ORDER,
    Once,
    bring_to,
    click_in,
    click_on,
    explore_clicks,
    holds_a_lock,
    live_payments,
    seen,
    shop,
)
from taskref_edu.exercises.catalog._worlds import (
    PAYMENT,
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
from taskref_edu.models import LIVE, TaskStatus

SEED, WORLDS = 36, 8  # free orders and taken ones, of each amount, status and customer: tests hold it


def check_enqueues_for_the_caller(once: Once) -> None:
    """The first click returns its task, the order references it, and the caller's transaction decides."""
    with shop() as (engine, queue):
        free = seen(engine)
        with writing(engine) as session:
            with callers(session):
                task = once(session, queue, free)
            session.rollback()
        number = " (the id, or the number of changed rows?)" if isinstance(task, int) else ""
        if not isinstance(task, Task):
            returned = f"The first click returned `{task!r:.60}`{number}; expected its task."
            raise CheckFailed(returned, expected="a task", found=task)
        with reading(engine) as session:
            left = session.exec(select(func.count()).select_from(Task)).one()
        assert not left, "The caller rolled back, and the task is stored. Leave out `commit()`: the caller commits."
        with writing(engine) as session:
            task = once(session, queue, seen(engine))
        if not task:
            nothing = (
                "The caller rolled a click back, and the next one gets nothing. Only the database knows what holds."
            )
            raise CheckFailed(nothing, expected="a task", found=task)
        reference = seen(engine).processing_task_id
        if reference != task.id:
            problem = f"Task {task.id} was returned, and the order references {reference}."
            at = "processing_task_id"
            raise CheckFailed(problem, expected={at: task.id}, found={at: reference})


def check_refuses_the_second(once: Once) -> None:
    """A later click gets None, leaves no task behind, and spoils nothing that the caller did."""
    with shop() as (engine, queue):
        free, second = seen(engine), seen(engine)
        with writing(engine) as session:
            once(session, queue, free)
        with writing(engine) as session:
            session.get_one(Order, 8).customer = "Bob B."
            session.flush()
            with callers(session):
                again = once(session, queue, second)
        with reading(engine) as session:
            live, renamed = live_payments(session), session.get_one(Order, 8).customer == "Bob B."
        got = f"task {again.id}" if isinstance(again, Task) else f"`{again!r:.40}`"
        if again is not None:
            problem = f"A second click, which had seen the order free, got {got}; expected None."
            raise CheckFailed(problem, expected=None, found=again)
        if not live:
            raise CheckFailed(
                f"After the first click no `{PAYMENT}` waits.",
                expected={"live payments": 1},
                found={"live payments": 0},
            )
        if len(live) != 1:
            problem = f"The second click got None, and its task stays: tasks {live} wait, and a worker runs both."
            raise CheckFailed(problem, expected=set(live[:1]), found=live)
        assert renamed, "What the caller changed in the same transaction is gone: it was rolled back, too."


def check_in_random_worlds(once: Once) -> None:
    """In random databases, with orders read long ago: what counts is the table, and nothing else changes."""
    with opened() as engine:
        judge_worlds(worlds(SEED, WORLDS, inverted_world, 6), lambda world: _problem(once, engine, world))


def _problem(once: Once, engine: Engine, world: World) -> CheckFailed | None:
    dice = random.Random(len(world.tasks) * 100 + len(world.orders))
    for row in world.orders[:3]:
        now = row["processing_task_id"]
        # As it was when it was read: it may have been free or taken then, whatever it is now.
        old = dice.choice([None, 4_711, now, *(task["id"] for task in world.tasks)])
        queue = TaskQueue(engine, max_attempts=dice.randint(1, 9))
        if problem := _problem_with(once, queue, world, row, old):
            return _problem_with(once, queue, world, row, now) or problem  # if it fails without being old, too
    return None


def _problem_with(once: Once, queue: TaskQueue, world: World, row: Row, old: int | None) -> CheckFailed | None:
    """What is wrong with a click on this order, which referenced `old` when it was read."""
    now = row["processing_task_id"]
    with placed(queue.engine, world) as session:
        before = rows_of(session)
        with callers(session):
            task = once(session, queue, detached_order({**row, "processing_task_id": old}))
        new = changes(before, rows_of(session))
        if not (problem := _wrong_change(task, dict(new), row, queue)):  # in here, because the task is the session's
            return None
        expected = {"returned": None} if now else {"returned": "a task", **_right_changes(task, row, queue)}
        found = {"returned": "a task" if isinstance(task, Task) and not now else task, **_told(new, expected)}
    about = about_reference(f"Order {row['id']}", now, old)
    return CheckFailed(f"{about} {problem}", expected=expected, found=found)


def _right_changes(task: Any, order: Row, queue: TaskQueue) -> dict[Any, Any]:
    id = task.id if isinstance(task, Task) else "new"
    return {("task", id): _as_enqueued(queue), ("orders", order["id"]): {"processing_task_id": id}}


def _told(new: Mapping[Any, Any], expected: Mapping[Any, Any]) -> dict[Any, Any]:
    """The changes; of a new task only the columns that are compared."""
    return {
        key: {name: row[name] for name in expected[key] if name in row} if key in expected and row else row or "deleted"
        for key, row in new.items()
    }


def _as_enqueued(queue: TaskQueue) -> dict[str, Any]:
    first = {"attempt": 0, "lease_token": 0, "cancel_requested_at": None, "error": None}
    return {"type": PAYMENT, "status": "pending", "max_attempts": queue.max_attempts, **first}


def _wrong_change(task: Any, new: dict[tuple[str, int], Any], order: Row, queue: TaskQueue) -> str:
    """What is wrong with this task returned and these changes, for an order that was so."""
    if order["processing_task_id"]:
        if task is not None:
            return f"A click returned `{task!r:.60}`; expected None, because a payment is in process."
        return f"A click returned None, and changed: {_listed(new)}." if new else ""
    if not isinstance(task, Task):
        return f"A click returned `{task!r:.60}`; expected a task, because the order is free."
    stored = new.pop(("task", task.id or 0), None)
    if stored is None or new.pop(("orders", order["id"]), None) != {"processing_task_id": task.id}:
        return f"Task {task.id} was returned; it is not stored, or the order does not reference it."
    if wrong := {name: stored[name] for name, value in _as_enqueued(queue).items() if stored[name] != value}:
        return f"The task is not as `queue.enqueue` stores a payment: {wrong}."
    return f"Besides, these rows were changed: {_listed(new)}." if new else ""


def _listed(new: dict[tuple[str, int], Any]) -> str:
    return ", ".join(f"{table} {id}" for table, id in new)


def check_pays_again_afterwards(once: Once) -> None:
    """Once a payment has ended, however it ended, the order can be paid again."""
    with shop() as (engine, queue):
        for status in (status for status in TaskStatus if status not in LIVE):
            with writing(engine) as session:
                once(session, queue, seen(engine))
            with writing(engine) as session:
                other = once(session, queue, session.get_one(Order, 8))
                session.rollback()
            if not isinstance(other, Task):
                stopped = f"The payment of order {ORDER} stops that of order 8."
                raise CheckFailed(stopped, expected="a task", found=other)
            with writing(engine) as session:
                bring_to(session, queue, status)
            with writing(engine) as session:
                again = once(session, queue, seen(engine))
                session.rollback()
            if not isinstance(again, Task):
                nothing = f"After a payment that ended as `{status}`, a click enqueues nothing."
                raise CheckFailed(nothing, expected="a task", found=again)


def check_two_clicks(once: Once) -> None:
    """Two clicks that both saw the order free, in every interleaving of their statements: one payment."""
    assert not holds_a_lock(once), ONE_PROCESS
    explore_clicks([click_in(once, immediate=True)] * 2, "two clicks")


def check_two_clicks_without_a_lock(once: Once) -> None:
    """The same where the caller's transaction took no lock at its start."""
    explore_clicks([click_in(once, immediate=False)] * 2, "two clicks in transactions without a lock")


def check_three_clicks(once: Once) -> None:
    """Three clicks that all saw the order free, in every interleaving of their statements: one payment."""

    def click(engine: Engine) -> bool:
        return click_on(once, engine, Order(id=ORDER, customer="Ann", amount=2500), immediate=False)

    explore_clicks([click] * 3, "three clicks in transactions without a lock")


HEAD = """
from sqlalchemy import update
from sqlmodel import col

from taskref_edu import Order


def enqueue_payment_once(session, queue, order):
"""
UPDATED = (
    HEAD
    + """
    task = queue.enqueue(session, "process_payment")
    free = (col(Order.id) == order.id) & col(Order.processing_task_id).is_(None)
    done = session.execute(update(Order).where(free).values(processing_task_id=task.id))
"""
)
LOOKED = (
    HEAD
    + """
    if LOOK:
        return None
    task = queue.enqueue(session, "process_payment")
    session.execute(update(Order).where(Order.id == order.id).values(processing_task_id=task.id))
    return task
"""
)
READ_AGAIN = "session.get_one(Order, order.id, populate_existing=True).processing_task_id"
SOLUTION = '''
from sqlalchemy import update
from sqlmodel import col

from taskref_edu import Order


def enqueue_payment_once(session, queue, order):
    """Enqueue a payment unless one is in process; None if one is."""
    with session.begin_nested() as savepoint:
        task = queue.enqueue(session, "process_payment")
        free = (col(Order.id) == order.id) & col(Order.processing_task_id).is_(None)
        done = session.execute(update(Order).where(free).values(processing_task_id=task.id))
        if done.rowcount == 1:
            return task
        savepoint.rollback()
    return None
'''

EXERCISE = Exercise(
    id="3.3",
    title="One click, one payment",
    objective="3-guard",
    core=True,
    goal="""
Write `enqueue_payment_once`: enqueue a payment, let the order reference it, and return the task; or return None, and
leave nothing behind, if a payment is in process.

`order` may have been read long ago: it may have been free then and taken now, or the reverse. The caller commits, has
done other work in the same transaction, and may have begun with a plain BEGIN. Of two or three clicks at the same
instant one gets the task, the others None, and nobody an error, in whatever process they run.
""",
    stub='''
from sqlalchemy import update
from sqlmodel import col

from taskref_edu import Order


def enqueue_payment_once(session, queue, order):
    """Enqueue a payment unless one is in process; None if one is."""
    ...
''',
    checks=[
        check_enqueues_for_the_caller,
        check_refuses_the_second,
        check_pays_again_afterwards,
        check_in_random_worlds,
        check_two_clicks,
        check_two_clicks_without_a_lock,
        check_three_clicks,
    ],
    errors=[
        ("failed: orders.processing_task_id", "The UPDATE changed more than one order: its WHERE must name the order")
    ],
    hints=[
        "To read and then to write leaves a gap. Which single statement both checks the reference and sets it? And "
        "how does it tell you whether it did?",
        "`UPDATE orders SET processing_task_id = … WHERE id = … AND processing_task_id IS NULL` changes one row, or "
        "none: `session.execute(…).rowcount`. Enqueue first, because the UPDATE needs the task's id. "
        "If no row changed, the task must go again, but nothing else of the caller's.",
        """
A savepoint takes back the loser's task and nothing else:

```python
with session.begin_nested() as savepoint:
    task = queue.enqueue(session, "process_payment")
    free = (col(Order.id) == order.id) & col(Order.processing_task_id).is_(None)
    done = session.execute(update(Order).where(free).values(processing_task_id=task.id))
    if done.rowcount == ...:
        return task
    savepoint.rollback()
```
""",
    ],
    solution=SOLUTION,
    discussion="""
Check and set are one statement, so that nothing comes between them. And the first statement of all is an INSERT: it
takes the write lock before anything was read, so that even a plain BEGIN can wait for its turn.

This is what "natural prevention of duplicates" needs. The column alone prevents nothing.
""",
    wrong_answers=[
        Wrong(
            LOOKED.replace("LOOK", "order.processing_task_id"),
            "A second click, which had seen the order free, got task 2",
        ),
        Wrong(LOOKED.replace("LOOK", READ_AGAIN), "a click fails with `database is locked`: it reads before it writes"),
        Wrong(
            HEAD
            + """
    if order.processing_task_id is None:
        task = queue.enqueue(session, "process_payment")
        order.processing_task_id = task.id
        return task
""",
            "Task 1 was returned, and the order references None",
        ),
        Wrong(UPDATED + "    return task\n", "A second click, which had seen the order free, got task 2"),
        Wrong(
            UPDATED + "    return task if done.rowcount else None\n", "The second click got None, and its task stays"
        ),
        Wrong(
            UPDATED + "    if done.rowcount:\n        return task\n    session.rollback()\n",
            "takes back all that the caller did, too",
        ),
        Wrong(
            UPDATED + "    session.commit()\n    return task if done.rowcount else None\n",
            "Leave it out: the caller commits",
        ),
        Wrong(
            SOLUTION.replace("return task", "return task.id"),
            "The first click returned `1` (the id, or the number of changed rows?)",
        ),
        Wrong(
            SOLUTION.replace("def enqueue", "PAID = set()\n\n\ndef enqueue").replace(
                "    with", "    if order.id in PAID:\n        return None\n    PAID.add(order.id)\n    with", 1
            ),
            "Only the database knows what holds",
        ),
        Wrong(
            SOLUTION.replace(
                "    with", "    if order.processing_task_id is not None:\n        return None\n    with", 1
            ),
            "expected a task, because the order is free",
        ),
        Wrong(
            SOLUTION.replace(
                "with session.begin_nested() as savepoint", "with writing(queue.engine) as session"
            ).replace("from taskref_edu import Order", "from taskref_edu import Order, writing"),
            "A transaction of its own in line",
        ),
        Wrong(SOLUTION.replace("(col(Order.id) == order.id) & ", ""), "The UPDATE changed more than one order"),
        Wrong(
            SOLUTION.replace("def enqueue", "from threading import Lock\n\nLOCK = Lock()\n\n\ndef enqueue").replace(
                "with session.begin_nested()", "with LOCK, session.begin_nested()"
            ),
            "A lock in Python holds in one process only",
        ),
    ],
)
