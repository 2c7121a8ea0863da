"""The orders are fetched only when they may have changed, and what is shown is the same as if they always were."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from taskref_edu import TaskQueue, open_database, writing
from taskref_edu.widgets.display import rows
from taskref_edu.widgets.display.reader import ChangeReader
from taskref_edu.widgets.display.rows import READ_ORDERS, Rows

NOTHING = "UPDATE task SET lease_token = lease_token + 1"  # a commit that leaves the orders as they are
COLUMNS = "INSERT OR REPLACE INTO orders (id, customer, amount, status) "
ACTS = {
    "insert": COLUMNS + "VALUES (:id, :word, :number, 'new')",
    "delete": "DELETE FROM orders WHERE id = :id",
    "customer": "UPDATE orders SET customer = :word WHERE id = :id",
    "amount": "UPDATE orders SET amount = :number WHERE id = :id",
    "status": "UPDATE orders SET status = :word WHERE id = :id",
    "reference": "UPDATE orders SET processing_task_id = :number WHERE id = :id",
    "no reference": "UPDATE orders SET processing_task_id = NULL WHERE id = :id",
    "another id": "UPDATE OR IGNORE orders SET id = :number WHERE id = :id",
}
SMALL, WORDS = st.integers(1, 3), st.sampled_from(["", "Ada", "ada", "7"])
CHANGES = st.lists(st.tuples(st.sampled_from(list(ACTS)), SMALL, SMALL, WORDS, st.integers(0, 3)), max_size=12)


@pytest.fixture(scope="module")
def engine():
    engine = open_database(schema="as_written")
    with writing(engine) as session:
        for _ in range(3):  # for the orders to refer to
            TaskQueue(engine).enqueue(session, "other")
    yield engine
    engine.dispose()


def commit(engine: Engine, sql: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql), values)


def orders(engine: Engine) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(READ_ORDERS)][::-1]


@settings(max_examples=80, deadline=None)
@given(changes=CHANGES)
def test_what_is_seen_is_what_is_there(engine: Engine, changes: list[tuple]):
    commit(engine, "DELETE FROM orders")
    reader, seen = ChangeReader(TaskQueue(engine)), Rows()
    for act, number, other, word, quiet in changes:
        commit(engine, ACTS[act], id=number, number=other, word=word)
        for _ in range(1 + quiet):
            seen = reader.changed_rows(seen) or seen
            assert [*seen.orders.values()] == orders(engine)
            commit(engine, NOTHING)
    reader.close()


@pytest.mark.parametrize(("customer", "fetches"), [("'Ada'", 1), ("x'00ff'", 5)])
def test_orders_that_stay_as_they_are_are_fetched_once__unless_one_holds_a_blob(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, customer: str, fetches: int
):
    fetched: list[str] = []
    fetch = rows._all
    monkeypatch.setattr(rows, "_all", lambda connection, sql: fetched.append(sql) or fetch(connection, sql))
    commit(engine, "DELETE FROM orders")
    commit(engine, f"INSERT INTO orders (customer, amount, status) VALUES ({customer}, 5, 'new')")
    reader, seen = ChangeReader(TaskQueue(engine)), Rows()
    for _ in range(5):
        seen = reader.changed_rows(seen) or seen
        commit(engine, NOTHING)
    assert (fetched.count(READ_ORDERS), fetched.count(rows.READ_TASKS)) == (fetches, 5)
    assert seen.order_count == 1
    reader.close()
