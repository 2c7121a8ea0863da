"""6.1: an invariant for the inverted approach, tried on healthy states and on planted faults."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from textwrap import indent
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, inverted, writing
from taskref_edu.exercises.catalog._worlds import (
    OTHER_TYPES,
    PAYMENT,
    Row,
    World,
    changes,
    opened,
    order_row,
    placed,
    rows_of,
    task_row,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab.tables import Table
from taskref_edu.models import ENDED
from taskref_edu.models import LIVE as LIVE_STATUSES

WORLDS, MANY = 36, 510  # the last one is large, for an answer that looks at the first hundred rows
STATES, SEED = 20, 29  # this walk shows running, retried, failed payments, and one asked to stop
MOVES = ["pay", "pay", "pay", "claim", "claim", "complete", "fail", "retry", "cancel", "receipt", "prune"]
ORDERS, RECEIPT = range(11, 15), "send_receipt"
Holds = Callable[[Session], Any]


@dataclass(frozen=True)
class Fault:
    """A contradiction: the SQL that plants it, the ids of the rows that it is about, and why it is one."""

    sql: str
    ids: tuple[int, ...]
    what: str


def _task(id: int, status: str, type: str = "process_payment") -> str:
    times = {"pending": "NULL, NULL", "running": "'2030-01-01', NULL"}.get(status, "NULL, '2030-01-01'")
    return (
        "INSERT INTO task (id, type, status, attempt, max_attempts, lease_token, available_at, created_at,"
        f" lease_expires_at, finished_at, error) VALUES ({id}, '{type}', '{status}', 1, 3, 1, '2030-01-01',"
        f" '2030-01-01', {times}, 'card declined');"
    )


def _reference(order: int, task: int) -> str:
    return f"UPDATE orders SET processing_task_id = {task} WHERE id = {order};"


FAULTS = (
    Fault(_task(601, "pending"), (601,), "task 601, a pending payment that no order references"),
    Fault(_task(602, "running"), (602,), "task 602, a running payment that no order references"),
    Fault(_task(603, "succeeded") + _reference(12, 603), (12, 603), "order 12 references task 603, which has ended"),
    Fault(_reference(12, 999), (12, 999), "order 12 references task 999, which does not exist"),
    Fault(_task(605, "pending", RECEIPT) + _reference(12, 605), (12, 605), "order 12 references task 605, a receipt"),
    Fault(
        _task(606, "pending") + _reference(12, 606) + _reference(13, 606), (12, 13, 606), "two orders share task 606"
    ),
)


def said_by(holds: Holds, session: Session) -> list[str]:
    """What the learner's function returned, once it is a list of texts."""
    with callers(session):
        said = holds(session)
    if not isinstance(said, list | tuple):
        form = "a list of what is broken"
        raise CheckFailed(f"`{said!r:.60}` returned; expected {form}.", expected=form, found=said)
    return [str(one) for one in said]


def healthy_states() -> Iterator[tuple[int, Session]]:
    """A shop at work, after each of its moves: enqueue, claim, complete, fail, retry, cancel, receipts, prune."""
    with opened() as engine:
        choice, queue = random.Random(SEED), TaskQueue(engine, backoff=0)
        with writing(engine) as session:
            session.add_all(orders := [Order(id=id, customer=f"customer {id}", amount=1000) for id in ORDERS])
            session.flush()
            queue.enqueue(session, RECEIPT, {"order_id": 11})  # work that no order references, and rightly so
            for number in range(1, STATES + 1):
                _move(choice, queue, session, choice.choice(orders))
                session.expire_all()
                yield number, session
            session.rollback()


def _move(choice: random.Random, queue: TaskQueue, session: Session, order: Order) -> None:
    move = choice.choice(MOVES)
    if move == "pay":
        inverted.enqueue_payment_once(session, queue, order)
    elif move == "cancel":
        inverted.cancel_payment(session, queue, order)
    elif move == "receipt":
        queue.enqueue(session, RECEIPT, {"order_id": order.id})
    elif move == "prune":
        queue.prune(session, timedelta(0))
    elif task := queue.claim(session):
        if move == "complete":
            queue.complete(session, task)
        elif move in ("fail", "retry"):
            queue.fail(session, task, "card declined", retry=move == "retry")


def planted_faults() -> Iterator[tuple[Fault, Session]]:
    """A shop without index and trigger, healthy but for one fault at a time."""
    healthy = _task(501, "pending") + _reference(11, 501) + _task(502, "pending", RECEIPT)
    with opened("as_written") as engine:
        with writing(engine) as session:
            session.add_all(Order(id=id, customer=f"customer {id}", amount=1000) for id in ORDERS)
        for fault in FAULTS:
            with writing(engine) as session:
                session.execute(text("PRAGMA defer_foreign_keys = ON"))  # the check would come with the commit
                for statement in (healthy + fault.sql).split(";")[:-1]:
                    session.execute(text(statement))
                yield fault, session
                session.rollback()


def check_silent_when_healthy(holds: Holds) -> None:
    """Nothing is called broken in 20 states of a healthy shop at work."""
    for number, session in healthy_states():
        said = said_by(holds, session)
        if said:
            message = f"State {number} of {STATES} is healthy, and the function calls it broken: `{said[0]:.80}`."
            excused = f"{message} {_excuse(said[0], session)}".strip()
            raise CheckFailed(excused, _rows(session), expected=[], found=said)


def _excuse(said: str, session: Session) -> str:
    """Why the task or the order that is named there is as it should be."""
    for number in re.findall(r"\d+", said):
        found = session.execute(
            text("SELECT type, status, cancel_requested_at FROM task WHERE id = :id"), {"id": number}
        ).one_or_none()
        if found and found.type != "process_payment":
            return f"Task {number} is a `{found.type}`, which needs no order."
        if found and found.status in LIVE_STATUSES:
            asked = ", although it was asked to stop" if found.cancel_requested_at else ""
            owner = session.execute(
                text("SELECT id FROM orders WHERE processing_task_id = :id"), {"id": number}
            ).scalar()
            referenced = f", and order {owner} references it" if owner else ""
            return f"Task {number} is {found.status}, and live{asked}{referenced}."
        order = session.get(Order, int(number))
        if order and order.processing_task_id is None:
            return f"Order {number} references no task, and needs none."
    return ""


def check_every_fault_is_noticed(holds: Holds) -> None:
    """Each of 6 planted faults is noticed."""
    for number, (fault, session) in enumerate(planted_faults(), 1):
        if not said_by(holds, session):
            message = f"Fault {number} of {len(FAULTS)} goes unnoticed: {fault.what}."
            explained, rows = f"{message} {_why(holds, session)}".strip(), _rows(session)
            raise CheckFailed(
                explained, rows, expected=[f"a text that names {' or '.join(map(str, fault.ids))}"], found=[]
            )


def _why(holds: Holds, session: Session) -> str:
    session.execute(text("DELETE FROM orders WHERE processing_task_id IS NULL"))
    null = "It is noticed where no reference is NULL: `NOT IN` a list that holds a NULL is never true."
    return null if said_by(holds, session) else ""


def check_every_fault_is_named(holds: Holds) -> None:
    """The text about each fault names the task or the order that it is about."""
    for fault, session in planted_faults():
        said = " ".join(said_by(holds, session))
        if not {int(found) for found in re.findall(r"\d+", said)} & set(fault.ids):
            ids = " or ".join(map(str, fault.ids))
            raise CheckFailed(
                f"Planted: {fault.what}. The text names no {ids}: `{said:.80}`.",
                _rows(session),
                expected=f"a text that names {ids}",
                found=said,
            )


def check_in_random_worlds(holds: Holds) -> None:
    """In random databases with several faults at a time: a text for each of them, and none about what is in order."""
    with opened("as_written") as engine:
        for number in range(WORLDS):
            dice = random.Random(610 + number)
            healthy = MANY if number == WORLDS - 1 else dice.randint(0, number // 3)
            world, faults = faulty_world(dice, healthy=healthy, faults=1 + number % 4 if number % 5 else 0)
            with placed(engine, world) as session:
                before = rows_of(session)
                said = said_by(holds, session)
                if changed := changes(before, rows_of(session)):
                    rows = ", ".join(f"{table} {id}" for table, id in changed)
                    raise CheckFailed(f"The function changed {rows:.80}; an invariant only looks.", str(world))
                problem = _misjudged(said, faults, session)
            if problem:
                expected = {what: "named" for what, _ in faults}
                rows = str(world) if len(world.orders) < MANY else f"orders: {len(world.orders)} rows"
                raise CheckFailed(problem, rows, expected=expected, found=_told(said, faults))


def _counts(said: list[str], faults: list[tuple[str, set[int]]]) -> str:
    return f"Things broken: {len(faults)}. Texts returned: {len(said)}"


def _told(said: list[str], faults: list[tuple[str, set[int]]]) -> dict[str, str]:
    """For each fault whether a text names it; and the texts that name none."""
    texts = [(text, {int(found) for found in re.findall(r"\d+", text)}) for text in said]
    found = {what: "named" if any(ids & named for _, named in texts) else "not named" for what, ids in faults}
    strays = [text for text, named in texts if not any(ids & named for _, ids in faults)]
    return found | {f"text {number}": text for number, text in enumerate(strays, 1)}


def _misjudged(said: list[str], faults: list[tuple[str, set[int]]], session: Session) -> str:
    """What is wrong with these texts about these faults, each of which has ids of its own."""
    named = [{int(found) for found in re.findall(r"\d+", text)} for text in said]
    for what, ids in faults:
        if not any(ids & numbers for numbers in named):
            return f"{_counts(said, faults)}, and none is about this one: {what}."
    broken = {id for _, ids in faults for id in ids}
    for one, numbers in zip(said, named, strict=True):
        if not numbers & broken:
            return f"`{one:.80}` names nothing that is broken. {_excuse(one, session)}".strip()
    if len(said) < len(faults):
        return f"{_counts(said, faults)}; expected one for each."
    return ""


def faulty_world(dice: random.Random, healthy: int, faults: int) -> tuple[World, list[tuple[str, set[int]]]]:
    """Orders and tasks in order, and so many faults: what each is, and the ids that a text may name it by."""
    ids = iter(dice.sample(range(100, 9_999), 6 * (healthy + faults + 1)))
    tasks: list[Row] = [task_row(dice, next(ids), type=dice.choice(OTHER_TYPES))]
    orders: list[Row] = [order_row(dice, next(ids))]
    for _ in range(healthy):
        tasks.append(task_row(dice, next(ids), type=PAYMENT, status=dice.choice(LIVE_STATUSES)))
        orders.append(order_row(dice, next(ids), processing_task_id=tasks[-1]["id"]))
        tasks.append(task_row(dice, next(ids), type=PAYMENT, status=dice.choice(ENDED)))
    found = []
    for _ in range(faults):
        kind, task_id, order_id, second = dice.randrange(5), next(ids), next(ids), next(ids)
        status = dice.choice(ENDED if kind == 1 else LIVE_STATUSES)
        task = task_row(dice, task_id, type=dice.choice(OTHER_TYPES) if kind == 2 else PAYMENT, status=status)
        what = f"order {order_id} references task {task_id}, a `{task['type']}` that is {status}"
        if kind == 0:
            found.append((f"no order references task {task_id}, a payment that is {status}", {task_id}))
        elif kind == 3:
            found.append((f"order {order_id} references task {task_id}, which does not exist", {task_id, order_id}))
        elif kind == 4:
            found.append((f"orders {order_id} and {second} share task {task_id}", {task_id, order_id, second}))
            orders.append(order_row(dice, second, processing_task_id=task_id))
        else:
            found.append((what, {task_id, order_id}))
        tasks += [task] * (kind != 3)
        orders += [order_row(dice, order_id, processing_task_id=task_id)] * (kind != 0)
    return World(tuple(dice.sample(tasks, len(tasks))), tuple(dice.sample(orders, len(orders)))), found


def _rows(session: Session) -> str:
    tasks = session.execute(text("SELECT id, type, status, cancel_requested_at AS asked_to_stop FROM task")).mappings()
    orders = session.execute(text("SELECT id, processing_task_id FROM orders")).mappings()
    return f"Tasks\n{Table(map(dict, tasks))}\n\nOrders\n{Table(map(dict, orders))}"


IMPORTS = "from sqlalchemy import text\nfrom sqlmodel import col, select\nfrom taskref_edu import Order, Task\n"
LIVE = """
live = {t.id for t in session.exec(select(Task))
        if t.type == "process_payment" and t.status in ("pending", "running")}
named = [o.processing_task_id for o in session.exec(select(Order)) if o.processing_task_id is not None]
"""


def _wrong(body: str, message: str) -> Wrong:
    return Wrong(f"{IMPORTS}\ndef holds(session):\n{indent((LIVE + body).strip(), '    ')}", message)


EXERCISE = Exercise(
    id="6.1",
    title="A test that can fail",
    objective="6-test",
    core=True,
    goal="""
Write `holds(session)`, an invariant of the inverted approach: a list of texts, one for each thing that is broken.

All is well when every live payment (type `process_payment`, pending or running) is referenced by exactly one order,
and every reference names a live payment; one that was asked to stop is live as long as it runs. Several things may be
broken at once. Each text names the id of the task or of the order. The function changes nothing, and the caller goes on
with the session.
""",
    stub='''
def holds(session):
    """What is broken between orders and payments; an empty list if nothing is."""
    ...
''',
    checks=[
        check_silent_when_healthy,
        check_every_fault_is_noticed,
        check_every_fault_is_named,
        check_in_random_worlds,
    ],
    hints=[
        "There are two directions: from each live payment to an order, and from each reference to a task. "
        "Each finds faults that the other one overlooks.",
        "A third question remains: does every reference have a task of its own? And beware of "
        "`NOT IN (SELECT processing_task_id …)`: one NULL in that list, and nothing is ever found.",
        """
In Python it is short, too; `live` are the ids of the live payments, `named` those that orders reference:

```python
broken = [f"no order references task {id}" for id in live if id not in named]
broken += [f"a reference names task {id}, no live payment" for id in named if id not in live]
broken += [f"task {id} is referenced twice" for id in set(named) if ...]
return broken
```
""",
    ],
    solution='''
from sqlmodel import col, select

from taskref_edu import Order, Task


def holds(session):
    """What is broken between orders and payments; an empty list if nothing is."""
    is_live = (Task.type == "process_payment", col(Task.status).in_(["pending", "running"]))
    live = set(session.exec(select(Task.id).where(*is_live)))
    named = [id for id in session.exec(select(Order.processing_task_id)) if id is not None]
    broken = [f"no order references task {id}" for id in live if id not in named]
    broken += [f"a reference names task {id}, no live payment" for id in named if id not in live]
    return broken + [f"task {id} is referenced twice" for id in set(named) if named.count(id) > 1]
''',
    discussion="""
A test that never failed has shown nothing yet. Plant a fault and see whether it is found: that is a test of the test.

Counting is not enough: as many references as live payments, and every one of them may be wrong.

`explore()` and `explore_crashes()` take this function as it is, as their `invariant`.
""",
    wrong_answers=[
        _wrong('return [f"{len(live)} tasks"] if len(live) != len(named) else []', "The text names no 601"),
        _wrong('return [f"orphan {id}" for id in live if id not in named]', "references task 603, which has ended"),
        _wrong('return [f"dangling {id}" for id in named if id not in live]', "a pending payment that no order"),
        _wrong(
            'broken = [f"orphan {id}" for id in live if id not in named]\n'
            'return broken + [f"dangling {id}" for id in named if id not in live]',
            "two orders share task 606",
        ),
        _wrong(
            'every = [t.id for t in session.exec(select(Task)) if t.status in ("pending", "running")]\n'
            'return [f"orphan {id}" for id in every if id not in named]',
            "is a `send_receipt`, which needs no order",
        ),
        _wrong(
            'waiting = [t.id for t in session.exec(select(Task)) if t.status == "pending"]\n'
            'return [f"order references {id}" for id in named if id not in waiting]',
            "is running, and live",
        ),
        _wrong(
            "lonely = select(Task.id).where(col(Task.id).in_(live),\n"
            "    col(Task.id).not_in(select(Order.processing_task_id)))\n"
            'return [f"orphan {id}" for id in session.exec(lonely)]',
            "It is noticed where no reference is NULL",
        ),
        _wrong(
            'broken = [f"orphan {id}" for id in live if id not in named]\n'
            'broken = broken or [f"dangling {id}" for id in named if id not in live]\n'
            'return broken or [f"shared {id}" for id in named if named.count(id) > 1]',
            "and none is about this one",
        ),
        _wrong("return sorted(live) == sorted(named)", "expected a list of what is broken"),
    ],
)
