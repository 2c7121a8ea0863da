"""2.3: a handler that logs a wrong payload and returns; fix it, so that the task fails by name, and only then."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, Worker, reading, writing
from taskref_edu.errors import PayloadError
from taskref_edu.exercises.catalog._answer_forms import require_few_changes
from taskref_edu.exercises.catalog._worlds import opened, quiet_log
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

LINES = 3
CUSTOMERS = {"Ann": 11, "Bob": 12, "Dora": 14, "Ed": 150}  # Dora and Ed have no account
ACCOUNTS = {"Ann": "account 501", "Bob": "account 502"}  # as in the stub
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
    """How a task ended, what its handler raised last, and the orders that were paid then, by customer."""

    status: str
    error: BaseException | None
    attempt: int
    paid: dict[str, str]

    @property
    def text(self) -> str:
        """The error as a task records it."""
        return f"{type(self.error).__name__}: {self.error}" if self.error else "no error"


def ran(handler: Handler, *payloads: Any) -> list[Ran]:
    """Run a task for each payload, one after the other, in a fresh shop; the log is kept quiet."""
    raised: dict[int, BaseException] = {}

    def watched(task: Any) -> Any:
        try:
            return handler(task)
        except Exception as error:
            raised[task.id] = error
            raise

    with opened("as_written") as engine, quiet_log():
        queue = TaskQueue(engine, backoff=0)
        queue.handler("process_payment")(watched)
        with writing(engine) as session:
            session.add_all(Order(id=id, customer=name, amount=1000) for name, id in CUSTOMERS.items())
            ids = [queue.enqueue(session, "process_payment", payload).id or 0 for payload in payloads]
        Worker(queue).run_until_idle()
        with reading(engine) as session:
            ended = [session.get_one(Task, id) for id in ids]
            paid = {str(order.customer): order.status for order in session.exec(select(Order)) if order.status != "new"}
        return [Ran(str(task.status), raised.get(task.id or 0), task.attempt, paid) for task in ended]


def check_a_right_payload_pays(handler: Handler) -> None:
    """A right payload charges the account of the order's customer, and no other."""
    for name, account in ACCOUNTS.items():
        (end,) = ran(handler, {"order_id": CUSTOMERS[name]})
        expected = _told("succeeded", {name: f"paid from {account}"})
        found = _told(end.status, end.paid)
        if end.status != "succeeded":
            ends = f"With a right payload the task ends as `{end.status}`: {end.text:.120}."
            raise CheckFailed(ends, expected=expected, found=found)
        paid = ", ".join(f"{other}'s is `{status}`" for other, status in end.paid.items()) or "no order is paid"
        if end.paid != {name: f"paid from {account}"}:
            raise CheckFailed(
                f"With the right payload for {name}'s order, {paid}; expected: {name}'s is `paid from {account}`.",
                expected=expected,
                found=found,
            )


def _told(status: str, paid: Mapping[str, str]) -> dict[str, str]:
    """A task's end, and the orders that were paid, as a learner reads them."""
    return {"the task": status, **{f"{name}'s order": how for name, how in paid.items()}}


def check_a_typo_fails_by_name(handler: Handler) -> None:
    """A wrong or a missing key fails the task, once, with a PayloadError that names what was found and expected."""
    dice = random.Random(23)
    words = ["orderid", "order", "id", "Order_Id", "order_number", f"key_{dice.randint(100, 999)}"]
    payloads: list[Any] = [
        {word: CUSTOMERS[name]} for word, name in zip(words, dice.choices([*CUSTOMERS], k=6), strict=True)
    ]
    payloads[0] = {"orderid": CUSTOMERS["Ann"]}
    payloads += [{}, {"order": CUSTOMERS["Bob"], "note": "gift"}]
    for payload, end in zip(payloads, ran(handler, *payloads), strict=True):
        _fails_by_name(
            end, f"the payload `{payload}`" if payload else "an empty payload", found=next(iter(payload), "")
        )


def _fails_by_name(end: Ran, name: str, found: str) -> None:
    expected = {"status": "failed", "error": "PayloadError"}
    ended = {"status": end.status, "error": type(end.error).__name__ if end.error else "none"}
    if end.status != "failed":
        ends = f"With {name} the task ends as `{end.status}`, and nobody hears of it."
        raise CheckFailed(ends, expected=expected, found=ended)
    shown = f"With {name} the task fails with `{shorten(end.text, 64, placeholder='…')}`"
    by_name = isinstance(end.error, PayloadError)
    again = f", after {end.attempt} attempts" if end.attempt > 1 else ""
    if not by_name:
        problem = f"{shown}{again}; expected a `PayloadError`{', which is not tried again' if again else ''}."
        raise CheckFailed(problem, expected=expected, found=ended)
    for key, role in (("order_id", "expected"), (found, "found")):
        if not re.search(rf"\b{key}\b", str(end.error)):
            named = f"a text that names {key}"
            problem = f"{shown}; `{key}`, which {'is' if role == 'expected' else 'was'} {role}, is not named."
            raise CheckFailed(problem, expected=named, found=str(end.error))


def check_another_key_error_keeps_its_name(handler: Handler) -> None:
    """A KeyError that has nothing to do with the payload is reported as what it is."""
    for name in ("Dora", "Ed"):
        (end,) = ran(handler, {"order_id": CUSTOMERS[name]})
        what = f"{name} has no account, which is not the payload's fault"
        own = isinstance(end.error, KeyError) and end.error.args == (name,)
        expected = {"status": "failed", "error": f"KeyError: '{name}'"}
        found = {"status": end.status, "error": end.text}
        if end.status != "failed":
            ends = f"{what}. Yet the task ends as `{end.status}`, and nobody hears of it."
            raise CheckFailed(ends, expected=expected, found=found)
        if not own:
            raise CheckFailed(f"{what}. Yet the task fails with `{end.text:.90}`.", expected=expected, found=found)


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
`charge_order` handles its payload as the document does. Fix it with at most {LINES} new or changed lines (to move
a line is free):

- a wrong or missing key fails the task, at once and with a `PayloadError`; its text shows the key that was found and
  names the key that is expected;
- a customer without an account, such as Dora, still fails with the KeyError of the ACCOUNTS lookup;
- everybody else's order is paid from their own account, as before.
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
Returning means success. A handler that cannot do its work has to raise.

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
            "With the payload `{'orderid': 11}` the task fails with `UnboundLocalError",
        ),
        Wrong(_mended("        raise\n"), "the task fails with `KeyError: 'order_id'`, after 3 attempts"),
        Wrong(
            _mended('        raise PayloadError("order_id expected, and not found")\n'),
            "`orderid`, which was found, is not named",
        ),
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
            "Dora has no account, which is not the payload's fault. Yet the task fails with `PayloadError",
        ),
        Wrong(
            STUB.replace("except KeyError", "except Exception").replace(
                HANDLER, '        raise PayloadError(f"payload {task.payload!r} found, order_id expected")\n'
            ),
            "Dora has no account, which is not the payload's fault. Yet the task fails with `PayloadError",
        ),
        Wrong(
            MOVED.replace("account = ACCOUNTS[session", "account = ACCOUNTS.get(session").replace(
                ".customer]", ".customer)"
            ),
            "Dora has no account, which is not the payload's fault. Yet the task ends as `succeeded`",
        ),
        Wrong(
            MOVED.replace(
                "    try:\n", "    shown = repr(task.payload)\n    what = 'order_id'\n    assert what\n    try:\n"
            ).replace("{task.payload!r}", "{shown}"),
            "lines of the function are new or changed",
        ),
        Wrong(
            STUB.replace('task.payload["order_id"]', 'task.payload.get("order_id") or task.payload["orderid"]').replace(
                HANDLER, "        raise\n"
            ),
            "With the payload `{'orderid': 11}` the task ends as `succeeded`",
        ),
        Wrong(
            STUB.replace('order_id = task.payload["order_id"]', "order_id = 11"),
            "With the right payload for Bob's order, Ann's is",
        ),
    ],
)
