"""Transactions: what reading() and writing() promise."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, text

from taskref_edu import Order, errors, reading, writing
from tests.conftest import OpenDatabase, new_orders


def scalar(engine: Engine, sql: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


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
