"""2.2: from a payload to an order's id, or a named refusal; 200 generated payloads and no database."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from taskref_edu.errors import PayloadError
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

OrderIdOf = Callable[[Any], Any]
COUNT = 200


def good_payloads() -> list[tuple[Any, int]]:
    """Payloads to let in, each with its id."""
    numbers = random.Random(22)
    ids = [1, 11, 0, -3, 10**20, *(numbers.randint(2, 10**9) for _ in range(COUNT // 4))]
    return [({"order_id": id}, id) for id in ids]


def bad_payloads() -> list[tuple[Any, str]]:
    """Payloads to refuse, each with what is wrong: the plain cases first, then generated ones of each kind."""
    numbers = random.Random(2)
    plain = [(make(11), what) for what, make in KINDS.items()]
    kinds = [*KINDS.items()] * (1 + COUNT // len(KINDS))
    return plain + [(make(numbers.randint(2, 10**9)), what) for what, make in kinds]


# What is wrong -> a payload with that fault, made from an id.
KINDS: dict[str, Callable[[int], Any]] = {
    "there is no payload": lambda id: None,
    "it is not a dict": lambda id: [id],
    "it is a number, not a dict": lambda id: id,
    "it is a pair, not a dict": lambda id: ("order_id", id),
    "it is a text, not a dict": lambda id: f"order_id {id}",
    "the key is missing": lambda id: {},
    "the key is misspelt": lambda id: {"orderid": id},
    "the key has capital letters": lambda id: {"Order_ID": id},
    "the key has a space too many": lambda id: {"order_id ": id},
    "the key is another one": lambda id: {"order": id},
    "the key is one that nobody knows": lambda id: {f"key_{id}": id},
    "there is no id": lambda id: {"order_id": None},
    "the id is a text": lambda id: {"order_id": str(id)},
    "the id is an empty text": lambda id: {"order_id": ""},
    "the id is a float": lambda id: {"order_id": float(id)},
    "the id is a fraction": lambda id: {"order_id": id + 0.5},
    "the id is True, not a number": lambda id: {"order_id": True},
    "the id is False, not a number": lambda id: {"order_id": False},
    "the id is a list": lambda id: {"order_id": [id]},
    "the id is one level too deep": lambda id: {"order_id": {"id": id}},
    "there is a key too many": lambda id: {"order_id": id, "orderid": id},
    "there is a key too many, with nothing in it": lambda id: {"order_id": id, "note": None},
    "there are several keys too many": lambda id: {"order_id": id, **{f"key_{n}": id for n in range(id % 7 + 2)}},
}


def check_lets_the_good_in(order_id_of: OrderIdOf) -> None:
    """Every right payload gives its id."""
    for payload, id in good_payloads():
        try:
            found = order_id_of(payload)
        except PayloadError:
            refused = f"`{payload!r}` was refused; it is right; expected {id}."
            raise CheckFailed(refused, expected=id, found="PayloadError") from None
        if found is None:
            nothing = f"`{payload!r}` gave nothing; expected {id}. Is a `return` missing?"
            raise CheckFailed(nothing, expected=id, found=None)
        if (type(found), found) != (int, id):
            raise CheckFailed(f"`{payload!r}` gave `{found!r:.60}`; expected {id}.", expected=id, found=found)


def check_refuses_the_bad(order_id_of: OrderIdOf) -> None:
    """Every wrong payload is refused with a PayloadError, and with no other error."""
    for payload, what in bad_payloads():
        shown = f"`{payload!r:.60}`"
        try:
            found = order_id_of(payload)
        except PayloadError:
            continue
        except Exception as error:
            kind = type(error).__name__
            raised = f"{shown} raised {kind}: {what}. Expected PayloadError, which a caller can tell from a bug"
            raise CheckFailed(f"{raised} (`{error!s:.60}`).", expected="PayloadError", found=kind) from None
        let_in = f"{shown} was let in as `{found!r:.40}`: {what}. Expected PayloadError."
        raise CheckFailed(let_in, expected="PayloadError", found=found)


def check_the_error_helps(order_id_of: OrderIdOf) -> None:
    """Every refusal says what was found and which key is expected."""
    for payload, _ in bad_payloads():
        said = _refusal(order_id_of, payload)
        start = f"The refusal of `{payload!r:.60}` says {f'`{said:.80}`' if said else 'nothing'}"
        if payload and not any(part in said for part in evidence_of(payload)):
            shows = "a text that shows what was found"
            raise CheckFailed(f"{start}; it does not show what was found.", expected=shows, found=said)
        if "order_id" not in said:
            names = "a text that names order_id"
            raise CheckFailed(f"{start}; it does not name the key that is expected.", expected=names, found=said)


def evidence_of(payload: Any) -> list[str]:
    """What a text may show of the payload, so that a reader knows it again: itself, a wrong key, a value, its type."""
    if not isinstance(payload, dict):
        return [repr(payload), str(payload), type(payload).__name__]
    values = [word for value in payload.values() for word in (repr(value), type(value).__name__)]
    return [
        *(key for key in payload if key != "order_id"),
        *values,
        "None" if None in payload.values() else repr(payload),
    ]


def _refusal(order_id_of: OrderIdOf, payload: Any) -> str:
    try:
        return f"nothing, and returns {order_id_of(payload)!r:.40}"
    except PayloadError as error:
        return str(error)


HEAD = "from taskref_edu.errors import PayloadError\n\n"

EXERCISE = Exercise(
    id="2.2",
    title="Say no at the door",
    objective="2-door",
    goal="""
Write `order_id_of(payload)`: return the id from a payload that is exactly `{"order_id": <int>}`. For anything else
raise `PayloadError`, with a text that shows something of what was found (the payload, the wrong key, the value or its
type) and names the key that is expected.

`True` is no id. Neither is `"11"`, nor `11.0`. An extra key is refused, too: it may be the right key, misspelt.
Any whole number may be an id.
""",
    stub='''
from taskref_edu.errors import PayloadError


def order_id_of(payload):
    """The id of the order that the payload names."""
    ...
''',
    checks=[check_lets_the_good_in, check_refuses_the_bad, check_the_error_helps],
    hints=[
        "Three questions, one after the other: is it a dict? Are its keys the right ones, no more and no fewer? "
        "Is the value a whole number, and not something that merely looks like one?",
        "`isinstance(True, int)` is true, because `bool` is a subclass of `int`. `type(value) is int` is stricter. "
        'A pydantic model with `strict=True` and `extra="forbid"` is strict, too; then turn its error into yours.',
        """
All three conditions in one `if`, the refusal below it:

```python
if isinstance(payload, dict) and payload.keys() == {...} and type(...) is int:
    return payload["order_id"]
raise PayloadError(f"payload {payload!r} found, {{'order_id': <int>}} expected")
```
""",
    ],
    solution='''
from taskref_edu.errors import PayloadError


def order_id_of(payload):
    """The id of the order that the payload names."""
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and type(payload["order_id"]) is int:
        return payload["order_id"]
    raise PayloadError(f"payload {payload!r} found, {{'order_id': <int>}} expected")
''',
    discussion="""
The same function serves at both ends: before the enqueue it protects the table, in the handler it protects the
worker from what is in the table already.

It knows nothing of the database: `{"order_id": 13}` is well formed, whether or not there is an order 13.
""",
    wrong_answers=[
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    try:
        return int(payload["order_id"])
    except (KeyError, TypeError, ValueError):
        raise PayloadError(f"{payload!r} found, order_id expected") from None
""",
            "was let in as `11`: the id is a text",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and isinstance(payload["order_id"], int):
        return payload["order_id"]
    raise PayloadError(f"{payload!r} found, order_id expected")
""",
            "was let in as `True`: the id is True, not a number",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if type(payload["order_id"]) is not int:
        raise PayloadError(f"{payload!r} found, order_id expected")
    return payload["order_id"]
""",
            "`None` raised TypeError: there is no payload",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if not isinstance(payload, dict) or type(payload["order_id"]) is not int:
        raise PayloadError(f"{payload!r} found, order_id expected")
    return payload["order_id"]
""",
            "`{}` raised KeyError: the key is missing",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and type(payload.get("order_id")) is int:
        return payload["order_id"]
    raise PayloadError(f"{payload!r} found, order_id expected")
""",
            "there is a key too many",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and type(payload["order_id"]) is int:
        return payload["order_id"]
""",
            "was let in as `None`",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and type(payload["order_id"]) is int:
        return payload
    raise PayloadError(f"{payload!r} found, order_id expected")
""",
            "gave `{'order_id': 1}`; expected 1",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and type(payload["order_id"]) is int:
        return payload["order_id"]
    raise PayloadError("order_id is missing or wrong")
""",
            "it does not show what was found",
        ),
        Wrong(
            HEAD
            + """
def order_id_of(payload):
    if isinstance(payload, dict) and payload.keys() == {"order_id"} and type(payload["order_id"]) is int:
        return payload["order_id"]
    raise PayloadError(f"unexpected payload: {payload!r}")
""",
            "it does not name the key that is expected",
        ),
    ],
)
