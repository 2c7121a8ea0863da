"""3.4: the index with which the database refuses a second live payment, in the classic approach."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, delete, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from taskref_edu import Order, Task, TaskQueue, as_written, reading, writing
from taskref_edu.exercises.catalog._answer_forms import sql_of
from taskref_edu.exercises.catalog._clicks import ORDER, PAYMENT, bring_to, one_live_payment, one_order
from taskref_edu.exercises.catalog._in_memory import COLUMNS, INSERT, StoredTask, columns_of, tables
from taskref_edu.exercises.catalog._worlds import OTHER_TYPES, opened, some_ids
from taskref_edu.exercises.error_texts import with_meaning
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore
from taskref_edu.models import ENDED, LIVE, TaskStatus

SEQUENCES = 40
Index = Callable[[], Any]


def ddl_of(index: Index) -> str:
    """What the learner returned, once it is text."""
    return sql_of(index, "statement", "CREATE UNIQUE INDEX …")


@contextmanager
def shop(ddl: str) -> Iterator[tuple[Engine, TaskQueue]]:
    """The document's tables and the learner's index; no task."""
    with opened("as_written") as engine:
        with writing(engine) as session:
            session.connection().exec_driver_sql(ddl)
        yield engine, TaskQueue(engine)


def check_in_random_sequences(index: Index) -> None:
    """In random sequences of enqueues, claims, retries and ends, it refuses exactly what would be a second payment."""
    ddl = ddl_of(index)
    for seed in range(SEQUENCES):
        dice = random.Random(seed)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            database.executescript(tables())
            database.execute(ddl)
            _run_sequence(dice, database, 3 + seed)


def _run_sequence(dice: random.Random, database: sqlite3.Connection, length: int) -> None:
    """Random moves on the table; each is compared with what one live payment for each order allows."""
    first = dice.choice([*some_ids(dice, 2), 1_234, 4_711])
    orders = [first, dice.choice([first + 1, first + 1_000, first * 10, first + 2**32]), *some_ids(dice, 1)]
    rows: dict[int, StoredTask] = {}
    done: list[str] = []
    for new in some_ids(dice, length):
        row = _some_move(dice, rows, orders, new)
        id = row.id
        others = [other for other in rows.values() if other.id != id and other.is_live_payment()]
        named = row.named()
        is_second = row.is_live_payment() and named is not None and named in [each.named() for each in others]
        whose = "that names no order" if named is None else f"of order {named}"
        move = f"`{row.type}` {id} {whose} becomes {row.status}"
        done.append(f"{move}{': a second live payment' if is_second else ''}")
        error = _stored(database, row)
        if error is None and is_second:
            let_in = f"A second live payment is let in: {move}."
            raise CheckFailed(let_in, "\n".join(done), expected={move: "refused"}, found={move: "stored"})
        if error is not None and not is_second:
            raise CheckFailed(
                f"{_wrongly_refused(rows, row, move)} ({error})",
                "\n".join(done),
                expected={move: "stored"},
                found={move: "refused"},
            )
        if error is None:
            rows[id] = row


def _some_move(dice: random.Random, rows: dict[int, StoredTask], orders: list[int], id: int) -> StoredTask:
    """A new task of this id, or one that is there with another status."""
    if rows and dice.random() < 0.5:
        return replace(rows[dice.choice([*rows])], status=dice.choice([*LIVE, *LIVE, *ENDED]))
    payload = dice.choice([{"order_id": dice.choice(orders)}] * 4 + [{"note": "gift"}, {}])
    spelt = json.dumps(dice.choice([payload, {"note": dice.randint(1, 9), **payload}]))
    return StoredTask(dice.choice([spelt, spelt, spelt, None]), dice.choice([PAYMENT, PAYMENT, *OTHER_TYPES]), id=id)


def _wrongly_refused(rows: dict[int, StoredTask], row: StoredTask, move: str) -> str:
    """Which row was refused, and beside which others, none of which may stand in its way."""
    named = row.named()
    if not row.is_live_payment():
        return f"Refused: {move}. It is not a live payment, so the index must leave it out."
    if named is None:
        return f"Refused: {move}. There may be several payments that name no order."
    others = [f"`{other.type}` {id} ({other.status})" for id, other in rows.items() if other.named() == named]
    beside = f"; stored of it are {', '.join(others)}" if others else ""
    return f"Refused: {move}, and no other payment of that order is live{beside}."


def _stored(database: sqlite3.Connection, row: StoredTask) -> sqlite3.Error | None:
    """Insert or replace the row; the error with which SQLite refuses it."""
    values = columns_of(row)
    names = COLUMNS.split()
    kept = ", ".join(f"{name} = excluded.{name}" for name in names)
    try:
        database.execute(f"{INSERT} ON CONFLICT (id) DO UPDATE SET {kept}", values)
    except sqlite3.Error as error:
        return error
    return None


def refused(engine: Engine, queue: TaskQueue, payload: Any, type: str = PAYMENT) -> bool:
    """Whether the database refuses this task."""
    try:
        with writing(engine) as session:
            queue.enqueue(session, type, payload)
    except sqlalchemy_errors.IntegrityError:
        return True
    except sqlalchemy_errors.DBAPIError as error:
        raise CheckFailed(
            f"SQLite accepts the statement, but then no task can be stored: {with_meaning(error)}"
        ) from None
    return False


def check_it_is_a_unique_index(index: Index) -> None:
    """The statement is SQL that SQLite takes, and makes a unique index on `task`."""
    ddl = ddl_of(index)
    try:
        with shop(ddl) as (engine, _), reading(engine) as session:
            made = session.execute(text("SELECT name, \"unique\" FROM pragma_index_list('task') WHERE origin = 'c'"))
            kinds = {name: unique for name, unique in made if name != "task_by_status"}
    except sqlalchemy_errors.DBAPIError as error:
        raise AssertionError(f"SQLite does not take the statement: {with_meaning(error)}") from None
    if not kinds:
        raise CheckFailed("The statement runs, and makes no index on `task`.", expected="a unique index", found="none")
    if not all(kinds.values()):
        fast = "The index is not unique: it makes the search fast, and refuses nothing."
        unique = {name: "unique" if unique else "not unique" for name, unique in kinds.items()}
        raise CheckFailed(fast, expected=dict.fromkeys(kinds, "unique"), found=unique)


def check_one_live_payment(index: Index) -> None:
    """While a payment waits or runs, the database refuses a second one; after its end it takes one."""
    found: dict[str, str] = {}
    with shop(ddl_of(index)) as (engine, queue):
        for status in TaskStatus:
            with writing(engine) as session:
                session.execute(delete(Task))
            refused(engine, queue, {"order_id": ORDER})
            with writing(engine) as session:
                bring_to(session, queue, status)
            no = refused(engine, queue, {"order_id": ORDER, "note": "once more"})
            found[f"a second one, the first {status}"] = "refused" if no else "stored"
    expected = dict(zip(found, ("refused" if status in LIVE else "stored" for status in TaskStatus), strict=True))
    for status, said, right in zip(TaskStatus, found.values(), expected.values(), strict=True):
        if said != right:
            stored = f"While a payment of the order is `{status}`, a second one is stored."
            never = f"After a payment that ended as `{status}`, the order can never be paid again."
            raise CheckFailed(stored if status in LIVE else never, expected=expected, found=found)


def check_nobody_else_is_stopped(index: Index) -> None:
    """Other orders, other types of task and tasks without a payload are none of its business."""
    with shop(ddl_of(index)) as (engine, queue):
        refused(engine, queue, {"order_id": ORDER})
        if refused(engine, queue, {"order_id": 8}):
            raise CheckFailed(f"A payment of order {ORDER} stops that of order 8.", expected="stored", found="refused")
        for _ in range(2):
            if refused(engine, queue, {"order_id": ORDER}, "send_receipt"):
                only = "A `send_receipt` for the order is refused: the index must hold for payments only."
                raise CheckFailed(only, expected="stored", found="refused")


def check_two_clicks(index: Index) -> None:
    """Two of the document's clicks, in every interleaving of their statements, leave one live payment."""
    ddl = ddl_of(index)

    def setup(engine: Engine) -> None:
        one_order(engine)
        with writing(engine) as session:
            session.connection().exec_driver_sql(ddl)

    found = explore([click, click], setup=setup, invariant=never_two, schema="as_written")
    if found.broken:
        raise CheckFailed(
            f"In {len(found.broken)} of {found.count} schedules, {found.problems[found.broken[0]][0]}.", found
        )


def click(engine: Engine) -> None:
    """The document's click: it looks, then it enqueues."""
    as_written.classic_enqueue_payment_once(engine, Order(id=ORDER, customer="Ann", amount=2500))


def never_two(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
    """At most one live payment. A click that the database refused is as it should be; another error is not."""
    strange = [error for error in errors.values() if not isinstance(error, sqlalchemy_errors.IntegrityError)]
    return [f"a click fails with {type(error).__name__}" for error in strange] or one_live_payment(session)


def _answer(where: str, what: str = "json_extract(payload, '$.order_id')", kind: str = "UNIQUE INDEX") -> str:
    condition = f"\n        WHERE {where}" if where else ""
    statement = f"\n        CREATE {kind} one_live_payment ON task ({what}){condition}\n    "
    return f'def live_payment_index():\n    """The DDL of the index."""\n    return """{statement}"""\n'


RIGHT = "type = 'process_payment' AND status IN ('pending', 'running')"

EXERCISE = Exercise(
    id="3.4",
    title="Classic can do it too",
    objective="3-index",
    goal="""
Return the `CREATE UNIQUE INDEX …` with which the database refuses a second *live* payment of one order in the classic
approach. The order's id is in the payload: `json_extract(payload, '$.order_id')`. Other orders, tasks of other types,
payments that name no order, and payments that have ended must not matter: nothing else is refused, no claim either.
""",
    stub='''
def live_payment_index():
    """The DDL of the index."""
    return ""
''',
    checks=[
        check_it_is_a_unique_index,
        check_one_live_payment,
        check_nobody_else_is_stopped,
        check_in_random_sequences,
        check_two_clicks,
    ],
    hints=[
        "Which value may appear only once? And among which rows only? An index can have an expression in place of a "
        "column, and a WHERE.",
        "The value is the order's id in the payload. The rows are payments, by their type, that are `pending` or "
        "`running`. Parentheses around the expression, then `WHERE … AND …`.",
        """
The shape, with two gaps:

```python
return \"\"\"
    CREATE UNIQUE INDEX one_live_payment ON task (json_extract(payload, '$.order_id'))
    WHERE type = ... AND status IN (...)
\"\"\"
```
""",
    ],
    solution=_answer(RIGHT),
    discussion="""
The document's click needed no change: where it would have paid twice, it now fails with an IntegrityError.
`classic.enqueue_payment_once` catches that, and returns None.

`WHERE status = 'pending'` would be the document's own mistake once more, now in an index: a task that is claimed leaves
the index, and the next click gets in.
""",
    wrong_answers=[
        Wrong(_answer(""), "the order can never be paid again"),
        Wrong(
            _answer("type = 'process_payment' AND status = 'pending'"),
            "While a payment of the order is `running`, a second one is stored",
        ),
        Wrong(_answer("status IN ('pending', 'running')"), "the index must hold for payments only"),
        Wrong(
            _answer("type = 'process_payment' AND status = 'pending' OR status = 'running'"),
            "and no other payment of that order is live",
        ),
        Wrong(_answer(RIGHT, what="json_extract(payload, 'order_id')"), "but then no task can be stored"),
        Wrong(_answer(RIGHT, kind="INDEX"), "The index is not unique"),
        Wrong(_answer(RIGHT, what="payload"), "While a payment of the order is `pending`, a second one is stored"),
        Wrong(_answer(RIGHT, what="type"), "stops that of order 8"),
        Wrong(_answer("type = 'process_payment' AND status <> 'succeeded'"), "ended as `failed`"),
        Wrong(_answer(RIGHT, what="order_id"), "SQLite does not take the statement: no such column: order_id"),
        Wrong(_answer(RIGHT, what="payload.order_id"), "SQLite does not take the statement"),
        Wrong(_answer(RIGHT, what="json_extract(payload, '$.order')"), "a second one is stored"),
    ],
)
