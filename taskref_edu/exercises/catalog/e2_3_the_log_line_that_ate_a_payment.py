"""2.3: a handler that logs a wrong payload and returns; mend it, so that the task fails by name, and only then."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, Worker, open_database, reading, writing
from taskref_edu.exercises.catalog._bug_hunt import require_few_changes
from taskref_edu.exercises.exercise import Exercise, Wrong

LINES = 3
ANN, DORA = 11, 14  # Dora has no account
Handler = Callable[[Any], Any]

STUB = '''
import logging

from taskref_edu import Order
from taskref_edu.errors import PayloadError

ACCOUNTS = {"Ann": "account 501", "Bob": "account 502"}


def charge_order(task):
    """Charge the account of the customer whose order the payload names."""
    try:
        order_id = task.payload["order_id"]
        with task.reading() as session:
            account = ACCOUNTS[session.get_one(Order, order_id).customer]
    except KeyError:
        logging.error("Missing order_id in payload")
        return
    with task.completing() as session:
        session.get_one(Order, order_id).status = f"paid from {account}"
'''
HANDLER = '        logging.error("Missing order_id in payload")\n        return\n'


@dataclass(frozen=True)
class Ran:
    """How a task ended, and the orders that were paid then, by customer."""

    status: str
    error: str
    attempt: int
    paid: dict[str, str]


def ran(handler: Handler, *payloads: Any) -> list[Ran]:
    """Run a task for each payload, one after the other, in a fresh shop; the log is kept quiet."""
    engine = open_database(schema="as_written")
    logging.disable(logging.CRITICAL)
    try:
        queue = TaskQueue(engine, backoff=0)
        queue.handler("process_payment")(handler)
        with writing(engine) as session:
            for number, customer in ((ANN, "Ann"), (12, "Bob"), (DORA, "Dora")):
                session.add(Order(id=number, customer=customer, amount=1000))
            ids = [queue.enqueue(session, "process_payment", payload).id for payload in payloads]
        Worker(queue).run_until_idle()
        with reading(engine) as session:
            ended = [session.get_one(Task, id) for id in ids]
            paid = {str(order.customer): order.status for order in session.exec(select(Order)) if order.status != "new"}
        return [Ran(str(task.status), task.error or "", task.attempt, paid) for task in ended]
    finally:
        logging.disable(logging.NOTSET)
        engine.dispose()


def check_a_right_payload_pays(handler: Handler) -> None:
    """A right payload charges the account of the order's customer, and no other."""
    (end,) = ran(handler, {"order_id": ANN})
    assert end.status == "succeeded", f"With a right payload the task ends as `{end.status}`: {end.error:.120}."
    paid = ", ".join(f"{name}'s is `{status}`" for name, status in end.paid.items()) or "no order is paid"
    assert end.paid == {"Ann": "paid from account 501"}, (
        f"With a right payload for Ann's order {paid}; expected is that Ann's is `paid from account 501`."
    )


def check_a_typo_fails_by_name(handler: Handler) -> None:
    """A misspelt or a missing key fails the task, once, and the error names what was found and expected."""
    typo, empty = ran(handler, {"orderid": ANN}, {})
    _fails_by_name(typo, "the typo `orderid`", found="orderid")
    _fails_by_name(empty, "an empty payload", found="")


def _fails_by_name(end: Ran, name: str, found: str) -> None:
    assert end.status == "failed", f"With {name} the task ends as `{end.status}`, and nobody hears of it."
    shown = f"With {name} the task fails with `{shorten(end.error, 64, placeholder='…')}`"
    assert re.search(r"\border_id\b", end.error), f"{shown}; `order_id`, which is expected, is not named."
    assert found in end.error, f"{shown}; `{found}`, which was found, is not named."
    again = f"{shown}, after {end.attempt} attempts. It can never succeed: a PayloadError is not tried again."
    assert end.attempt == 1, again


def check_another_key_error_keeps_its_name(handler: Handler) -> None:
    """A KeyError that has nothing to do with the payload is reported as what it is."""
    (end,) = ran(handler, {"order_id": DORA})
    what = "Dora has no account, which is no fault of the payload"
    assert end.status == "failed", f"{what}. Yet the task ends as `{end.status}`, and nobody hears of it."
    assert end.error == "KeyError: 'Dora'", f"{what}. Yet the task fails with `{end.error:.90}`."


def check_few_lines(handler: Handler) -> None:
    """The repair is small: at most three lines are new or changed."""
    require_few_changes(handler, STUB, LINES)


def _mended(handler: str) -> str:
    assert HANDLER in STUB
    return STUB.replace(HANDLER, handler)


MOVED = '''
import logging

from taskref_edu import Order
from taskref_edu.errors import PayloadError

ACCOUNTS = {"Ann": "account 501", "Bob": "account 502"}


def charge_order(task):
    """Charge the account of the customer whose order the payload names."""
    try:
        order_id = task.payload["order_id"]
    except KeyError:
        raise PayloadError(f"payload {task.payload!r} found, key 'order_id' expected") from None
    with task.reading() as session:
        account = ACCOUNTS[session.get_one(Order, order_id).customer]
    with task.completing() as session:
        session.get_one(Order, order_id).status = f"paid from {account}"
'''

EXERCISE = Exercise(
    id="2.3",
    title="The log line that ate a payment",
    objective="2-loud",
    core=True,
    goal=f"""
`charge_order` handles its payload as the document does. Mend it with at most {LINES} new or changed lines (to move
a line is free):

- a wrong key fails the task, at once and with a `PayloadError`; its text shows what was found and what is expected;
- Dora, who has no account, fails with a KeyError of her own.
""",
    stub=STUB,
    checks=[
        check_a_right_payload_pays,
        check_a_typo_fails_by_name,
        check_another_key_error_keeps_its_name,
        check_few_lines,
    ],
    hints=[
        "What does a worker conclude from a handler that returns? And which of the lines inside the `try` can raise a "
        "KeyError? Is it always the same key that is missing?",
        "Raise an error instead of returning. And let the `try` hold only the one line whose KeyError you mean: what "
        "comes after it can stand below the `except`.",
        """
The `try` becomes short, the rest moves below it:

```python
try:
    order_id = task.payload["order_id"]
except KeyError:
    raise PayloadError(f"payload {task.payload!r} found, ... expected") from None
with task.reading() as session:
    ...
```
""",
    ],
    solution=MOVED,
    discussion="""
To return is to say "done". A handler that cannot do its work has to raise.

`PayloadError` is a permanent failure: another attempt would read the same payload, so the worker does not make one.
The KeyError about Dora is tried again, and rightly: meanwhile somebody may have opened her account.
""",
    wrong_answers=[
        Wrong(
            _mended(
                '        logging.error("Missing order_id in payload")\n'
                "    raise PayloadError(f\"payload {task.payload!r} found, key 'order_id' expected\")\n"
            ),
            "With a right payload the task ends as `failed`",
        ),
        Wrong(
            _mended('        logging.error("Missing order_id in payload")\n'),
            "With the typo `orderid` the task fails with `UnboundLocalError",
        ),
        Wrong(_mended("        raise\n"), "`orderid`, which was found, is not named"),
        Wrong(
            _mended('        raise PayloadError(f"keys {list(task.payload)} found")\n'),
            "`order_id`, which is expected, is not named",
        ),
        Wrong(
            _mended("        raise KeyError(f\"payload {task.payload!r} found, key 'order_id' expected\")\n"),
            "after 3 attempts",
        ),
        Wrong(
            _mended("        raise PayloadError(f\"payload {task.payload!r} found, key 'order_id' expected\")\n"),
            "Dora has no account, which is no fault of the payload. Yet the task fails with `PayloadError",
        ),
        Wrong(
            STUB.replace("except KeyError", "except Exception").replace(
                HANDLER, '        raise PayloadError(f"payload {task.payload!r} found, order_id expected")\n'
            ),
            "Dora has no account, which is no fault of the payload. Yet the task fails with `PayloadError",
        ),
        Wrong(
            MOVED.replace("account = ACCOUNTS[session", "account = ACCOUNTS.get(session").replace(
                ".customer]", ".customer)"
            ),
            "Dora has no account, which is no fault of the payload. Yet the task ends as `succeeded`",
        ),
        Wrong(
            STUB.replace("    except KeyError:\n" + HANDLER, "    except ZeroDivisionError:\n        return\n").replace(
                '        order_id = task.payload["order_id"]',
                "        if not task.payload:\n            raise PayloadError(\"{} found, 'order_id' expected\")\n"
                "        if 'orderid' in task.payload:\n            raise PayloadError(\"'orderid' found, 'order_id' "
                'expected")\n        order_id = task.payload["order_id"]',
            ),
            "lines of the function are new or changed",
        ),
        Wrong(
            STUB.replace('task.payload["order_id"]', 'task.payload.get("order_id") or task.payload["orderid"]').replace(
                HANDLER, "        raise\n"
            ),
            "With the typo `orderid` the task ends as `succeeded`",
        ),
        Wrong(
            STUB.replace('order_id = task.payload["order_id"]', "order_id = 11"),
            "With the typo `orderid` the task ends as `succeeded`",
        ),
    ],
)
