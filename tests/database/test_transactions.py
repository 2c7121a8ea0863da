"""Transactions: what reading() and writing() promise."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, text, update
from sqlalchemy import inspect as sqlalchemy_inspect
from sqlmodel import Session, select

from taskref_edu import Order, errors, reading, writing
from tests.conftest import OpenDatabase, new_orders, scalar


class TestTransactions:
    def test_writing_commits_at_the_end_and_objects_stay_usable(self, open_any: OpenDatabase) -> None:
        engine = open_any()
        with writing(engine) as session:
            order = Order(customer="Ann", amount=1)
            session.add(order)
        with reading(engine) as session:
            assert session.get_one(Order, order.id).customer == "Ann"
        assert order.customer == "Ann"

    def test_a_session_of_writing_keeps_nothing_afterwards(self, sqlite: Engine) -> None:
        with writing(sqlite) as first:
            first.add(order := Order(customer="Ann", amount=100))
        with writing(sqlite) as second:  # the first one is still there, and would claim the order
            second.add(order)
            second.commit()
            assert second.get(Order, order.id) is order  # begins anew, with nothing left to commit
        assert sqlite.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert (first.in_transaction(), second.in_transaction()) == (False, False)

    def test_writing_rolls_back_on_an_error(self, open_any: OpenDatabase) -> None:
        engine = open_any()
        with pytest.raises(KeyError), writing(engine) as session:
            session.add(Order(customer="Ann", amount=1))
            session.flush()
            raise KeyError
        assert scalar(engine, "SELECT count(*) FROM orders") == 0

    def test_two_writers_wait_for_each_other(self, sqlite: Engine) -> None:
        inside, release = threading.Event(), threading.Event()

        def hold() -> None:
            with writing(sqlite):
                inside.set()
                release.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait(10)
        threading.Timer(0.1, release.set).start()
        new_orders(sqlite, 1)  # begins while the other one writes; an error if it did not wait
        thread.join()

    def test_a_reader_sees_one_state_throughout(self, open_any: OpenDatabase) -> None:
        engine = open_any()
        with reading(engine) as session:
            before = session.scalar(text("SELECT count(*) FROM orders"))
            new_orders(engine, 1)
            assert session.scalar(text("SELECT count(*) FROM orders")) == before

    def test_a_change_inside_reading_is_refused_instead_of_lost(self, sqlite: Engine) -> None:
        (order,) = new_orders(sqlite, 1)
        with (
            pytest.raises(errors.ReadOnlySession, match=r"reading\(\) found changed objects"),
            reading(sqlite) as session,
        ):
            session.get_one(Order, order.id).status = "paid"

    def test_autocommit_keeps_its_inserts_and_leaves_no_trace(self, sqlite: Engine) -> None:
        insert = text("INSERT INTO orders (customer, amount, status) VALUES ('Ann', 1, 'new')")
        with sqlite.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(insert)
        assert scalar(sqlite, "SELECT count(*) FROM orders") == 1
        with sqlite.connect() as connection:  # the same pooled connection, now with transactions again
            connection.execute(insert)
            connection.rollback()
        assert scalar(sqlite, "SELECT count(*) FROM orders") == 1


ROW = {"customer": "x", "amount": 1, "status": "new"}
WAYS: dict[str, Callable[[Session], object]] = {
    "a new object": lambda s: s.add(Order(customer="x", amount=1)),
    "a new object, flushed": lambda s: (s.add(Order(customer="x", amount=1)), s.flush()),
    "a changed object": lambda s: setattr(s.get_one(Order, 101), "amount", 7),
    "a changed object, committed": lambda s: (setattr(s.get_one(Order, 101), "amount", 7), s.commit()),
    "Core": lambda s: s.execute(update(Order).values(amount=7)),
    "Core, committed": lambda s: (s.execute(update(Order).values(amount=7)), s.commit()),
    "SQL": lambda s: s.execute(text("  /* why */ -- not\n DELETE FROM orders")),
    "SQL behind WITH": lambda s: s.execute(text("WITH one AS (SELECT 1) DELETE FROM orders")),
    "SQL behind WITH, committed": lambda s: (s.execute(text("WITH x AS (SELECT 1) DELETE FROM orders")), s.commit()),
    "SQL after a rollback": lambda s: (
        s.execute(text("SELECT 1")),
        s.rollback(),
        s.execute(text("DELETE FROM orders")),
    ),
    "in bulk": lambda s: s.bulk_insert_mappings(
        sqlalchemy_inspect(Order), [{"customer": "x", "amount": 1, "status": "new"}]
    ),
    "in bulk by Core": lambda s: s.execute(insert(Order), [ROW] * 2),
    "a table": lambda s: s.execute(text("CREATE TABLE other (id INTEGER)")),
    "the driver": lambda s: s.connection().connection.driver_connection.execute("DELETE FROM orders"),  # type: ignore[union-attr]
    "the driver's cursor": lambda s: s.connection().connection.cursor().execute("DELETE FROM orders"),
    "inside a savepoint": lambda s: (s.begin_nested(), s.execute(text("DELETE FROM orders"))),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_writes_inside_reading_is_refused_by_name_and_nothing_is_kept(
    open_any: OpenDatabase, way: str
) -> None:
    engine = open_any()
    (order,) = new_orders(engine, 1)
    with pytest.raises(errors.ReadOnlySession), reading(engine) as session:
        WAYS[way](session)
    with writing(engine) as session:  # on the same connection
        assert [(one.id, one.amount) for one in session.exec(select(Order))] == [(order.id, 100)]
        session.add(Order(customer="y", amount=1))
    assert not sqlalchemy_inspect(engine).has_table("other")


def test_reading_may_look_in_every_way(open_any: OpenDatabase) -> None:
    engine = open_any()
    new_orders(engine, 3)
    with reading(engine) as session:
        for sql in ("SELECT 1", " (SELECT 1)", "WITH x AS (SELECT 1) SELECT * FROM x", "VALUES (1)"):
            if engine.dialect.name == "postgresql" or not sql.startswith(" ("):
                assert session.execute(text(sql)).scalar() == 1
        with session.begin_nested():
            assert len(session.exec(select(Order)).all()) == 3
        session.commit()
        assert len(session.exec(select(Order)).all()) == 3
    with Session(engine) as other:  # what reading() leaves behind: nothing
        other.add(Order(customer="z", amount=1))
        other.commit()
