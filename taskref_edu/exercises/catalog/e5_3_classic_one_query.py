"""5.3: classic's list of the orders in process as one query, which its index serves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import text

from taskref_edu import writing
from taskref_edu.exercises.catalog._answer_forms import sql_of
from taskref_edu.exercises.catalog._in_memory import StoredTask, answer, numbered, was_asked_to_stop
from taskref_edu.exercises.catalog._worlds import OTHER_TYPES, PAYMENT, some_ids
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import measure
from taskref_edu.lab.many_orders import add_orders, many_orders
from taskref_edu.models import ENDED, LIVE

INDEX = """CREATE UNIQUE INDEX task_live_payment ON task (json_extract(payload, '$.order_id'))
WHERE type = 'process_payment' AND status IN ('pending', 'running')"""
DATABASES, MANY_LIVE = 30, 1_200
LIVE_ORDERS, FEW, MANY = 20, 200, 2_000
Query = Callable[[], Any]


def text_of(query: Query) -> str:
    """The text of the query, once it is text."""
    return sql_of(query, "query", "SELECT id FROM orders WHERE …")


def payment(order: Any, status: str = "pending", key: str = "order_id") -> StoredTask:
    """A payment task of this order."""
    return StoredTask(json.dumps({key: order}), status=status)


def every_trap() -> tuple[list[StoredTask], list[int]]:
    """Tasks and orders with each trap once: in process are the orders 2, 3 and 10."""
    ended = [payment(3 + n, status) for n, status in enumerate(ENDED, 1)]
    rows = [
        payment(2),
        payment(3, "running"),
        *ended,
        payment(7, key="orderid"),
        StoredTask(json.dumps({"order_id": 8}), type="refund"),
        payment(999),
        StoredTask(None),
        payment(2, "failed"),
        payment(10, "running"),
    ]
    return numbered(rows), list(range(1, 11))


def random_shop(dice: random.Random, size: int) -> tuple[list[StoredTask], list[int]]:
    """So many orders, some deleted; each with a past, and perhaps with one payment that is live."""
    rows, orders = [], some_ids(dice, size)
    for order in orders:
        past = [payment(order, dice.choice(ENDED)) for _ in range(dice.randint(0, 2))]
        live = [payment(order, dice.choice(LIVE), dice.choice(["order_id", "order_id", "orderid"]))]
        other = [StoredTask(json.dumps({"order_id": order}), dice.choice(OTHER_TYPES), dice.choice([*LIVE, *ENDED]))]
        rows += [*past, *live * dice.randint(0, 1), *other * (dice.random() < 0.5)]
    dice.shuffle(rows)
    return numbered(rows, dice), [order for order in orders if dice.random() < 0.8]


def check_every_trap(query: Query) -> None:
    """Each trap once: running, ended, a typo, a refund, a deleted order, an empty payload, an order with a past."""
    _judge(text_of(query), *every_trap())


def check_thirty_shops(query: Query) -> None:
    """In 30 generated shops, the smallest first, the same orders as by reading each payload in Python."""
    dice = random.Random(53)
    for number in range(DATABASES):
        _judge(text_of(query), *random_shop(dice, 2 + number))


def check_many_in_process(query: Query) -> None:
    """However many orders are in process, each of them is listed."""
    _judge(text_of(query), numbered([payment(order) for order in range(1, MANY_LIVE)]), range(1, MANY_LIVE))


def _judge(sql: str, rows: Sequence[StoredTask], orders: Sequence[int]) -> None:
    found = answer(sql, rows, orders, index=INDEX)
    named = {row.named(): row for row in rows if row.is_live_payment()}
    wanted = {order for order in orders if order in named}
    for order in [each for each in found if each not in wanted]:
        problem = _too_many(order, rows, orders)
        raise CheckFailed(problem, _shown(rows, orders), expected=wanted, found=found)
    if lost := wanted.difference(found):
        order = min(lost, key=lambda each: (was_asked_to_stop(named[each]), each))
        status, asked = named[order].status, ", and was asked to stop" * was_asked_to_stop(named[order])
        problem = (
            f"{len(set(found)):,} of the {len(wanted):,} orders in process came back. Order {order} was left out; its "
            f"payment is {status}{asked}."
        )
        if "processing_task_id" in sql:
            problem += " `processing_task_id` is the inverted reference, and classic does not set it."
        raise CheckFailed(problem, _shown(rows, orders), expected=wanted, found=found)
    if len(found) != len(wanted):
        problem = "An order came back more than once; each is wanted once."
        raise CheckFailed(problem, _shown(rows, orders), expected=wanted, found=found)


def _too_many(order: Any, rows: Sequence[StoredTask], orders: Sequence[int]) -> str:
    if order is None:
        return (
            "NULL came back, in place of an order that is deleted or that a payload does not name; expected the "
            "ids of existing orders."
        )
    if order not in orders:
        return f"`{order!r:.40}` came back, and there is no such order; expected rows of `orders`."
    about = [row for row in rows if row.named() == order]
    if any(row.type != PAYMENT and row.status in LIVE for row in about):
        other = next(row.type for row in about if row.type != PAYMENT and row.status in LIVE)
        return f"Order {order} came back, and only a `{other}` of it is live; expected payments."
    tasks = ", ".join(row.status for row in about) or "none"
    return f"Order {order} came back, and no payment of it is pending or running (its tasks: {tasks})."


def _shown(rows: Sequence[StoredTask], orders: Sequence[int]) -> str:
    lines = [f"orders {list(orders)}", "tasks:"]
    return "\n".join([*lines, *(f"  {row.type:<26}{row.status:<11}{row.payload or 'NULL'}" for row in rows[:60])])


def check_served_by_the_index(query: Query) -> None:
    """With classic's index, ten times as many paid orders take no more steps."""
    sql = text_of(query)
    engine = many_orders(FEW, LIVE_ORDERS)
    try:
        with writing(engine) as session:
            session.execute(text(INDEX))
        few = measure(engine, lambda session: session.connection().exec_driver_sql(sql).all())
        with writing(engine) as session:
            add_orders(session, MANY - FEW, live=False)
        many = measure(engine, lambda session: session.connection().exec_driver_sql(sql).all())
    finally:
        engine.dispose()
    if many.vm_steps > 1.5 * few.vm_steps:
        raise CheckFailed(
            f"The list is right, and slow: {few.vm_steps:,} steps at {FEW:,} orders, {many.vm_steps:,} at {MANY:,} for "
            f"the same {LIVE_ORDERS} in process. Something in it reads every row; the plan says what.",
            many,
            expected={f"steps at {MANY:,} orders": f"about {few.vm_steps:,}"},
            found={f"steps at {MANY:,} orders": f"{many.vm_steps:,}"},
        )


def _wrong(sql: str, message: str) -> Wrong:
    return Wrong(f"def list_in_process():\n    return '''{sql}'''", message)


PATH = "json_extract(payload, '$.order_id')"
LIVE_PAYMENT = "type = 'process_payment' AND status IN ('pending', 'running')"

EXERCISE = Exercise(
    id="5.3",
    title="Classic, one query",
    objective="5-classic",
    goal=f"""
Return one query for the ids of the orders in process, by their payments' payloads: those with a payment that is pending
or running, also if it was asked to stop. No id of a deleted order, no NULL, none twice, however many there are. With
this index in place, its steps must not grow with the orders that are paid.

```sql
{INDEX};
```
""",
    stub='''
def list_in_process():
    """SQL for the ids of the orders with a live payment."""
    return """
    SELECT ...
    """
''',
    checks=[check_every_trap, check_thirty_shops, check_many_in_process, check_served_by_the_index],
    hints=[
        "Begin with `orders`, and keep those whose id is among the ids in the payloads of the live payments.",
        "`SELECT id FROM orders WHERE id IN (SELECT … FROM task WHERE …)`. The inner WHERE must imply the index's; "
        "SQLite sees that only if it is written in the same words, in the same sequence.",
        '''
The inner WHERE is the index's own:

```python
return """
SELECT id FROM orders WHERE id IN (
    SELECT json_extract(payload, '$.order_id') FROM task
    WHERE ... AND status IN ('pending', 'running'))
"""
```
''',
    ],
    solution='''
def list_in_process():
    """SQL for the ids of the orders with a live payment."""
    return """
    SELECT id FROM orders WHERE id IN (
        SELECT json_extract(payload, '$.order_id') FROM task
        WHERE type = 'process_payment' AND status IN ('pending', 'running'))
    """
''',
    discussion="""
One query is also one snapshot: nothing can move between its two halves.

`IN ('running', 'pending')` is the same condition to us and another one to SQLite, which then reads every task. So is
a bound parameter in place of the literal. A partial index is a contract on the wording of a query, and nothing warns
you when it is broken.
""",
    wrong_answers=[
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task"
            " WHERE type = 'process_payment' AND status = 'pending')",
            "its payment is running",
        ),
        _wrong(f"SELECT {PATH} FROM task WHERE {LIVE_PAYMENT}", "NULL came back"),
        _wrong(
            f"SELECT {PATH} FROM task WHERE {LIVE_PAYMENT} AND {PATH} IS NOT NULL",
            "there is no such order",
        ),
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task WHERE status IN ('pending', 'running'))",
            "only a `refund` of it is live",
        ),
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task WHERE type = 'process_payment')",
            "no payment of it is pending or running",
        ),
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task"
            " WHERE type = 'process_payment' AND status IN ('running', 'pending'))",
            "The list is right, and slow",
        ),
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task"
            " WHERE type = 'process_payment' AND finished_at IS NULL)",
            "The list is right, and slow",
        ),
        _wrong(
            "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM task WHERE type = 'process_payment'"
            f" AND task.status IN ('pending', 'running') AND {PATH} = orders.id)",
            "The list is right, and slow",
        ),
        _wrong(
            f"SELECT id FROM orders WHERE id IN (SELECT {PATH} FROM task WHERE {LIVE_PAYMENT}) LIMIT 1000",
            "1,000 of the 1,199 orders in process came back",
        ),
        _wrong(f"SELECT * FROM orders WHERE id IN (SELECT {PATH} FROM task WHERE {LIVE_PAYMENT})", "expected one"),
    ],
)
