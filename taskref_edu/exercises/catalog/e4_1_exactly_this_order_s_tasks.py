"""4.1: the SQL that finds the live payments of one order, and no other task."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from taskref_edu.exercises.catalog._answer_forms import sql_of
from taskref_edu.exercises.catalog._in_memory import StoredTask, answer, numbered, was_asked_to_stop
from taskref_edu.exercises.catalog._worlds import OTHER_TYPES, PAYMENT
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.models import ENDED, LIVE

ORDERS = (1, 11, 12, 21, 112)  # whose digits hide in each other
DATABASES, MANY, SHOWN = 50, 600, 12
Query = Callable[[], Any]


@functools.cache
def spellings(order: int) -> list[str]:
    """Payloads that name the order."""
    plain = {"order_id": order}
    payloads = [plain, {**plain, "note": "gift"}, {"note": "gift", **plain}]
    return [json.dumps(plain, separators=(",", ":")), *map(json.dumps, payloads)]


@functools.cache
def strangers(order: int) -> list[str | None]:
    """Payloads that mention the number of the order, and name another one or none."""
    payloads = [
        {"order_id": 999, "note": f'"order_id": {order}'},
        {"order_id": 999, "replaces": {"order_id": order}},
        {"order_id": 999, "customer_id": order},
        {"orderid": order},
        {"order_id": str(order)},
        {"order_id": f"{order} (a gift)"},
        {"order_id": order + 0.5},
    ]
    return [None, *map(json.dumps, payloads)]


def every_trap() -> list[StoredTask]:
    """Each trap once, order 1 being asked for."""
    plain = json.dumps({"order_id": 1})
    rows = [
        *(StoredTask(json.dumps({"order_id": other})) for other in ORDERS),
        *(StoredTask(plain, status=status) for status in ("running", *ENDED)),
        *map(StoredTask, spellings(1)),
        StoredTask(plain, type="refund"),
        *map(StoredTask, strangers(1)),
        StoredTask(plain, status="running"),
    ]
    return numbered(rows)


def random_rows(dice: random.Random, size: int) -> list[StoredTask]:
    """So many tasks, of several orders, types, statuses and spellings; what else a row holds is anything."""
    rows = []
    for _ in range(size):
        order = dice.choice(ORDERS)
        payload = dice.choice(spellings(order) if dice.random() < 0.7 else strangers(order))
        type = dice.choice([PAYMENT, PAYMENT, *OTHER_TYPES])
        rows.append(StoredTask(payload, type, dice.choice([*LIVE, *LIVE, *ENDED])))
    return numbered(rows, dice)


def check_is_a_query(query: Query) -> None:
    """The function returns one SELECT of one column, with `:order` as its parameter."""
    sql = sql_of(query, "query", "SELECT id FROM task WHERE …")
    assert ":order" in sql, "The query has no `:order`: it cannot be asked for another order."
    answer(sql, every_trap(), order=1)


def check_every_trap(query: Query) -> None:
    """Each trap once: other orders, refunds, ended tasks, other spellings, the number in another place."""
    judge(query(), every_trap(), 1)


def check_fifty_databases(query: Query) -> None:
    """In 50 generated databases, the smallest first, the same tasks as by reading each payload in Python."""
    dice = random.Random(41)
    for number in range(DATABASES):
        judge(query(), random_rows(dice, 2 + number), dice.choice(ORDERS))


def check_many_payments(query: Query) -> None:
    """However many payments of the order are live, each of them is found."""
    judge(query(), numbered([StoredTask(json.dumps({"order_id": 7}), status=dice) for dice in LIVE * MANY]), 7)


def judge(sql: str, rows: Sequence[StoredTask], order: int) -> None:
    """Compare the query's answer with the oracle's; the message names the first task that is wrong."""
    wanted = {row.id for row in rows if row.is_live_payment() and row.named() == order}
    found = answer(sql, rows, order=order)
    for id in found:
        if id not in wanted:
            raise CheckFailed(too_many(id, rows, order), shown(rows, found, wanted), expected=wanted, found=found)
    if lost := [row for row in rows if row.id in wanted.difference(found)]:
        there = [row for row in rows if row.id in wanted.intersection(found)]
        raise CheckFailed(missing(lost, there, order), shown(rows, found, wanted), expected=wanted, found=found)
    if len(found) != len(wanted):
        twice = f"Asked for order {order}, the query found a task twice; each is wanted once."
        raise CheckFailed(twice, shown(rows, found, wanted), expected=wanted, found=found)


def too_many(number: Any, rows: Sequence[StoredTask], order: int) -> str:
    """Which task came back and is not wanted, and why it is not."""
    by_id = {row.id: row for row in rows}
    if number not in by_id:
        return f"`{number!r:.40}` came back, which is not a task's id; expected the ids of tasks."
    row = by_id[number]
    found = f"Asked for order {order}, the query found task {number}"
    if row.payload is None:
        return f"{found}, which has no payload and so names no order."
    if row.named() != order:
        other = f"which belongs to order {row.named()}" if row.named() in ORDERS else "which only mentions that number"
        return f"{found}, {other}: `{row.payload}`. Expected: the key `order_id` has that value, exactly."
    if row.type != PAYMENT:
        return f"{found}, which is a `{row.type}` of that order; expected its `{PAYMENT}` tasks only."
    return f"{found}, whose status is `{row.status}`; expected those that can still be stopped: pending and running."


def missing(lost: Sequence[StoredTask], there: Sequence[StoredTask], order: int) -> str:
    """How many tasks did not come back, and what tells them from those that did."""
    row, count = lost[0], f"{len(there):,} of the {len(lost) + len(there):,} live payments of order {order}"
    if all(was_asked_to_stop(each) for each in lost) and not any(was_asked_to_stop(each) for each in there):
        why = "it was asked to stop and still runs; asking again does no harm"
    elif {each.status for each in lost}.isdisjoint(each.status for each in there) and there:
        why = f"it is {row.status}, and what is pending or running can still be stopped"
    else:
        why = f"it is {row.status}, and its payload is `{row.payload}`"
    return f"The query finds {count}. It misses task {row.id}: {why}."


def shown(rows: Sequence[StoredTask], found: Sequence[Any], wanted: set[int]) -> str:
    """The tasks that were wanted or found, those first about which the two differ."""
    either = [row for row in rows if row.id in wanted or row.id in found]
    first = sorted(either, key=lambda row: (row.id in wanted) == (row.id in found))[:SHOWN]
    width = max((len(row.payload or "NULL") for row in first), default=7)
    lines = [f"wanted  found  id    {'payload':<{width}}  type                      status     asked to stop"]
    for row in first:
        marks = f"{'yes' if row.id in wanted else '-':<8}{'yes' if row.id in found else '-':<7}"
        asked = "yes" if was_asked_to_stop(row) else "-"
        lines.append(f"{marks}{row.id:<6}{row.payload or 'NULL':<{width}}  {row.type:<26}{row.status:<11}{asked}")
    if others := len(rows) - len(lines) + 1:
        lines.append(f"and {others:,} more task{'s' * (others != 1)}")
    return "\n".join(lines)


def _wrong(where: str, message: str, what: str = "id") -> Wrong:
    return Wrong(f"def payments_of():\n    return '''SELECT {what} FROM task WHERE {where}\n'''", message)


TYPE = "type = 'process_payment'"
STATUS = "status IN ('pending', 'running')"
EXACT = "json_extract(payload, '$.order_id') = :order"

EXERCISE = Exercise(
    id="4.1",
    title="Exactly this order's tasks",
    objective="4-find",
    core=True,
    goal="""
Return a query, a `SELECT`, for the ids of the payments of one order that can still be stopped: tasks of type
`process_payment`, pending or running, whose payload has an `order_id` equal to `:order`; the text `"12"` does not
equal 12. Each of them once, however many there are.

It is tried on 50 databases, with tasks of other types, with further keys in the payload, with tasks that were asked to
stop already, and with orders such as 1, 12 and 21.
""",
    stub='''
def payments_of():
    """SQL for the ids of the live payments of :order."""
    return """
    SELECT ...
    """
''',
    checks=[check_is_a_query, check_every_trap, check_fifty_databases, check_many_payments],
    hints=[
        "Text that looks like the payload is not the payload. Let the database read the JSON, and compare a value.",
        "`json_extract(payload, '$.order_id')` is the value of that key, or NULL. Two more conditions are needed: "
        "one on `type`, and one on `status`, which may have either of two values.",
        '''
Three conditions, one for each column:

```python
return """
SELECT id FROM task
WHERE type = ...
  AND status IN (...)
  AND json_extract(payload, '$.order_id') = :order
"""
```
''',
    ],
    solution='''
def payments_of():
    """SQL for the ids of the live payments of :order."""
    return """
    SELECT id FROM task
    WHERE type = 'process_payment'
      AND status IN ('pending', 'running')
      AND json_extract(payload, '$.order_id') = :order
    """
''',
    discussion="""
Three conditions, and whichever is forgotten stops the wrong work: this order's refund, a stranger's payment, or
none at all. The query is short. It must be right in every place that cancels, and that is its price.

It reads every live task, unless an index serves it. That comes at the end of this notebook.
""",
    wrong_answers=[
        _wrong(f"""{TYPE} AND {STATUS} AND payload LIKE '%"order_id": ' || :order || '%'""", "belongs to order 11"),
        _wrong(
            f"""{TYPE} AND {STATUS} AND payload LIKE '%"order_id": ' || :order || '}}'""",
            'its payload is `{"order_id":1}`',
        ),
        _wrong(f"""{TYPE} AND {STATUS} AND payload = '{{"order_id": ' || :order || '}}'""", "It misses task"),
        _wrong(
            f"{TYPE} AND {STATUS} AND id IN (SELECT task.id FROM json_tree(payload)"
            " WHERE key = 'order_id' AND value = :order)",
            "only mentions that number",
        ),
        _wrong(f"{STATUS} AND {EXACT}", "which is a `refund` of that order"),
        _wrong(f"{TYPE} AND {EXACT}", "whose status is `succeeded`"),
        _wrong(f"{TYPE} AND status = 'pending' AND {EXACT}", "it is running, and what is"),
        _wrong(f"{TYPE} AND status != 'succeeded' AND {EXACT}", "whose status is `failed`"),
        _wrong(f"{TYPE} AND {STATUS} AND json_extract(payload, '$.order_id') = 1", "has no `:order`"),
        _wrong(f"{TYPE} AND {STATUS} AND {EXACT}", "returns 14 columns", what="*"),
        _wrong(f"{TYPE} AND {STATUS} AND {EXACT}", "which is not a task's id", what="payload"),
        _wrong(f"{TYPE} AND {STATUS} AND order_id = :order", "no such column: order_id"),
        _wrong(f"{TYPE} AND {STATUS} AND {EXACT} AND cancel_requested_at IS NULL", "asked to stop and still runs"),
        _wrong(f"{TYPE} AND {STATUS} AND {EXACT} LIMIT 1000", "1,000 of the 1,200 live payments"),
        _wrong(f"{TYPE} AND {STATUS} AND {EXACT}", "how many. Expected which ones", what="count(*)"),
    ],
)
