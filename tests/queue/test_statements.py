"""The SQL that each verb sends, statement by statement: a change here is a change of cost or of locking."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, classic, inverted, reading, writing
from taskref_edu.lab import capture_sql
from tests.conftest import claim, in_transaction, new_orders


@pytest.fixture
def queue(sqlite: Engine) -> TaskQueue:
    return TaskQueue(sqlite)


@pytest.fixture
def order(queue: TaskQueue) -> Order:
    return new_orders(queue.engine, 1)[0]


def shape(sql: str) -> str:
    """`INSERT INTO task …` as `INSERT task`: the verb and the table."""
    words = re.sub(r"\b(INTO|FROM)\b", "", re.sub(r"^SELECT.*?\bFROM\b", "SELECT", " ".join(sql.split()))).split()
    return " ".join(words[:2])


def shapes(engine: Engine, act: Callable[[], object]) -> list[str]:
    with capture_sql(engine) as statements:
        act()
    return [shape(statement.sql) for statement in statements]


def in_writing(queue: TaskQueue, act: Callable[[Session], object]) -> Callable[[], object]:
    return lambda: in_transaction(queue.engine, act)


def test_every_verb_of_the_queue_is_one_statement(queue: TaskQueue) -> None:
    def sent(act: Callable[[Session], object]) -> list[str]:
        begin, *statements, commit = shapes(queue.engine, in_writing(queue, act))
        assert (begin, commit) == ("BEGIN IMMEDIATE", "COMMIT")
        return statements

    assert sent(lambda session: queue.enqueue(session, "work")) == ["INSERT task"]
    assert sent(lambda session: queue.enqueue_many(session, "work", range(100))) == [
        *["SAVEPOINT insert_many", "INSERT task", "RELEASE insert_many"]  # all or none of them
    ]
    assert sent(queue.claim) == ["UPDATE task"]
    task = claim(queue)
    assert sent(lambda session: queue.heartbeat(session, task)) == ["UPDATE task"]
    assert sent(lambda session: queue.complete(session, task)) == ["UPDATE task"]
    failing = claim(queue)
    assert sent(lambda session: queue.fail(session, failing, "no")) == ["UPDATE task"]
    stopping = claim(queue)
    assert sent(lambda session: queue.cancel(session, stopping.id)) == ["UPDATE task"]
    assert sent(lambda session: queue.stop(session, stopping)) == ["UPDATE task"]
    assert sent(queue.reclaim) == ["UPDATE task"]
    assert sent(lambda session: queue.prune(session, timedelta(0))) == ["DELETE task"]


@pytest.mark.parametrize(
    ("approach", "verb", "expected"),
    [
        (classic, "enqueue_payment", ["INSERT task"]),
        (inverted, "enqueue_payment", ["INSERT task", "UPDATE orders"]),
        (classic, "enqueue_payment_once", ["SAVEPOINT sa_savepoint_1", "INSERT task", "RELEASE SAVEPOINT"]),
        (
            inverted,
            "enqueue_payment_once",
            ["SAVEPOINT sa_savepoint_1", "INSERT task", "UPDATE orders", "RELEASE SAVEPOINT"],
        ),
        (classic, "cancel_payment", ["SELECT task"]),
        (inverted, "cancel_payment", ["SELECT orders"]),
    ],
)
def test_the_verbs_of_the_approaches(
    queue: TaskQueue, order: Order, approach: ModuleType, verb: str, expected: list[str]
) -> None:
    act = in_writing(queue, lambda session: getattr(approach, verb)(session, queue, order))
    assert shapes(queue.engine, act) == ["BEGIN IMMEDIATE", *expected, "COMMIT"]


@pytest.mark.parametrize("approach", [classic, inverted])
def test_payment(queue: TaskQueue, order: Order, approach: ModuleType) -> None:
    in_transaction(queue.engine, lambda session: approach.enqueue_payment(session, queue, order))
    task = claim(queue)
    assert shapes(queue.engine, lambda: approach.process_payment(task)) == [
        *["BEGIN", "SELECT orders", "ROLLBACK"],
        *["BEGIN", "SELECT task", "ROLLBACK"],  # the checkpoint
        *["BEGIN IMMEDIATE", "UPDATE task", "SELECT orders", "UPDATE orders", "UPDATE task", "COMMIT"],
    ]


@pytest.mark.parametrize("approach", [classic, inverted])
def test_the_list_is_one_query(queue: TaskQueue, approach: ModuleType) -> None:
    def read() -> None:
        with reading(queue.engine) as session:
            approach.orders_in_process(session)

    assert shapes(queue.engine, read) == ["BEGIN", "SELECT orders", "ROLLBACK"]


def plan(engine: Engine, sql: str) -> str:
    with engine.connect() as connection:
        return "\n".join(row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")))


@pytest.mark.parametrize(
    ("act", "index"),
    [
        (lambda queue, session, order: queue.claim(session), "task_by_status"),
        (lambda queue, session, order: queue.reclaim(session), "task_by_status"),
        (lambda queue, session, order: classic.cancel_payment(session, queue, order), "task_live_payment"),
        (lambda queue, session, order: classic.orders_in_process(session), "task_live_payment"),
        (lambda queue, session, order: inverted.orders_in_process(session), "orders_processing_task_id"),
    ],
    ids=["claim", "reclaim", "classic cancel", "classic list", "inverted list"],
)
def test_each_look_up_uses_its_index(
    queue: TaskQueue, order: Order, act: Callable[[TaskQueue, Session, Order], object], index: str
) -> None:
    with capture_sql(queue.engine, plans=True) as statements, writing(queue.engine) as session:
        act(queue, session, order)
    plans = "\n".join(str(statement.plan) for statement in statements)
    assert f"INDEX {index}" in plans
    assert "SCAN task\n" not in plans + "\n"
    assert "SCAN orders\n" not in plans + "\n"


def test_the_look_up_of_the_order_and_the_clearing_use_the_partial_index(queue: TaskQueue) -> None:
    for sql in (
        "SELECT * FROM orders WHERE processing_task_id = 7",
        "UPDATE orders SET processing_task_id = NULL WHERE processing_task_id = 7",
    ):
        assert "USING INDEX orders_processing_task_id" in plan(queue.engine, sql)
