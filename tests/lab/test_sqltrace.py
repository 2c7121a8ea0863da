"""capture_sql(): the statements that reached SQLite, once each, in SQL that can be run again."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, inverted, reading, writing
from taskref_edu.lab import capture_sql
from taskref_edu.lab.sqltrace import Statements, filled_in
from tests.lab.explorer.actors import driver, one_order


@pytest.fixture
def engine(sqlite: Engine) -> Engine:
    one_order(sqlite)
    return sqlite


class TestWhatIsSeen:
    def test_a_writing_block(self, engine: Engine) -> None:
        with capture_sql(engine) as statements, writing(engine) as session:
            session.get_one(Order, 1).amount = 7
        assert [each.sql for each in statements] == [
            "BEGIN IMMEDIATE",
            "SELECT orders.id, orders.customer, orders.amount, orders.status, orders.processing_task_id \n"
            "FROM orders \nWHERE orders.id = 1",
            "UPDATE orders SET amount=7 WHERE orders.id = 1",
            "COMMIT",
        ]
        assert [each.parameters for each in statements] == [(), (1,), (7, 1), ()]
        assert statements[2].template == "UPDATE orders SET amount=? WHERE orders.id = ?"

    def test_a_reading_block_and_a_failed_one(self, engine: Engine) -> None:
        with capture_sql(engine) as statements:
            with reading(engine) as session:
                session.execute(text("SELECT 1"))
            with pytest.raises(ZeroDivisionError), writing(engine):
                raise ZeroDivisionError
        assert [each.sql for each in statements] == ["BEGIN", "SELECT 1", "ROLLBACK", "BEGIN IMMEDIATE", "ROLLBACK"]

    def test_driver_calls(self, engine: Engine) -> None:
        with capture_sql(engine) as statements, driver(engine) as connection:
            connection.execute("SELECT :n", {"n": "it's"}).fetchall()
            connection.cursor().executemany("UPDATE orders SET amount = ?", [(1,), (2,)])
            connection.executescript("BEGIN; SELECT ';'; COMMIT")
        assert [each.sql for each in statements] == [
            "SELECT 'it''s'",
            "UPDATE orders SET amount = 1  -- and 1 more",
            "BEGIN",
            "SELECT ';'",
            "COMMIT",
        ]

    def test_what_triggers_do_is_not_repeated(self, engine: Engine) -> None:
        queue = TaskQueue(engine)
        with writing(engine) as session:
            task = inverted.enqueue_payment(session, queue, session.get_one(Order, 1))
        with capture_sql(engine) as statements, writing(engine) as session:
            queue.cancel(session, task.id or 0)
        assert [each.sql.split()[0] for each in statements] == ["BEGIN", "UPDATE", "COMMIT"]
        with reading(engine) as session:
            assert session.get_one(Order, 1).processing_task_id is None  # the trigger did fire

    def test_a_statement_that_is_refused_says_so(self, engine: Engine) -> None:
        with capture_sql(engine) as statements, pytest.raises(sqlalchemy_errors.IntegrityError):
            one_order(engine)
        assert [each.error for each in statements] == [None, "UNIQUE constraint failed: orders.id", None]

    def test_outside_the_block_nothing_is_seen(self, engine: Engine) -> None:
        with capture_sql(engine) as statements:
            pass
        one = len(statements)
        with reading(engine) as session:
            session.execute(text("SELECT 1"))
        assert one == len(statements) == 0

    def test_nested_captures_see_the_same(self, engine: Engine) -> None:
        with capture_sql(engine) as outer, reading(engine) as session:
            session.execute(text("SELECT 1"))
            with capture_sql(engine) as inner:
                session.execute(text("SELECT 2"))
        assert [each.sql for each in inner] == ["SELECT 2"]
        assert [each.sql for each in outer] == ["BEGIN", "SELECT 1", "SELECT 2", "ROLLBACK"]

    @pytest.mark.parametrize(("all_threads", "count"), [(False, 0), (True, 3)])
    def test_other_threads(self, engine: Engine, all_threads: bool, count: int) -> None:
        def look() -> None:
            with reading(engine) as session:
                session.execute(text("SELECT 1"))

        with capture_sql(engine, all_threads=all_threads) as statements:
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert len(statements) == count

    def test_another_engine_is_refused(self) -> None:
        with pytest.raises(TypeError, match="only an engine of open_database"), capture_sql(create_engine("sqlite://")):
            pass


class TestFilledIn:
    @pytest.mark.parametrize(
        ("sql", "parameters", "expected"),
        [
            ("SELECT ?, ?", (1, None), "SELECT 1, NULL"),
            ("SELECT ?2, ?1", ("a", "b"), "SELECT 'b', 'a'"),
            ("SELECT :a, @b, $c", {"a": 1, "b": 2, "c": 3}, "SELECT 1, 2, 3"),
            ("SELECT ?", (b"\x00\xff",), "SELECT X'00FF'"),
            ("SELECT ?", (1.5,), "SELECT 1.5"),
            ("SELECT '?', \"?\", `?`, [?], ? -- ? \n, ?", (1, 2), "SELECT '?', \"?\", `?`, [?], 1 -- ? \n, 2"),
            ("SELECT /* ? */ ?", (1,), "SELECT /* ? */ 1"),
            ("SELECT '''?', ?", (1,), "SELECT '''?', 1"),
            ("SELECT ?", ("');DROP TABLE orders;--",), "SELECT ''');DROP TABLE orders;--'"),
            ("SELECT ?", ("\\",), "SELECT '\\'"),
            ("SELECT 1", (), "SELECT 1"),
        ],
    )
    def test_gives_sql_that_answers_the_same(self, sql: str, parameters: Any, expected: str) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute('CREATE TABLE t ("?")')
            assert filled_in(connection, sql, parameters) == expected
            if "[?]" not in sql:
                assert connection.execute(expected).fetchall() == connection.execute(sql, parameters).fetchall()

    def test_a_value_that_sqlite_refuses(self) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            assert filled_in(connection, "SELECT ?", (2**70,)) == f"SELECT {2**70}"


class TestPlans:
    def test_each_statement_has_its_own(self, engine: Engine) -> None:
        with capture_sql(engine, plans=True) as statements, reading(engine) as session:
            session.get_one(Order, 1)
            session.execute(text("SELECT * FROM orders WHERE customer = :name"), {"name": "Ada"})
        plans = [each.plan for each in statements]
        assert plans == [(), ("SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)",), ("SCAN orders",), ()]

    def test_a_tree_is_indented(self, engine: Engine) -> None:
        with capture_sql(engine, plans=True) as statements, reading(engine) as session:
            session.execute(text("SELECT (SELECT max(id) FROM task) FROM orders"))
        assert statements[1].plan == ("SCAN orders", "SCALAR SUBQUERY 1", "  SEARCH task")

    def test_are_not_asked_for_unless_wanted(self, engine: Engine) -> None:
        with capture_sql(engine) as statements, reading(engine) as session:
            session.get_one(Order, 1)
        assert not any(each.plan for each in statements)


class TestShown:
    def test_as_text(self, engine: Engine) -> None:
        with capture_sql(engine, plans=True) as statements, reading(engine) as session:
            session.execute(text("SELECT id FROM orders"))
        assert str(statements).splitlines() == [
            "   1  BEGIN",
            "   2  SELECT id FROM orders",
            "      | SCAN orders",
            "   3  ROLLBACK",
        ]
        assert str(Statements()) == "(no statement)"

    def test_as_html_with_everything_escaped(self, engine: Engine) -> None:
        with capture_sql(engine) as statements, Session(engine) as session:
            session.execute(text("SELECT :name"), {"name": "<script>alert(1)</script>"})
        html = statements._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert html.count('<th scope="col"') == 2
