"""2.1: predict what happens to six payloads; the check enqueues and runs each of them, as the document does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, Worker, as_written, reading, writing
from taskref_edu.errors import PayloadError
from taskref_edu.exercises.catalog._answer_forms import predictions, words_for
from taskref_edu.exercises.catalog._worlds import opened, quiet_log
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

ANN, DELETED = 11, 13
FATES = ("refused", "failed", "lost", "paid", "stranger")
# name -> the payload, and the order that was meant
CASES: dict[str, tuple[Any, int]] = {
    "typo": ({"orderid": ANN}, ANN),
    "text": ({"order_id": str(ANN)}, ANN),
    "true": ({"order_id": True}, ANN),
    "deleted": ({"order_id": DELETED}, DELETED),
    "object": ({"order_id": Order(id=ANN, customer="Ann", amount=2500)}, ANN),
    "nothing": (None, ANN),
}
Predict = Callable[[], Any]


@dataclass(frozen=True)
class Seen:
    """How one payload fared: the fate's word, and what was observed."""

    fate: str
    how: str


@contextmanager
def shop() -> Iterator[Engine]:
    """The orders 1, 11 and 12; order 13 is gone. The handler's log is kept quiet."""
    with opened("as_written") as engine, quiet_log():
        with writing(engine) as session:
            for number, customer in ((1, "Zoe"), (ANN, "Ann"), (12, "Bob")):
                session.add(Order(id=number, customer=customer, amount=1000))
        yield engine


def fate_of(engine: Engine, payload: Any, meant: int) -> Seen:
    """Enqueue the payload and run it, the document's way; what happened to it."""
    with writing(engine) as session:
        session.execute(update(Order).values(status="new"))
    try:
        task = as_written.enqueue(engine, as_written.PAYMENT, payload)
    except PayloadError as error:
        return Seen("refused", f"the enqueue raised {type(error).__name__}, and no task was stored")
    queue = TaskQueue(engine, backoff=0)
    queue.handler(as_written.PAYMENT)(as_written.classic_process_payment)
    Worker(queue).run_until_idle()
    with reading(engine) as session:
        ended = session.get_one(Task, task.id)
        paid = session.exec(select(Order.id).where(Order.status == "paid")).all()
    return _judged(ended, [id for id in paid if id is not None], meant)


def _judged(ended: Task, paid: list[int], meant: int) -> Seen:
    if paid:
        return Seen("paid" if paid == [meant] else "stranger", f"order {paid[0]} was paid")
    if ended.status == "succeeded":
        return Seen("lost", "its task ended as `succeeded`, and no order was paid")
    return Seen("failed", f"its task ended as `{ended.status}`, at attempt {ended.attempt}")


def check_a_word_for_each(predict: Predict) -> None:
    """There is a prediction for each of the six payloads."""
    words_for(predict, CASES, FATES, "fate")


def check_each_is_run(predict: Predict) -> None:
    """Each payload was enqueued and run as written, and fared as predicted."""
    said = predict()
    with shop() as engine:
        seen = {name: fate_of(engine, *case) for name, case in CASES.items()}
    differ = [name for name in CASES if said[name] != seen[name].fate]
    if differ:
        name = differ[0]
        count = "1 prediction differs" if len(differ) == 1 else f"{len(differ)} predictions differ"
        raise CheckFailed(
            f"`{name}`: you predicted `{said[name]}`; in fact {seen[name].how}. {count}.",
            **predictions(said, {name: one.fate for name, one in seen.items()}, told=name),
        )


def _answer(**said: str) -> str:
    right = {
        "typo": "lost",
        "text": "paid",
        "true": "stranger",
        "deleted": "failed",
        "object": "refused",
        "nothing": "failed",
    }
    lines = "\n".join(f'        "{name}": "{fate}",' for name, fate in {**right, **said}.items())
    return f'def fates():\n    """What happens to each payload."""\n    return {{\n{lines}\n    }}\n'


EXERCISE = Exercise(
    id="2.1",
    title="Six payloads, six fates",
    objective="2-fates",
    core=True,
    goal="""
All six are meant for order 11, except one for the deleted order 13. Order 1 is a stranger's. Each is enqueued
and run by the document's handler. Predict each one's fate.

| name | payload |
|---|---|
| `typo` | `{"orderid": 11}` |
| `text` | `{"order_id": "11"}` |
| `true` | `{"order_id": True}` |
| `deleted` | `{"order_id": 13}` |
| `object` | `{"order_id": ann}`, the order itself |
| `nothing` | `None` |

| fate | meaning |
|---|---|
| `refused` | the enqueue raises an error |
| `failed` | the task ends as failed |
| `lost` | the task succeeds, and nobody is paid |
| `paid` | the order that was meant is paid |
| `stranger` | another order is paid |
""",
    stub='''
def fates():
    """What happens to each payload."""
    return {
        "typo": "",
        "text": "",
        "true": "",
        "deleted": "",
        "object": "",
        "nothing": "",
    }
''',
    checks=[check_a_word_for_each, check_each_is_run],
    hints=[
        "Go through the handler line by line for each payload. Which line is the first that objects, if any does? "
        "And is it inside the `except KeyError`?",
        "A payload is stored as JSON: what JSON cannot write is refused. An id column of SQLite is an integer column: "
        'it turns the text "11" into a number before it compares. And in Python, `True == 1`.',
        """
`None["order_id"]` is no KeyError. You can try a payload on a shop of your own, and then look at the rows:

```python
task = as_written.enqueue(engine, "process_payment", {"order_id": True})
Worker(queue).run_until_idle()
```
""",
    ],
    solution=_answer(),
    discussion="""
Only one of the six is refused where the mistake was made. Two fail, later, on a worker. And three *succeed*: one
does what was meant by luck, one pays nobody, one pays a stranger's order.

An empty payload `{}` is lost, and no payload at all fails: `{}["order_id"]` is a KeyError, `None["order_id"]` a
TypeError. Nobody planned that difference.
""",
    wrong_answers=[
        Wrong(_answer(typo="failed"), "its task ended as `succeeded`, and no order was paid"),
        Wrong(_answer(text="failed"), "`text`: you predicted `failed`; in fact order 11 was paid"),
        Wrong(_answer(true="failed"), "`true`: you predicted `failed`; in fact order 1 was paid"),
        Wrong(_answer(true="paid"), "`true`: you predicted `paid`; in fact order 1 was paid"),
        Wrong(_answer(deleted="refused"), "its task ended as `failed`, at attempt 3"),
        Wrong(_answer(object="failed"), "the enqueue raised PayloadError"),
        Wrong(_answer(nothing="lost"), "`nothing`: you predicted `lost`"),
        Wrong(_answer(nothing="error"), "`'error'` is not a fate"),
        Wrong(_answer(typo="failed", text="failed", true="failed"), "3 predictions differ"),
    ],
)
