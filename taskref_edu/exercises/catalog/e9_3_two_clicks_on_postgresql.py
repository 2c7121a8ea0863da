"""9.3: predict what two clicks do to five versions on PostgreSQL; a model of it runs every schedule of each."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getsource
from typing import Any

from taskref_edu.exercises.catalog._answer_forms import predictions, words_for
from taskref_edu.exercises.catalog._read_committed import Schedule, every_schedule
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

WORDS = ("duplicate", "error", "neither")
Predict = Callable[[], Any]


# The goal shows this text, so it carries no annotations.
# fmt: off
def look_first(run):  # type: ignore[no-untyped-def]
    run("BEGIN")
    order = run("SELECT task_id FROM orders WHERE id = 7")
    if order.task_id is None:
        task = run("INSERT INTO task DEFAULT VALUES RETURNING id")
        run("UPDATE orders SET task_id = :id WHERE id = 7", id=task.id)
    run("COMMIT")


def write_first(run):  # type: ignore[no-untyped-def]
    run("BEGIN")
    task = run("INSERT INTO task DEFAULT VALUES RETURNING id")
    order = run("SELECT task_id FROM orders WHERE id = 7")
    if order.task_id is None:
        run("UPDATE orders SET task_id = :id WHERE id = 7", id=task.id)
        run("COMMIT")
    run("ROLLBACK")  # does nothing after a COMMIT


def locked_look(run):  # type: ignore[no-untyped-def]
    run("BEGIN")
    order = run("SELECT task_id FROM orders WHERE id = 7 FOR UPDATE")
    if order.task_id is None:
        task = run("INSERT INTO task DEFAULT VALUES RETURNING id")
        run("UPDATE orders SET task_id = :id WHERE id = 7", id=task.id)
    run("COMMIT")


def one_update(run):  # type: ignore[no-untyped-def]
    run("BEGIN")
    task = run("INSERT INTO task DEFAULT VALUES RETURNING id")
    if run("UPDATE orders SET task_id = :id WHERE id = 7 AND task_id IS NULL RETURNING id", id=task.id):
        run("COMMIT")
    run("ROLLBACK")  # does nothing after a COMMIT


def repeatable_read(run):  # type: ignore[no-untyped-def]
    run("BEGIN ISOLATION LEVEL REPEATABLE READ")
    order = run("SELECT task_id FROM orders WHERE id = 7")
    if order.task_id is None:
        task = run("INSERT INTO task DEFAULT VALUES RETURNING id")
        run("UPDATE orders SET task_id = :id WHERE id = 7", id=task.id)
    run("COMMIT")
# fmt: on


VERSIONS = (look_first, write_first, locked_look, one_update, repeatable_read)
LISTED = "\n\n".join(getsource(version).replace("  # type: ignore[no-untyped-def]", "").strip() for version in VERSIONS)


def worst_of(schedules: list[Schedule]) -> tuple[str, str, Schedule | None]:
    """The word for what the schedules did, the sentence, and the plainest example."""
    count = f"{len(schedules)} schedules"
    if twice := [schedule for schedule in schedules if schedule.tasks > 1]:
        return "duplicate", f"in {len(twice)} of {count} the order ends with two tasks", twice[0]
    if failed := [schedule for schedule in schedules if schedule.errors]:
        return "error", f"nobody pays twice, but in {len(failed)} of {count} a click fails with an error", failed[0]
    return "neither", f"in none of {count} does anybody pay twice, and no click fails", None


def check_a_word_for_each(predict: Predict) -> None:
    """There is a prediction for each of the five versions."""
    words_for(predict, [version.__name__ for version in VERSIONS], WORDS, "word")


def check_each_is_run(predict: Predict) -> None:
    """Two clicks on each version, in every interleaving of their statements, fared as predicted."""
    said = predict()
    found = {version.__name__: worst_of(every_schedule(version)) for version in VERSIONS}
    for name, (word, sentence, example) in found.items():
        if said[name] != word:
            lines = "\n".join(example.lines) if example else None
            raise CheckFailed(
                f"`{name}`: you predicted `{said[name]}`; in fact, {sentence}.",
                lines,
                **predictions(said, {name: worst for name, (worst, _, _) in found.items()}, told=name),
            )


def _answer(**said: str) -> str:
    right = {
        "look_first": "duplicate",
        "write_first": "duplicate",
        "locked_look": "neither",
        "one_update": "neither",
        "repeatable_read": "error",
    }
    lines = "\n".join(f'        "{name}": "{word}",' for name, word in {**right, **said}.items())
    return f'def what_postgresql_does():\n    """A word for each version."""\n    return {{\n{lines}\n    }}\n'


EXERCISE = Exercise(
    id="9.3",
    title="Two clicks on PostgreSQL",
    objective="9-isolation",
    goal=f"""
Exercise 3.2 again, on a server. Two clicks on order 7 run at the same time, each on its own connection, under READ
COMMITTED unless BEGIN says otherwise. Predict the worst that each version can do: `duplicate` (two tasks), `error`
(never a duplicate, but a click can fail with an error), or `neither`.

```python
{LISTED}
```
""",
    stub='''
def what_postgresql_does():
    """A word for each version."""
    return {
        "look_first": "",
        "write_first": "",
        "locked_look": "",
        "one_update": "",
        "repeatable_read": "",
    }
''',
    checks=[check_a_word_for_each, check_each_is_run],
    hints=[
        "On SQLite, a first statement that writes kept the other click out. On PostgreSQL an INSERT locks only the row "
        "that it makes. For each version: which statement locks the *order*, and what has been decided by then?",
        "An UPDATE, and a SELECT with FOR UPDATE, wait for whoever holds the row, and then check it *again*. A plain "
        "SELECT never waits: it sees what is committed at that moment. Under REPEATABLE READ the second check is not "
        "allowed: the row has changed since the first one.",
        """
Play the worst case with two fingers. For `write_first` it begins like this:

```python
# A: INSERT INTO task …     B: INSERT INTO task …        nobody waits
# A: SELECT task_id …       B: SELECT task_id …          both see NULL
# A: UPDATE orders …        B: UPDATE orders …           B waits, and then?
```
""",
    ],
    solution=_answer(),
    discussion="""
`look_first` and `write_first` are right on SQLite, where one lock covers the file (the first one with BEGIN
IMMEDIATE). Here nothing keeps two clicks from looking at the same time: the lost update.

`locked_look` and `one_update` decide *under the row's lock*. `repeatable_read` notices, and a click fails; that is
right, too, if the caller repeats what was refused.

The check ran a small model of PostgreSQL, so that it needs no server. A test of this project runs the same schedules
on a real one and compares every outcome.
""",
    wrong_answers=[
        Wrong(_answer(look_first="neither"), "`look_first`: you predicted `neither`; in fact, in 48 of 50"),
        Wrong(_answer(look_first="error"), "the order ends with two tasks"),
        Wrong(_answer(write_first="neither"), "`write_first`: you predicted `neither`; in fact, in"),
        Wrong(_answer(locked_look="duplicate"), "`locked_look`: you predicted `duplicate`; in fact, in none of"),
        Wrong(_answer(locked_look="error"), "`locked_look`: you predicted `error`; in fact, in none of"),
        Wrong(_answer(one_update="duplicate"), "`one_update`: you predicted `duplicate`; in fact, in none of"),
        Wrong(_answer(repeatable_read="duplicate"), "a click fails with an error"),
        Wrong(_answer(repeatable_read="neither"), "`repeatable_read`: you predicted `neither`; in fact, nobody pays"),
        Wrong(_answer(one_update="nothing"), "`'nothing'` is not a word; expected one of"),
    ],
)
