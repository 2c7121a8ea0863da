"""7.2: delete finished tasks that are old enough, so many at a time, and leave the orders as they should be."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from textwrap import indent
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskStatus, reading, writing
from taskref_edu.exercises.catalog._worlds import (
    World,
    changes,
    opened,
    order_row,
    placed,
    rows_of,
    some_ids,
    some_time,
    task_row,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.models import ENDED

NOW = datetime(2030, 1, 31, tzinfo=UTC)
BEFORE = NOW - timedelta(days=7)
OLD, RECENT = BEFORE - timedelta(days=1), BEFORE + timedelta(days=1)
LONG_AGO, ALL = BEFORE - timedelta(days=300), 100  # a limit above the number of tasks
WORLDS, MANY = 12, 1_100
Prune = Callable[..., Any]

# (id, status, finished); all were created long ago, and order 100 + id references each of them
TASKS = [
    (11, TaskStatus.SUCCEEDED, OLD),
    (12, TaskStatus.FAILED, OLD),
    (13, TaskStatus.CANCELLED, OLD),
    (14, TaskStatus.SUCCEEDED, RECENT),
    (15, TaskStatus.FAILED, BEFORE),
    (16, TaskStatus.PENDING, None),
    (17, TaskStatus.RUNNING, None),
    (18, TaskStatus.SUCCEEDED, OLD),
]
DUE = {11, 12, 13, 18}
LIVE = {16, 17}


def _task(id: int, status: TaskStatus, finished: datetime | None) -> Task:
    lease = NOW if status == TaskStatus.RUNNING else None
    error = "no such card" if status == TaskStatus.FAILED else None
    times = {"created_at": LONG_AGO, "finished_at": finished, "lease_expires_at": lease}
    return Task(id=id, type="process_payment", status=status, error=error, **times)


@contextmanager
def eight_tasks() -> Iterator[Any]:
    """Tasks of every status, each referenced by an order: as written, so that nobody has cleared a reference."""
    with opened("as_written") as engine:
        with writing(engine) as session:
            session.add_all(_task(*values) for values in TASKS)
            session.flush()
            session.add_all(
                Order(id=100 + id, customer=f"customer {id}", amount=1000, processing_task_id=id) for id, *_ in TASKS
            )
        yield engine


def _tasks(session: Session) -> set[int]:
    session.flush()
    return {id for (id,) in session.execute(text("SELECT id FROM task"))}


def _named(ids: set[int]) -> str:
    return ", ".join(f"task {id} ({status})" for id, status, _ in TASKS if id in ids)


def check_only_old_and_finished(prune: Prune) -> None:
    """Of tasks of every status and age, exactly those go that ended before the given time."""
    with eight_tasks() as engine, writing(engine) as session:
        with callers(session):
            prune(session, BEFORE, ALL)
        gone = {id for id, *_ in TASKS} - _tasks(session)
    if problem := _wrongly_gone(gone):
        raise CheckFailed(problem, expected=_fates(DUE), found=_fates(gone))


def _fates(gone: set[int]) -> dict[str, str]:
    return {f"task {id}, {status}": "deleted" if id in gone else "still there" for id, status, _ in TASKS}


def _wrongly_gone(gone: set[int]) -> str:
    unfinished, early, left = gone & LIVE, gone - DUE - {15}, DUE - gone
    if unfinished:
        return f"Deleted: {_named(unfinished)}. What has not ended must stay, however old it is."
    if early:
        late = "It was created long ago, but it ended after the given time; what counts is when a task ended."
        return f"Deleted: {_named(early)}. {late}"
    if 15 in gone:
        return "Task 15 ended exactly at the given time, and was deleted; only what ended before it goes."
    return f"Still there: {_named(left)}. It ended before the given time." if left else ""


def check_orders_as_they_should_be(prune: Prune) -> None:
    """All orders are still there; the references to deleted tasks are NULL, and the others as they were."""
    with eight_tasks() as engine:
        with writing(engine) as session:
            prune(session, BEFORE, ALL)
        with reading(engine) as session:
            found = {id: task_id for id, task_id in session.exec(select(Order.id, Order.processing_task_id))}  # noqa: C416
            tasks = set(session.exec(select(Task.id).where(col(Task.status).not_in(ENDED))))
    for id, *_ in TASKS:
        if problem := _wrong_reference(id, found, live=id in tasks):
            wanted = {f"order {100 + id}": None if id in DUE else f"task {id}" for id, *_ in TASKS}
            shown = {f"order {order}": task_id and f"task {task_id}" for order, task_id in found.items()}
            raise CheckFailed(problem, expected=wanted, found=shown)


def _wrong_reference(id: int, references: Mapping[int | None, int | None], live: bool) -> str:
    """What is wrong with the order that referenced this task."""
    order = f"Order {100 + id}"
    if 100 + id not in references:
        return f"{order} was deleted with its task; the shop still needs it."
    if id in DUE:
        return f"{order} still references task {id}, which is gone." if references[100 + id] is not None else ""
    why = "which is still to be done" if live else "which was not pruned"
    return f"{order} lost its reference to task {id}, {why}." if references[100 + id] != id else ""


def check_limit_and_count(prune: Prune) -> None:
    """One call deletes no more than the limit, and returns how many; calls that go on come to an end."""
    with eight_tasks() as engine, writing(engine) as session:
        before = len(_tasks(session))
        for number in (3, 1, 0):
            said = prune(session, BEFORE, 3)
            after = len(_tasks(session))
            went, before = before - after, after
            expected, found = {"deleted": number, "returned": number}, {"deleted": went, "returned": said}
            if went != number:
                limit = (
                    "With a limit of 3, one call" if went > 3 else f"With a limit of 3 and {number} left to go, a call"
                )
                raise CheckFailed(f"{limit} deleted {_count(went)}.", expected=expected, found=found)
            if said != went:
                returned = f"{_count(went)} went, and the function returned `{said!r:.40}`."
                raise CheckFailed(returned, expected=expected, found=found)


def _count(tasks: int) -> str:
    return f"{tasks:,} task{'s' * (tasks != 1)}"


def check_does_not_commit(prune: Prune) -> None:
    """The caller can still roll back."""
    with eight_tasks() as engine:
        with Session(engine) as session:
            with callers(session):
                prune(session, BEFORE, ALL)
            session.rollback()
        with reading(engine) as session:
            count = len(_tasks(session))
        if count != len(TASKS):
            raise CheckFailed(
                "After the caller's `rollback()` the tasks are still gone: the function committed by itself. "
                "The caller commits.",
                expected={"tasks": len(TASKS)},
                found={"tasks": count},
            )


def check_in_random_worlds(prune: Prune) -> None:
    """In random databases, small and large, with any time and any limit: as many as may go, nothing else changes."""
    with opened("as_written") as engine:
        dice = random.Random(72)
        for size in range(WORLDS):
            before = some_time(dice) + timedelta(microseconds=dice.randint(-5, 5))
            world = _history(dice, size, before)
            due = {task["id"] for task in world.tasks if task["finished_at"] and task["finished_at"] < before}
            for limit in {0, 1, dice.randint(0, size + 2), max(len(due) - 1, 0), len(due) + 5}:
                with placed(engine, world) as session:
                    if problem := _problem(prune, session, before, limit, due):
                        problem.details = f"before = {before}, limit = {limit}\n{world}"
                        raise problem
        many = World(tuple(task_row(dice, id, status=dice.choice(ENDED), finished_at=OLD) for id in range(1, MANY)))
        with placed(engine, many) as session:
            if problem := _problem(prune, session, BEFORE, MANY, {task["id"] for task in many.tasks}):
                raise problem


def _history(dice: random.Random, size: int, before: datetime) -> World:
    """Tasks that ended about that time, and orders of which some reference them."""
    tasks = []
    for id in some_ids(dice, size):
        task = dict(task_row(dice, id))
        if task["finished_at"]:
            gap = dice.choice([timedelta(0), timedelta(microseconds=1), timedelta(seconds=7), timedelta(hours=5)])
            task["finished_at"] = before + dice.choice([-1, 1]) * gap
        tasks.append(task)
    ids = [None, *(task["id"] for task in tasks)]
    orders = [order_row(dice, id, processing_task_id=dice.choice(ids)) for id in some_ids(dice, size)]
    return World(tuple(tasks), tuple(orders))


def _problem(prune: Prune, session: Session, before: datetime, limit: int, due: set[int]) -> CheckFailed | None:
    rows = rows_of(session)
    with callers(session):
        said = prune(session, before, limit)
    new = changes(rows, rows_of(session))
    gone = {id for (table, id), row in new.items() if table == "task" and row is None}
    count = min(limit, len(due))
    if gone - due:
        id = min(gone - due)
        task = rows["task", id]
        ended = f"Deleted: task {id} ({task['status']}, ended at {task['finished_at']})"
        deleted = f"{ended}, and the time given is {before}."
        return CheckFailed(deleted, expected={f"task {id}": "still there"}, found={f"task {id}": "deleted"})
    expected, found = {"deleted": count, "returned": count}, {"deleted": len(gone), "returned": said}
    if len(gone) != count:
        went = f"With a limit of {limit:,}, and {_count(len(due))} that may go, {len(gone):,} went; expected {count:,}."
        if limit >= len(due):
            task = rows["task", min(due - gone)]
            left = f"Still there: task {task['id']} ({task['status']}, ended at {task['finished_at']})"
            went = f"{went} {left}; the time given is {before}."
        return CheckFailed(went, expected=expected, found=found)
    if said != count or isinstance(said, bool):
        returned = f"With a limit of {limit:,}, {_count(count)} went, and the function returned `{said!r:.40}`."
        return CheckFailed(returned, expected=expected, found=found)
    return _changed_besides(rows, new, gone)


def _changed_besides(
    rows: dict[tuple[str, int], dict[str, Any]], new: dict[tuple[str, int], Any], gone: set[int]
) -> CheckFailed | None:
    """A change other than the deleted tasks, and the references to them that were cleared."""
    for (table, id), row in new.items():
        cleared = table == "orders" and row == {"processing_task_id": None}
        if (table, id) not in {("task", each) for each in gone} and not (
            cleared and rows[table, id]["processing_task_id"] in gone
        ):
            changed = f"Changed besides: `{table}` {id}: {row or 'deleted'}; expected that it stays as it was."
            was = rows[table, id]
            wanted = {column: was[column] for column in row} if row else "still there"
            return CheckFailed(changed, expected={(table, id): wanted}, found={(table, id): row or "deleted"})
    return None


IMPORTS = """
from sqlalchemy import delete, update
from sqlmodel import col, select
from taskref_edu import Order, Task
"""


def _wrong(body: str, message: str) -> Wrong:
    return Wrong(f"{IMPORTS}\ndef prune(session, before, limit):\n{indent(body.strip(), '    ')}", message)


def _chosen(where: str, message: str) -> Wrong:
    delete = "return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount"
    return _wrong(f"old = select(Task.id).where({where}).limit(limit)\n{delete}", message)


EXERCISE = Exercise(
    id="7.2",
    title="Prune without a trace",
    objective="7-prune",
    goal="""
Write `prune(session, before, limit)`: delete the tasks that ended before the time `before`, at most `limit` in one
call (with a limit of 0: none), and return how many went.

Pending and running tasks stay, however old. Orders stay, all of them. Here nobody has cleared their references;
the foreign key says `ON DELETE SET NULL`. Do not commit.
""",
    stub='''
def prune(session, before, limit):
    """Delete up to `limit` tasks that ended before `before`; return how many."""
    ...
''',
    checks=[
        check_only_old_and_finished,
        check_orders_as_they_should_be,
        check_limit_and_count,
        check_does_not_commit,
        check_in_random_worlds,
    ],
    errors=[
        (
            "FOREIGN KEY constraint failed",
            "An order was made to reference a task that does not exist. Leave the references to the foreign key",
        ),
        (
            'near "LIMIT"|near "ORDER"|has no attribute .limit',
            "A `DELETE` takes no `LIMIT` here: choose the ids with a `SELECT … LIMIT`, and delete where the id is "
            "among them",
        ),
    ],
    hints=[
        "Which column says that a task has ended, and when? One that is NULL for every live task.",
        "The limit belongs to a `SELECT` of ids: `DELETE FROM task WHERE id IN (SELECT id FROM task WHERE … LIMIT …)`. "
        "The orders need no statement at all.",
        """
The result of a `DELETE` knows how many rows it met:

```python
old = select(Task.id).where(col(Task.finished_at) < before).limit(...)
return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
```
""",
    ],
    solution='''
from sqlalchemy import delete
from sqlmodel import col, select

from taskref_edu import Task


def prune(session, before, limit):
    """Delete up to `limit` tasks that ended before `before`; return how many."""
    old = select(Task.id).where(col(Task.finished_at) < before).limit(limit)
    return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
''',
    discussion="""
`finished_at` is NULL until a task has ended; the table's CHECK ties the two. So one comparison says both "ended" and
"long ago". `NULL < before` is neither true nor false, and such a row is not chosen.

The limit keeps the write transaction short: on SQLite, nobody else writes meanwhile. For each pruned task, SET NULL
looks for the orders that reference it; without an index on the reference it reads them all.

The queue's own `queue.prune(session, older_than, limit=…)` does the same, and names the statuses as well.
""",
    wrong_answers=[
        _chosen('Task.status != "pending", col(Task.created_at) < before', "Deleted: task 17 (running)"),
        _chosen(
            'col(Task.status).in_(["succeeded", "failed", "cancelled"]), col(Task.created_at) < before',
            "it ended after the given time",
        ),
        _chosen("col(Task.finished_at) <= before", "Task 15 ended exactly at the given time"),
        _chosen(
            'Task.status == "succeeded", col(Task.finished_at) < before',
            "Still there: task 12 (failed), task 13 (cancelled)",
        ),
        _wrong(
            """
session.execute(update(Order).values(processing_task_id=None))
return session.execute(delete(Task).where(col(Task.finished_at) < before)).rowcount
""",
            "lost its reference to task 14, which was not pruned",
        ),
        _wrong(
            """
old = session.exec(select(Task.id).where(col(Task.finished_at) < before).limit(limit)).all()
session.execute(delete(Order).where(col(Order.processing_task_id).in_(old)))
return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
""",
            "Order 111 was deleted with its task",
        ),
        _wrong(
            "return session.execute(delete(Task).where(col(Task.finished_at) < before)).rowcount",
            "With a limit of 3, one call deleted 4 tasks",
        ),
        _wrong(
            """
old = select(Task.id).where(col(Task.finished_at) < before)
old = old.limit(limit) if limit else old
return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
""",
            "With a limit of 0",
        ),
        _wrong(
            """
for task in session.exec(select(Task).where(col(Task.finished_at) < before).limit(limit)):
    session.delete(task)
""",
            "and the function returned `None`",
        ),
        _wrong(
            """
old = select(Task.id).where(col(Task.finished_at) < before).limit(limit)
count = session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
session.commit()
return count
""",
            "Leave it out: the caller commits",
        ),
    ],
)
