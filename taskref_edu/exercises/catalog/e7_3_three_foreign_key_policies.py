"""7.3: predict what three foreign-key policies do to an order, and to the prune that meets it; then they are run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from taskref_edu.exercises.catalog._answer_forms import missing_key, predictions
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong

POLICIES = ("NO ACTION", "CASCADE", "SET NULL")
FATES = ("unchanged", "cleared", "deleted")
TASKS = 3
Fate = tuple[str, int]
Predict = Callable[[], Any]


def run(policy: str) -> tuple[Fate, str | None]:
    """Prune three finished tasks, one of them referenced: the order's fate, how many went, and SQLite's refusal."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as shop:
        shop.execute("PRAGMA foreign_keys = ON")
        shop.execute("CREATE TABLE task (id INTEGER PRIMARY KEY AUTOINCREMENT, status TEXT)")
        shop.execute(f"CREATE TABLE orders (id INTEGER, task_id INTEGER REFERENCES task (id) ON DELETE {policy})")
        shop.executemany("INSERT INTO task (status) VALUES (?)", [("succeeded",)] * TASKS)
        shop.execute("INSERT INTO orders VALUES (7, 2)")
        refused = None
        try:
            shop.execute("DELETE FROM task WHERE status = 'succeeded'")
        except sqlite3.IntegrityError as error:
            refused = str(error)
        left = shop.execute("SELECT count(*) FROM task").fetchone()[0]
        order = shop.execute("SELECT task_id FROM orders").fetchone()
        fate = "deleted" if order is None else "cleared" if order[0] is None else "unchanged"
        return (fate, TASKS - left), refused


def prediction_of(predict: Predict) -> dict[str, Fate]:
    """What the learner returned, once it is a fate and a number for each policy."""
    said = predict()
    if not isinstance(said, dict):
        form = "a dict with the policies as its keys"
        raise CheckFailed(f"`{said!r:.60}` returned; expected {form}.", expected=form, found=said)
    for policy in POLICIES:
        if policy not in said:
            raise missing_key(policy, said, POLICIES)
        match said[policy]:
            case (str(fate), int(deleted)) if fate in FATES and 0 <= deleted <= TASKS:
                pass
            case other:
                raise CheckFailed(
                    f'For "{policy}" there is `{other!r:.60}`; expected a pair such as `("unchanged", {TASKS})`: '
                    f"one of {', '.join(FATES)}, and 0 to {TASKS} tasks.",
                    expected={policy: f"(one of {', '.join(FATES)}; 0 to {TASKS})"},
                    found={policy: other},
                )
    return {policy: tuple(said[policy]) for policy in POLICIES}


def check_the_order(predict: Predict) -> None:
    """The fate of the order under each policy is as predicted."""
    said = prediction_of(predict)
    found = {policy: run(policy) for policy in POLICIES}
    for policy, ((fate, deleted), refused) in found.items():
        if said[policy][0] != fate:
            raise CheckFailed(
                f'Under {policy} you expect the order to be "{said[policy][0]}"; it was run, and it is "{fate}". '
                f"{_meaning(policy)}",
                _transcript(policy, fate, deleted, refused),
                **_beside(said, found, policy, 0),
            )


def check_the_prune(predict: Predict) -> None:
    """How many of the three tasks the prune deletes under each policy is as predicted."""
    said = prediction_of(predict)
    found = {policy: run(policy) for policy in POLICIES}
    for policy, ((fate, deleted), refused) in found.items():
        expected = said[policy][1]
        if expected != deleted:
            why = (
                "One statement succeeds as a whole or not at all: a single referenced task holds up the others"
                if refused and expected
                else "SQLite refused nothing"
            )
            raise CheckFailed(
                f"Under {policy} you expect {expected} of {TASKS} tasks to go; it was run, and {deleted} went. {why}.",
                _transcript(policy, fate, deleted, refused),
                **_beside(said, found, policy, 1),
            )


def _beside(
    said: Mapping[str, Fate], found: Mapping[str, tuple[Fate, str | None]], told: str, place: int
) -> dict[str, Mapping[str, Any]]:
    """The predictions of the order's fates, or of how many tasks are deleted, beside what was seen."""
    what = ("the order", "tasks deleted")[place]
    guessed = {f"{policy}, {what}": fate[place] for policy, fate in said.items()}
    seen = {f"{policy}, {what}": fate[place] for policy, (fate, _) in found.items()}
    return predictions(guessed, seen, told=f"{told}, {what}")


def _meaning(policy: str) -> str:
    return {
        "NO ACTION": "The task may not go while the order names it, and nobody touches the order.",
        "CASCADE": "CASCADE deletes the rows that reference, and here the one that references is the order.",
        "SET NULL": "Only the referencing column is emptied; the rest of the order stays.",
    }[policy]


def _transcript(policy: str, fate: str, deleted: int, refused: str | None) -> str:
    answer = f"refused: {refused}" if refused else "done"
    return (
        f"task_id INTEGER REFERENCES task (id) ON DELETE {policy}\n"
        f"DELETE FROM task WHERE status = 'succeeded'  -- {answer}\n"
        f"{deleted} of {TASKS} tasks deleted; order 7 is {fate}"
    )


def _wrong(no_action: Fate, cascade: Fate, set_null: Fate, message: str) -> Wrong:
    fates = zip(POLICIES, (no_action, cascade, set_null), strict=True)
    pairs = "".join(f'        "{policy}": {fate!r},\n' for policy, fate in fates)
    return Wrong(f"def fates():\n    return {{\n{pairs}    }}\n", message)


EXERCISE = Exercise(
    id="7.3",
    title="Three foreign-key policies",
    objective="7-policies",
    goal="""
Three finished tasks are pruned by one `DELETE`. Order 7 still references the second of them.

For each policy of the foreign key, return a pair: what happens to the order (`"unchanged"`, `"cleared"`: its
reference is NULL, or `"deleted"`), and how many of the three tasks are deleted.
""",
    stub='''
def fates():
    """Policy -> (what happens to the order, how many of the 3 tasks are deleted)."""
    return {
        "NO ACTION": ("?", 0),
        "CASCADE": ("?", 0),
        "SET NULL": ("?", 0),
    }
''',
    checks=[check_the_order, check_the_prune],
    hints=[
        "A policy says what happens to the *referencing* row when the *referenced* one is deleted. "
        "Which of the two is the order?",
        "NO ACTION is what you get if you write nothing. It refuses. And a statement that is refused is undone as a "
        "whole, also for the rows that nobody references.",
        """
Try it; this takes a minute:

```python
import sqlite3

shop = sqlite3.connect(":memory:")
shop.execute("PRAGMA foreign_keys = ON")
shop.execute("CREATE TABLE task (id INTEGER PRIMARY KEY)")
shop.execute("CREATE TABLE orders (id INTEGER, task_id INTEGER REFERENCES task (id) ON DELETE CASCADE)")
shop.execute("INSERT INTO task VALUES (1), (2), (3)")
shop.execute("INSERT INTO orders VALUES (7, 2)")
shop.execute("DELETE FROM task")
shop.execute("SELECT * FROM orders").fetchall()
```
""",
    ],
    solution='''
def fates():
    """Policy -> (what happens to the order, how many of the 3 tasks are deleted)."""
    return {
        "NO ACTION": ("unchanged", 0),
        "CASCADE": ("deleted", 3),
        "SET NULL": ("cleared", 3),
    }
''',
    discussion="""
CASCADE reads as if it cleaned up after an order. It goes the other way: it removes whoever *references*, and in the
inverted approach that is the order. A nightly clean-up of the queue would delete the shop's orders.

NO ACTION, the default, keeps the orders and stops the clean-up, for ever, at the first reference that nobody cleared.

SQLite checks foreign keys only after `PRAGMA foreign_keys = ON`, on each connection. Without it all three policies
behave alike: the tasks go, and the reference dangles.
""",
    wrong_answers=[
        _wrong(
            ("unchanged", 0), ("deleted", 3), ("unchanged", 0), 'Under SET NULL you expect the order to be "unchang'
        ),
        _wrong(("unchanged", 0), ("unchanged", 3), ("cleared", 3), "and here the one that references is the order"),
        _wrong(("unchanged", 2), ("deleted", 3), ("cleared", 3), "a single referenced task holds up the others"),
        _wrong(("unchanged", 0), ("deleted", 3), ("cleared", 2), "SQLite refused nothing"),
        _wrong(("cleared", 3), ("deleted", 3), ("cleared", 3), "The task may not go while the order names it"),
        _wrong(("unchanged", 0), ("deleted", 3), ("refused", 0), 'expected a pair such as `("unchanged", 3)`'),
    ],
)
