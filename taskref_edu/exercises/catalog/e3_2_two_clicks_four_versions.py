"""3.2: predict what two simultaneous clicks do to four versions of one check; the check explores each of them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getsource
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, reading, writing
from taskref_edu.exercises.catalog._answer_forms import predictions, words_for
from taskref_edu.exercises.catalog._clicks import one_live_payment, one_order
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore
from taskref_edu.lab.explorer.result import ExplorationResult

WORDS = ("duplicate", "error", "neither")
Predict = Callable[[], Any]


def around_the_write(engine: Engine) -> None:
    with reading(engine) as session:
        order = session.get_one(Order, 7)
    if not order.processing_task_id:
        with writing(engine) as session:  # BEGIN IMMEDIATE
            task = TaskQueue(engine).enqueue(session, "process_payment")
            session.get_one(Order, 7).processing_task_id = task.id


def around_all(engine: Engine) -> None:
    with Session(engine) as session:  # BEGIN
        order = session.get_one(Order, 7)
        if not order.processing_task_id:
            order.processing_task_id = TaskQueue(engine).enqueue(session, "process_payment").id
            session.commit()


def immediate(engine: Engine) -> None:
    with writing(engine) as session:  # BEGIN IMMEDIATE
        order = session.get_one(Order, 7)
        if not order.processing_task_id:
            order.processing_task_id = TaskQueue(engine).enqueue(session, "process_payment").id


def write_first(engine: Engine) -> None:
    with Session(engine) as session:  # BEGIN
        task = TaskQueue(engine).enqueue(session, "process_payment")
        order = session.get_one(Order, 7)
        if not order.processing_task_id:
            order.processing_task_id = task.id
            session.commit()  # else the task is rolled back


VERSIONS = (around_the_write, around_all, immediate, write_first)
LISTED = "\n\n".join(
    getsource(version).replace("engine: Engine", "engine").replace(" -> None", "").strip() for version in VERSIONS
)


def outcome_of(found: ExplorationResult) -> tuple[str, str]:
    """The word for what an exploration found, and the sentence."""
    schedules = f"{found.count} schedules"
    if found.broken:
        return "duplicate", f"in {len(found.broken)} of {schedules} the order ends with two live payments"
    if found.errors:
        return (
            "error",
            f"nobody pays twice, but in {len(found.errors)} of {schedules} a click fails: database is locked",
        )
    return "neither", f"in none of {schedules} does anybody pay twice, and no click fails"


def check_a_word_for_each(predict: Predict) -> None:
    """There is a prediction for each of the four versions."""
    words_for(predict, [version.__name__ for version in VERSIONS], WORDS, "word")


def check_each_is_explored(predict: Predict) -> None:
    """Two clicks on each version, in every interleaving of their statements, fared as predicted."""
    said = predict()
    found = {
        version.__name__: explore([version] * 2, setup=one_order, invariant=one_live_payment, schema="as_written")
        for version in VERSIONS
    }
    seen = {name: outcome_of(one)[0] for name, one in found.items()}
    for name, one in found.items():
        if said[name] != seen[name]:
            raise CheckFailed(
                f"`{name}`: you predicted `{said[name]}`; in fact, {outcome_of(one)[1]}.",
                one,
                **predictions(said, seen, told=name),
            )


def _answer(**said: str) -> str:
    right = {
        "around_the_write": "duplicate",
        "around_all": "error",
        "immediate": "neither",
        "write_first": "neither",
    }
    lines = "\n".join(f'        "{name}": "{word}",' for name, word in {**right, **said}.items())
    return f'def what_two_clicks_do():\n    """A word for each version."""\n    return {{\n{lines}\n    }}\n'


EXERCISE = Exercise(
    id="3.2",
    title="Two clicks, four versions",
    objective="3-window",
    core=True,
    goal=f"""
Two clicks on order 7 run at the same time. Predict the worst that each version can do: `duplicate` (two live
payments), `error` (never a duplicate, but a click can fail with an error), or `neither`.

```python
{LISTED}
```
""",
    stub='''
def what_two_clicks_do():
    """A word for each version."""
    return {
        "around_the_write": "",
        "around_all": "",
        "immediate": "",
        "write_first": "",
    }
''',
    checks=[check_a_word_for_each, check_each_is_explored],
    hints=[
        "For each version, put your finger between the line that reads the order and the line that writes. Can the "
        "other click do all of its work there?",
        "A plain BEGIN locks nothing. What a transaction has read stays as it was, for that transaction; and SQLite "
        "refuses to let it write once somebody else has written since. BEGIN IMMEDIATE, or a first statement that "
        "writes, takes the only write lock at once, and the other click waits.",
        """
Run two of them yourself, and look at the schedule with the fewest switches. Copy the function into a cell first:

```python
explore([around_all, around_all], setup=one_order, invariant=one_live_payment, schema="as_written")
```
""",
    ],
    solution=_answer(),
    discussion="""
A transaction protects what it encloses. In `around_the_write` the check is outside: two clicks check, and both write.

`around_all` encloses both, and SQLite notices that what was read is out of date. It cannot make the click right, only
stop it: the customer sees an error. `immediate` and `write_first` take the lock *before* they read.
""",
    wrong_answers=[
        Wrong(_answer(around_the_write="neither"), "`around_the_write`: you predicted `neither`; in fact, in"),
        Wrong(_answer(around_the_write="error"), "the order ends with two live payments"),
        Wrong(_answer(around_all="neither"), "`around_all`: you predicted `neither`; in fact, nobody pays twice, but"),
        Wrong(_answer(around_all="duplicate"), "a click fails: database is locked"),
        Wrong(_answer(immediate="error"), "`immediate`: you predicted `error`; in fact, in none of"),
        Wrong(_answer(write_first="duplicate"), "`write_first`: you predicted `duplicate`; in fact, in none of"),
        Wrong(_answer(write_first="error"), "`write_first`: you predicted `error`; in fact, in none of"),
        Wrong(_answer(immediate="nothing"), "`'nothing'` is not a word; expected one of"),
    ],
)
