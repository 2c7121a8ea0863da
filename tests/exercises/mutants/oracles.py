"""What an answer does, as a value to compare: an oracle for mutants that shares no judgement with the checks.

An observation is a list of everything that can be told from outside, on many large random databases. A mutant is
wrong if its observations differ from those of the exercise's own solution.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, SQLModel

from taskref_edu import Order, Task, TaskQueue, open_database, reading, writing
from taskref_edu.errors import OrphanTask, PayloadError
from taskref_edu.exercises.catalog import _in_memory, _worlds
from taskref_edu.exercises.catalog._invoices import REFERENCES, Invoice, invoice_rows, invoices
from taskref_edu.exercises.catalog._worlds import NOW, World
from taskref_edu.exercises.catalog.e2_2_say_no_at_the_door import bad_payloads, evidence_of, good_payloads
from taskref_edu.exercises.catalog.e2_3_the_log_line_that_ate_a_payment import ran
from taskref_edu.exercises.catalog.e4_1_exactly_this_order_s_tasks import random_rows
from taskref_edu.exercises.catalog.e5_2_the_index_that_isn_t_used import LIST
from taskref_edu.exercises.catalog.e5_3_classic_one_query import INDEX, random_shop
from taskref_edu.exercises.catalog.e6_1_a_test_that_can_fail import faulty_world
from taskref_edu.exercises.catalog.e8_3_the_zombie import TABLE, Lease
from taskref_edu.exercises.catalog.e9_2_the_patient_receiver import TABLES, Message
from taskref_edu.lab.many_orders import many_orders
from taskref_edu.queue.running_task import RunningTask

from .attacks import attacked
from .planted_bugs import schedules

Answer = Callable[..., Any]
Observations = Iterable[Any]
Oracle = Callable[[Answer], Observations]
WORLDS = 12


_opened: list[Engine] = []


def opened_database(**options: Any) -> Engine:
    """A database that `close_databases` closes."""
    _opened.append(open_database(**options))
    return _opened[-1]


def close_databases() -> None:
    """Close what the oracles opened."""
    while _opened:
        _opened.pop().dispose()


class Transactions:
    """A database in which a caller has work of its own while an answer runs; nothing stays."""

    def __init__(self, schema: Any) -> None:
        self.engine: Engine = opened_database(schema=schema, timeout=0.1)
        invoices(self.engine)

    def observe(
        self, world: World, call: Callable[[Session], Any], extra: Callable[[Session], None] | None = None
    ) -> Any:
        """What the call returned, and every row afterwards; `ended` if the caller's transaction is gone."""
        try:
            with writing(self.engine) as session:
                _worlds.fill(session, world)
                session.execute(insert(Order), [{"id": 90_001, "customer": "the caller's", "amount": 1}])
                if extra:
                    extra(session)
                try:
                    found = shown(call(session))
                except Exception as error:
                    found = told(error)
                if not session.in_transaction():
                    return "ended"
                rows = self._rows(session)
                session.rollback()
        except Exception as error:
            return "ended", type(error).__name__
        with reading(self.engine) as session:
            left = session.execute(text("SELECT count(*) FROM orders")).scalar_one()
        if left:
            self._empty()
            return "committed"
        return ("ended",) if ("orders", 90_001) not in rows else (found, rows)

    def _rows(self, session: Session) -> Any:
        session.flush()
        found = {}
        for table in ("task", "orders"):
            for row in session.execute(text(f"SELECT * FROM {table}")):
                found[table, row.id] = {name: timeless(name, value) for name, value in row._mapping.items()}
        for row in session.execute(text(f'SELECT * FROM "{Invoice.__tablename__.replace(chr(34), chr(34) * 2)}"')):
            found["invoice", row[0]] = tuple(row)
        return found

    def _empty(self) -> None:
        with writing(self.engine) as session:
            for table in ("orders", "task"):
                session.execute(text(f"DELETE FROM {table}"))


def timeless(name: str, value: Any) -> Any:
    """Of a time that is taken from the clock, only that it is there."""
    recent = isinstance(value, str) and name.endswith("_at") and not value.startswith(("2030", "2029"))
    return "now" if recent else value


def shown(value: Any) -> Any:
    """A value that can be compared: of a row, its columns."""
    if isinstance(value, Task):
        return "task", value.id, value.type, str(value.status), value.payload
    if isinstance(value, SQLModel):
        return type(value).__name__, {name: getattr(value, name) for name in type(value).model_fields}  # loads it
    return type(value).__name__, repr(value)


def told(error: BaseException) -> Any:
    """An error as its kind."""
    return "raised", type(error).__name__


def many(seed: int, make: Callable[[random.Random, int], World], largest: int = 24) -> Iterator[World]:
    return _worlds.worlds(seed, WORLDS, make, largest)


# The oracles by exercise


def order_of(answer: Answer) -> Observations:
    database = Transactions("inverted")

    def one(session: Session, id: int) -> Any:
        try:
            found = answer(session, session.get_one(Task, id))
        except Exception:
            return None
        return found if found is None or isinstance(found, Order) else ("not an order", repr(found))

    return (
        database.observe(world, lambda session, id=row["id"]: one(session, id))
        for world in many(1101, _worlds.lookup_world)
        for row in world.tasks[:6]
    )


def order_id_of(answer: Answer) -> Observations:
    for payload, _ in good_payloads():
        yield _called(answer, payload)
    for payload, _ in bad_payloads():
        try:
            yield shown(answer(payload))
        except PayloadError as error:
            shows = not payload or any(part in str(error) for part in evidence_of(payload))
            yield ("refused", "order_id" in str(error), shows)
        except Exception as error:
            yield told(error)


def _called(answer: Answer, *arguments: Any) -> Any:
    try:
        return shown(answer(*arguments))
    except Exception as error:
        return told(error)


def charge_order(answer: Answer) -> Observations:
    payloads = [
        {"order_id": 12},
        {"orderid": 11},
        {"order_id": 14},
        {"id": 12},
        {},
        {"order_id": 150},
        {"order_id": 11},
    ]
    found = ran(answer, *payloads)
    return [
        (
            end.status,
            type(end.error).__name__,
            end.attempt if isinstance(end.error, PayloadError) else 0,
            "order_id" in str(end.error),
            next(iter(payload), "") in str(end.error),
            end.paid,
        )
        for payload, end in zip(payloads, found, strict=True)
    ]


def find_order(answer: Answer) -> Observations:
    database = Transactions("inverted")
    queue = TaskQueue(database.engine)

    def one(session: Session, id: int) -> Any:
        try:
            return answer(
                session, RunningTask(id, "process_payment", session.get_one(Task, id).payload, 1, 1, queue=queue)
            )
        except OrphanTask as error:
            return "orphan", str(id) in str(error)

    for world in many(2401, _worlds.lookup_world):
        for row in world.tasks[:6]:
            yield database.observe(world, lambda session, id=row["id"]: one(session, id))

    def unreadable(session: Session) -> Any:
        session.execute(text("ALTER TABLE orders RENAME TO elsewhere"))
        try:
            return one(session, 7)
        except Exception as error:
            return told(error)
        finally:
            session.execute(text("ALTER TABLE elsewhere RENAME TO orders"))

    yield database.observe(World(), unreadable)


def enqueue_if_none(answer: Answer) -> Observations:
    database = Transactions("as_written")
    queue = TaskQueue(database.engine)
    return (
        database.observe(world, lambda session, id=row["id"]: answer(session, queue, session.get_one(Order, id)))
        for world in many(3101, _worlds.classic_world)
        for row in world.orders[:5]
    )


def _stale(dice: random.Random, row: _worlds.Row, world: World) -> Order:
    old = dice.choice([None, 9_999, row["processing_task_id"], *(task["id"] for task in world.tasks)])
    return _worlds.detached_order({**row, "processing_task_id": old})


class _PayloadLeftOpen(TaskQueue):
    """A queue that stores no payload: 3.3 leaves open whether there is one."""

    def enqueue(self, session: Any, type: str, payload: Any = None, **others: Any) -> Task:
        return super().enqueue(session, type, **others)


def on_stale_orders(seed: int) -> Oracle:
    """For `f(session, queue, order)` of the inverted approach."""

    def oracle(answer: Answer) -> Observations:
        database, dice = Transactions("inverted"), random.Random(seed)
        for world in many(seed, _worlds.inverted_world):
            for row in world.orders[:5]:
                order = _stale(dice, row, world)
                queue = _PayloadLeftOpen(database.engine, max_attempts=dice.randint(1, 9))
                yield database.observe(world, lambda session, o=order, q=queue: answer(session, q, o))

    return oracle


def reserve(answer: Answer) -> Observations:
    database, dice = Transactions("inverted"), random.Random(7101)
    for world in many(7101, _worlds.inverted_world, 9):
        tasks = [task["id"] for task in world.tasks]
        ids = [world.orders[0]["id"], *_worlds.some_ids(dice, 3)]
        billed = invoice_rows(dice, list(dict.fromkeys(ids)), tasks)
        for model, name, row in (
            (Order, "processing_task_id", world.orders[0]),
            (Order, "processing_task_id", world.orders[-1]),
            (Invoice, REFERENCES[0], billed[0]),
            (Invoice, REFERENCES[1], billed[-1]),
        ):
            old = model(**{**row, name: dice.choice([None, 9_999, row[name]])})
            make_transient_to_detached(old)
            queue, type = TaskQueue(database.engine), f"work_{dice.randint(1, 9)}"
            column = getattr(model, name)
            yield database.observe(
                world,
                lambda session, q=queue, o=old, c=column, t=type: answer(session, q, o, c, t),
                lambda session, rows=billed: session.execute(insert(Invoice), rows),  # type: ignore[misc]
            )


def prune(answer: Answer) -> Observations:
    """Which tasks go is free where more may go than the limit lets; so only their number is compared there."""
    database, dice = Transactions("as_written"), random.Random(7201)
    for world in many(7201, _history):
        before = NOW + dice.choice([-1, 0, 1]) * timedelta(microseconds=1)
        due = [task for task in world.tasks if task["finished_at"] and task["finished_at"] < before]
        for limit in (0, 1, max(len(due) - 1, 0), len(due), 100):
            seen = database.observe(world, lambda session, b=before, n=limit: answer(session, b, n))
            if limit < len(due) and isinstance(seen, tuple) and len(seen) == 2 and isinstance(seen[1], dict):
                result, rows = seen
                gone = [task["id"] for task in world.tasks if ("task", task["id"]) not in rows]
                fine = all(any(one["id"] == id for one in due) for id in gone)
                left = {key: row for key, row in rows.items() if key[0] == "orders" and row["processing_task_id"]}
                dangling = [row for row in left.values() if row["processing_task_id"] in gone]
                expected = {o["id"] for o in world.orders if o["processing_task_id"] not in (None, *gone)}
                kept = {id for _, id in left} == expected
                seen = result, len(gone), fine, kept, bool(dangling)
            yield seen


def _history(dice: random.Random, size: int) -> World:
    tasks = []
    for id in _worlds.some_ids(dice, size):
        task = dict(_worlds.task_row(dice, id))
        if task["finished_at"]:
            gap = timedelta(microseconds=dice.choice([0, 1, 2, 10**6, 10**10]))
            task["finished_at"] = NOW + dice.choice([-1, 1]) * gap
        tasks.append(task)
    ids = [None, *(task["id"] for task in tasks)]
    orders = [_worlds.order_row(dice, id, processing_task_id=dice.choice(ids)) for id in _worlds.some_ids(dice, size)]
    return World(tuple(tasks), tuple(orders))


def claim(answer: Answer) -> Observations:
    database, dice = Transactions("both"), random.Random(8201)
    for world in many(8201, lambda dice, size: World(tuple(_due(dice, id) for id in _worlds.some_ids(dice, size)))):
        now = NOW + timedelta(microseconds=dice.choice([-1, 0, 1]))
        until = now + timedelta(seconds=dice.randint(1, 90), microseconds=dice.randint(0, 999_999))
        yield database.observe(world, lambda session, n=now, u=until: answer(session, n, u))


def _due(dice: random.Random, id: int) -> _worlds.Row:
    status = dice.choice(["pending", "pending", "pending", "running", "failed", "succeeded", "cancelled"])
    at = NOW + dice.choice([-1, -1, 0, 1]) * timedelta(microseconds=dice.choice([0, 1, 5 * 10**9]))
    return _worlds.task_row(dice, id, status=status, available_at=at)


def complete(answer: Answer) -> Observations:
    engine, dice = opened_database(schema="both"), random.Random(8301)
    with writing(engine) as session:
        session.execute(text(TABLE))
    for size in range(1, 60):
        jobs = [
            {
                "id": id,
                "status": dice.choice(["running", "running", "pending", "succeeded", "failed", "cancelled"]),
                "worker": dice.choice(["ann", "bob"]),
                "token": dice.randint(1, 3),
                "lease_until": 600,
            }
            for id in _worlds.some_ids(dice, 1 + size // 3)
        ]
        job = dice.choice(jobs)
        lease = Lease(job["id"], dice.choice(["ann", "bob"]), job["token"] + dice.choice([0, 0, -1, 1]))
        with writing(engine) as session:
            session.execute(text("INSERT INTO job VALUES (:id, :status, :worker, :token, :lease_until)"), jobs)
            try:
                said = bool(answer(session, lease, 599))
                rows = sorted(map(tuple, session.execute(text("SELECT * FROM job"))))
            except Exception as error:
                said, rows = told(error), []
            session.rollback()
        yield (said, rows)


def receive(answer: Answer) -> Observations:
    engine, dice = opened_database(schema="as_written", timeout=0.1), random.Random(9201)
    with writing(engine) as session:
        for table in TABLES:
            session.execute(text(table))
    for size in range(24):
        known = _worlds.some_ids(dice, size)
        message = Message(dice.choice([*known, dice.randint(1, 9_000)]), dice.choice([3, 90, -7]))
        accounts = [{"id": id, "balance": dice.randint(-50, 900)} for id in (1, 2, 9)]
        with writing(engine) as session:
            session.execute(text("INSERT INTO account VALUES (:id, :balance)"), accounts)
            if known:
                session.execute(text("INSERT INTO received VALUES (:id)"), [{"id": id} for id in known])
            try:
                answer(session, message)
                rows = [
                    sorted(map(tuple, session.execute(text(f"SELECT * FROM {t}")))) for t in ("account", "received")
                ]
            except Exception as error:
                rows = [told(error)]
            if session.in_transaction():
                session.rollback()
        with writing(engine) as session:
            left = session.execute(text("SELECT count(*) FROM account")).scalar_one()
            session.execute(text("DELETE FROM account"))
            session.execute(text("DELETE FROM received"))
        yield (rows, left)


def exponent(answer: Answer) -> Observations:
    dice = random.Random(5101)
    for _ in range(60):
        n1, n2 = dice.sample(range(2, 10**7), 2)
        power = dice.choice([0, 1, 2, dice.uniform(-3, 3)])
        value = _called(lambda *given: round(float(answer(*given)), 4) + 0.0, n1, 3.0 * n1**power, n2, 3.0 * n2**power)
        yield value


def holds(answer: Answer) -> Observations:
    """For each world: whether it is silent, which faults are named, whether a text is about nothing, and how many."""
    database, _ = Transactions("as_written"), []
    for seed in range(40):
        world, faults = faulty_world(random.Random(61_000 + seed), healthy=seed % 9, faults=seed % 6)

        def one(session: Session, faults: list[tuple[str, set[int]]] = faults) -> Any:
            said = answer(session)
            if not isinstance(said, list | tuple):
                return "no list"
            numbers = [{int(word) for word in re.findall(r"\d+", str(one))} for one in said]
            named = [any(ids & each for each in numbers) for _, ids in faults]
            idle = any(not any(ids & each for _, ids in faults) for each in numbers)
            return not said, named, idle, len(said) >= len(faults)

        yield database.observe(world, one)


def payments_of(answer: Answer) -> Observations:
    dice = random.Random(4101)
    for size in range(40):
        rows = random_rows(dice, 3 + size)
        yield _rows_of_query(answer, rows, (), "", {"order": dice.choice([1, 11, 12, 21, 112])})
    many_rows = _in_memory.numbered([_in_memory.StoredTask('{"order_id": 7}', status="running")] * 1_100)
    yield _rows_of_query(answer, many_rows, (), "", {"order": 7})


def list_in_process(answer: Answer) -> Observations:
    dice = random.Random(5301)
    shops = [random_shop(dice, 3 + size) for size in range(40)]
    return [_rows_of_query(answer, rows, orders, INDEX, {}) for rows, orders in shops]


def _rows_of_query(answer: Answer, rows: Any, orders: Any, index: str, values: dict[str, Any]) -> Any:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(f"{_in_memory.tables()};{index}")
        database.executemany(_in_memory.ORDER, [dict(_worlds.order_row(random.Random(id), id)) for id in orders])
        database.executemany(_in_memory.INSERT, [_in_memory.columns_of(row) for row in rows])
        database.commit()
        before = database.total_changes
        try:
            found = sorted(map(repr, database.execute(answer(), values).fetchall()))
        except Exception as error:
            return told(error)
        return found, database.total_changes - before


def live_payment_index(answer: Answer) -> Observations:
    """Which of many random inserts and moves are refused."""
    for seed in range(30):
        dice = random.Random(3_400 + seed)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            database.executescript(_in_memory.tables())
            try:
                database.execute(answer())
            except Exception as error:
                yield told(error)
                return
            orders = _worlds.some_ids(dice, 4)
            for id in _worlds.some_ids(dice, 12):
                payload = dice.choice([*(f'{{"order_id": {order}}}' for order in orders), "{}", None])
                kind = dice.choice(["process_payment", "process_payment", "refund", "send_receipt"])
                for status in (dice.choice(_worlds.LIVE), dice.choice([*_worlds.LIVE, *_worlds.ENDED])):
                    row = _in_memory.StoredTask(payload, kind, str(status), id)
                    try:
                        database.execute(f"INSERT OR REPLACE INTO task {_VALUES}", _in_memory.columns_of(row))
                    except sqlite3.Error as error:
                        yield type(error).__name__
                    yield sorted(database.execute("SELECT id, status FROM task").fetchall())


_VALUES = f"VALUES ({', '.join('?' * len(_in_memory.COLUMNS.split()))})"


def index_for_the_list(answer: Answer) -> Observations:
    """How SQLite plans both queries, how many entries there are, and what it refuses."""
    engine = many_orders(300, 30)
    _opened.append(engine)
    with writing(engine) as session:
        try:
            session.connection().exec_driver_sql(answer())
        except Exception as error:
            return [told(error)]
        plans = [
            session.execute(text(f"EXPLAIN QUERY PLAN {sql}")).all()[0][3].split("USING")[0].split()[0]
            for sql in (LIST, "SELECT * FROM orders WHERE processing_task_id = 7")
        ]
        session.execute(text("ANALYZE"))
        entries = session.execute(text("SELECT stat FROM sqlite_stat1 WHERE tbl = 'orders' AND idx IS NOT NULL")).all()
        counts = [int(row[0].split()[0]) for row in entries]
    return [plans, counts]


def value_of(answer: Answer, asked: Container[Any] | None = None) -> Observations:
    """For predictions: the value itself; where more may be said, of the keys that were asked for."""
    try:
        found = answer()
        return [
            {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in found.items()
                if asked is None or key in asked
            }
        ]
    except Exception as error:
        return [told(error)]


def arranged(is_right: Callable[[str], bool]) -> Oracle:
    """For lines in an arrangement, judged by a rule."""

    def oracle(answer: Answer) -> Observations:
        try:
            letters = answer()
            return [isinstance(letters, str) and is_right(letters)]
        except Exception as error:
            return [told(error)]

    return oracle


def _atomic(letters: str) -> bool:
    """Enqueue and reference in one transaction: no commit between B and D."""
    if not letters.startswith("A") or "F" in letters or any(letters.count(letter) > 1 for letter in letters):
        return False
    order = {letter: place for place, letter in enumerate(letters)}
    if not {"B", "C", "D"} <= order.keys() or order["D"] < max(order["B"], order["C"]):
        return False
    return "E" not in order or not order["B"] < order["E"] < order["D"]


def _stops_in_time(letters: str) -> bool:
    """The last look is right before the charge; nothing stops after it."""
    before, charge, after = letters.partition("C")
    return bool(charge) and before.replace("A", "") == "B" and before.endswith("A") and after == "D"


def _once(letters: str) -> bool:
    """Every commit finds both the effect and the completion, or neither; in the end both are there."""
    rows, done, committed = 0, False, (0, False)
    for letter in letters:
        if letter in "BD" and done:
            return False
        rows += letter == "A"
        done = done or letter == "B"
        if letter == "E":
            rows, done = committed
        if letter == "C":
            committed = rows, done
            if committed not in ((0, False), (1, True)):
                return False
    return committed == (1, True) and set(letters) <= set("ABCDE") and len(letters) <= 12


ORACLES: dict[str, Oracle] = {
    "1.1": order_of,
    "1.2": arranged(_atomic),
    "2.1": value_of,
    "2.2": order_id_of,
    "2.3": charge_order,
    "2.4": find_order,
    "3.1": enqueue_if_none,
    "3.2": value_of,
    "3.3": on_stale_orders(3301),
    "3.4": live_payment_index,
    "4.1": payments_of,
    "4.2": on_stale_orders(4201),
    "4.3": arranged(_stops_in_time),
    "5.1": exponent,
    "5.2": index_for_the_list,
    "5.3": list_in_process,
    "6.1": holds,
    "6.2": partial(value_of, asked=range(1, 6)),
    "7.1": reserve,
    "7.2": prune,
    "7.3": value_of,
    "8.1": schedules,
    "8.2": claim,
    "8.3": complete,
    "8.4": arranged(_once),
    "8.5": attacked,
    "9.1": arranged(lambda letters: letters in ("ABCD", "AFBD")),
    "9.2": receive,
    "9.3": value_of,
}
