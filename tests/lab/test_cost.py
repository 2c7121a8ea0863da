"""The meter: what it counts, and that it counts the same twice."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, classic, inverted, reading, writing
from taskref_edu.lab import measure
from tests.conftest import new_orders


@pytest.fixture
def queue(sqlite: Engine) -> TaskQueue:
    return TaskQueue(sqlite)


def fill(queue: TaskQueue, count: int) -> None:
    with writing(queue.engine) as session:
        queue.enqueue_many(session, "work", range(count))


def scan(session: Session) -> None:
    session.exec(select(Task.id).where(col(Task.error) == "none has this")).all()


def test_statements_rows_and_changes(queue: TaskQueue) -> None:
    new_orders(queue.engine, 3)
    cost = measure(queue.engine, lambda session: session.exec(select(Order)).all())
    assert (cost.statements, cost.rows, cost.changes) == (1, 3, 0)
    assert cost.plan == ("SCAN orders",)
    assert cost.sql[0].sql.startswith("SELECT orders.id")
    assert str(cost).splitlines()[0].endswith(" VM steps, 1 statement, 3 rows read, 0 rows changed")
    assert "SCAN orders" in cost._repr_html_()


def test_a_change_is_flushed_counted_and_rolled_back(queue: TaskQueue) -> None:
    (order,) = new_orders(queue.engine, 1)

    def pay(session: Session) -> None:
        session.get_one(Order, order.id).status = "paid"

    cost = measure(queue.engine, pay)
    assert (cost.statements, cost.rows, cost.changes) == (2, 1, 1)
    with reading(queue.engine) as session:
        assert session.get_one(Order, order.id).status == "new"


def test_what_a_trigger_does_belongs_to_the_statement(queue: TaskQueue) -> None:
    first, second = new_orders(queue.engine, 2)
    with writing(queue.engine) as session:
        by_inverted = inverted.enqueue_payment(session, queue, first).id or 0
        by_classic = classic.enqueue_payment(session, queue, second).id or 0
    referenced = measure(queue.engine, lambda session: queue.cancel(session, by_inverted))
    unreferenced = measure(queue.engine, lambda session: queue.cancel(session, by_classic))
    assert (referenced.statements, referenced.changes) == (1, 2)
    assert (unreferenced.statements, unreferenced.changes) == (1, 1)
    assert referenced.vm_steps > unreferenced.vm_steps


def test_the_same_every_time_whatever_was_prepared_before(queue: TaskQueue) -> None:
    fill(queue, 10)
    act = lambda session: queue.enqueue(session, "work", {"order_id": 1})  # noqa: E731
    first = measure(queue.engine, act)
    again = measure(queue.engine, act)
    queue.engine.dispose()  # a new connection has prepared nothing
    assert {first.vm_steps, again.vm_steps, measure(queue.engine, act).vm_steps} == {first.vm_steps}


def test_a_scan_grows_with_the_table_and_a_look_up_does_not(queue: TaskQueue) -> None:
    steps = []
    for _ in range(2):
        fill(queue, 1000)
        look_up = measure(queue.engine, lambda session: session.get_one(Task, 500))
        steps.append((measure(queue.engine, scan).vm_steps, look_up.vm_steps))
    (scan_of_1000, look_up_1000), (scan_of_2000, look_up_2000) = steps
    assert scan_of_2000 - scan_of_1000 == pytest.approx(scan_of_1000, rel=0.02)
    assert look_up_1000 == look_up_2000


def test_steps_taken_while_rows_are_read_count(queue: TaskQueue) -> None:
    fill(queue, 100)

    def first_only(session: Session) -> None:
        result = session.execute(text("SELECT id FROM task"))
        result.fetchone()
        result.close()

    all_rows = measure(queue.engine, lambda session: session.execute(text("SELECT id FROM task")).all())
    assert (measure(queue.engine, first_only).rows, all_rows.rows) == (1, 100)
    assert all_rows.vm_steps > 100


def test_another_connections_statements_are_not_counted(queue: TaskQueue) -> None:
    def elsewhere(session: Session) -> None:
        with reading(queue.engine) as other:
            scan(other)

    assert (measure(queue.engine, elsewhere).statements, measure(queue.engine, elsewhere).vm_steps) == (0, 0)


def test_an_error_comes_through_and_leaves_the_connection_as_it_was(queue: TaskQueue) -> None:
    with pytest.raises(ZeroDivisionError):
        measure(queue.engine, lambda session: 1 / 0)
    with queue.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        assert driver.row_factory is None
    fill(queue, 1)


def test_an_engine_that_is_not_ours_is_refused() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(TypeError, match="only an engine of open_database"):
        measure(engine, lambda session: None)
