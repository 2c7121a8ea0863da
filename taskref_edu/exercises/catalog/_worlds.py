"""Random databases in which every column and every number varies, so that no answer is right by the check's habits.

A world is the rows of both tables. It is seeded, so it is the same for everybody. Worlds come smallest first, and the
first in which an answer is wrong is made smaller still, so that a learner reads a few rows and not fifty.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session

from taskref_edu import Order, Task, open_database, writing
from taskref_edu.exercises.exercise import CheckFailed
from taskref_edu.lab.sqltrace import Statement
from taskref_edu.models import ENDED, LIVE, PAYMENT, TaskStatus
from taskref_edu.schema import SchemaName

OTHER_TYPES = ("refund", "send_receipt", "process_refund", "process_payment_reminder")
NOW = datetime(2030, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
CUSTOMERS = ("Ann", "Bob", "Cleo")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """The rows of both tables, as dicts of their columns."""

    tasks: tuple[Row, ...] = ()
    orders: tuple[Row, ...] = ()

    def smaller(self) -> Iterator[World]:
        """This world without one of its rows."""
        for number, task in enumerate(self.tasks):
            orders = tuple(order for order in self.orders if order["processing_task_id"] != task["id"])
            yield replace(self, tasks=self.tasks[:number] + self.tasks[number + 1 :], orders=orders)
        for number in range(len(self.orders)):
            yield replace(self, orders=self.orders[:number] + self.orders[number + 1 :])

    def __str__(self) -> str:
        return "\n".join([*_table("task", self.tasks), *_table("orders", self.orders)])


def _table(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """The rows under their columns; a column that is empty in all of them is left out."""
    columns = [column for column in (rows[0] if rows else ()) if any(row[column] not in (None, 0) for row in rows)]
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    yield f"{name}: {len(rows)} row{'s' * (len(rows) != 1)}"
    for line in cells if rows else ():
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%d %H:%M:%S.%f}"
    return "NULL" if value is None else json.dumps(value) if isinstance(value, dict | list) else str(value)


def some_time(dice: random.Random) -> datetime:
    """A time near NOW: long before or after, a microsecond away, or exactly then."""
    days = timedelta(days=dice.uniform(-9, 9))
    steps = [timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1), timedelta(seconds=20), days, days]
    return NOW + dice.choice(steps)


def task_row(dice: random.Random, id: int, **given: Any) -> Row:
    """A task whose other columns are anything that the table's rules allow for its status."""
    status = TaskStatus(given.get("status") or dice.choice([*LIVE, *LIVE, *ENDED]))
    never_claimed = status in (TaskStatus.PENDING, TaskStatus.CANCELLED)  # perhaps; the others were claimed once
    attempt = dice.randint(0, 3) if never_claimed else dice.randint(1, 4)
    row: dict[str, Any] = {
        "id": id,
        "type": dice.choice([PAYMENT, PAYMENT, *OTHER_TYPES]),
        "payload": None,
        "status": status,
        "attempt": attempt,
        "max_attempts": dice.randint(1, 9),
        "lease_token": attempt + dice.randint(0, 40),
        "available_at": some_time(dice),
        "lease_expires_at": some_time(dice) if status == TaskStatus.RUNNING else None,
        "cancel_requested_at": some_time(dice) if dice.random() < 0.4 and status != TaskStatus.PENDING else None,
        "created_at": some_time(dice),
        "started_at": some_time(dice) if attempt else None,
        "finished_at": some_time(dice) if status in ENDED else None,
        "error": "no such card" if status == TaskStatus.FAILED or (attempt and dice.random() < 0.4) else None,
    }
    return {**row, **given, "status": status}


def order_row(dice: random.Random, id: int, **given: Any) -> Row:
    """An order of anybody's."""
    row = {
        "id": id,
        "customer": dice.choice(CUSTOMERS),
        "amount": dice.choice([1, 900, 2_500, 120_000]),
        "status": dice.choice(["new", "new", "paid"]),
        "processing_task_id": None,
    }
    return {**row, **given}


def large_world() -> World:
    """So many orders, of which the middle one references the only task: for answers that look at the first few."""
    count = 2_500
    task = task_row(random.Random(count), 17, type=PAYMENT, status=TaskStatus.RUNNING)
    middle = count // 2
    orders = [
        order_row(random.Random(id), id, processing_task_id=task["id"] if id == middle else None)
        for id in range(1, count + 1)
    ]
    return World((task,), tuple(orders))


def some_ids(dice: random.Random, count: int) -> list[int]:
    """Distinct ids of one to four digits, in no sequence; small ones are frequent, so that tables share them."""
    ids = {*dice.sample(range(1, 30), min(count, 6)), *dice.sample(range(30, 5_000), count)}
    return dice.sample(sorted(ids), count)


def inverted_world(dice: random.Random, size: int) -> World:
    """Orders, of which some reference a live task of their own, and tasks that nobody references."""
    live = [{"type": PAYMENT, "status": status} for status in LIVE]
    tasks = tuple(task_row(dice, id, **dice.choice([*live, *live, {}, {}])) for id in some_ids(dice, size))
    free = [row["id"] for row in tasks if row["status"] in LIVE and row["type"] == PAYMENT]
    dice.shuffle(free)
    # Orders with the ids of tasks, for whoever takes one for the other.
    ids = list({*dice.sample([row["id"] for row in tasks], (size + 1) // 2), *some_ids(dice, size)})[: size + 1]
    references = [free.pop() if free and dice.random() < 0.8 else None for _ in ids]
    orders = [order_row(dice, id, processing_task_id=task) for id, task in zip(ids, references, strict=True)]
    return World(tasks, tuple(orders))


def lookup_world(dice: random.Random, size: int) -> World:
    """An inverted world whose tasks have payloads, which name strangers."""
    world = inverted_world(dice, size)
    ids = [order["id"] for order in world.orders]
    tasks = [{**task, "payload": dice.choice([None, {"order_id": dice.choice(ids)}])} for task in world.tasks]
    return World(tuple(tasks), world.orders)


def classic_world(dice: random.Random, size: int) -> World:
    """Tasks of all types and statuses whose payloads name orders, real ones and others; no order has a reference."""
    orders = [order_row(dice, id) for id in some_ids(dice, max(2, size // 2))]
    named = [order["id"] for order in orders] + [dice.randint(1, 6_000)]
    payloads = [{"order_id": dice.choice(named), **dice.choice([{}, {"note": "gift"}])} for _ in range(size)]
    ids = some_ids(dice, size)
    tasks = [task_row(dice, id, payload=payload) for id, payload in zip(ids, payloads, strict=True)]
    return World(tuple(tasks), tuple(orders))


def worlds(seed: int, count: int, make: Callable[[random.Random, int], World], largest: int = 9) -> Iterator[World]:
    """So many worlds of growing size."""
    dice = random.Random(seed)
    for number in range(count):
        yield make(dice, 1 + number * largest // count)


def judge_worlds(worlds: Iterable[World], problem_in: Callable[[World], CheckFailed | None]) -> None:
    """Raise the problem of the first world that has one, and show the smallest world in which there still is one."""
    for world in worlds:
        problem = problem_in(world)
        while problem is not None:
            for smaller in world.smaller():
                with suppress(Exception):  # an answer that raises there has another problem
                    if (found := problem_in(smaller)) is not None:
                        world, problem = smaller, found
                        break
            else:
                details = f"The smallest database in which this happens:\n{world}"
                problem.details = details if problem.details is None else f"{problem.details}\n{details}"
                raise problem


def judge_large_world(problem_in: Callable[[World], CheckFailed | None]) -> None:
    """As judge_worlds(), on a database of thousands of orders. It is not shown: nobody would read it."""
    if problem := problem_in(world := large_world()):
        problem.args = (f"In a table of {len(world.orders):,} orders: {problem}",)
        raise problem


@contextmanager
def opened(schema: SchemaName = "inverted") -> Iterator[Engine]:
    """An empty database of this schema."""
    engine = open_database(schema=schema)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def quiet_log() -> Iterator[None]:
    """Nothing is logged: a handler of the answer's may fail, as it should."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def placed(engine: Engine, world: World) -> Iterator[Session]:
    """A transaction in which the tables hold this world; nothing of it stays."""
    with writing(engine) as session:
        fill(session, world)
        yield session
        session.rollback()


def queries_and_changes(statements: Iterable[Statement]) -> list[str]:
    """The captured statements as they were sent, without those that begin or end a transaction."""
    aside = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
    return [one.template for one in statements if one.template.split(maxsplit=1)[0].upper() not in aside]


def fill(session: Session, world: World) -> None:
    """Insert the world's rows; a reference to nothing is refused at the commit, if there is one."""
    session.execute(text("PRAGMA defer_foreign_keys = ON"))
    for model, rows in ((Task, world.tasks), (Order, world.orders)):
        if rows:
            session.execute(insert(model.__table__), [dict(row) for row in rows])  # type: ignore[attr-defined]


def about_reference(what: str, now: int | None, old: int | None) -> str:
    """What it references, and what it referenced when it was read if that was something else; a sentence."""
    one, other = (f"task {id}" if id else "no task" for id in (now, old))
    return f"{what} references {one}{f'; when it was read, it referenced {other}' if old != now else ''}."


def detached_order(row: Row) -> Order:
    """The order as it was read in a transaction that is over; its values may be old."""
    order = Order(**row)
    make_transient_to_detached(order)
    return order


def rows_of(session: Session) -> dict[tuple[str, int], dict[str, Any]]:
    """Every row as the database has it now, by table and id; past the session's objects."""
    session.flush()
    return {
        (table, row.id): dict(row._mapping)
        for table in ("task", "orders")
        for row in session.execute(text(f"SELECT * FROM {table}"))
    }


def changes(before: Mapping[Any, Row], after: Mapping[Any, Row]) -> dict[tuple[str, int], Any]:
    """What differs, by table and id: None for a row that is gone, the row for a new one, else the new values."""
    found: dict[tuple[str, int], Any] = {}
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if new is None or old is None:
            found[key] = new
        elif differing := {column: new[column] for column in new if new[column] != old[column]}:
            found[key] = differing
    return found
