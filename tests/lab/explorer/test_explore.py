"""The race lab finds every schedule, each once; what it finds agrees with combinatorics and with a model of SQLite."""

from __future__ import annotations

from math import comb, factorial
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from taskref_edu import Order, TaskQueue, Worker, writing
from taskref_edu.lab import explore
from tests.lab.explorer import actors, model
from tests.lab.explorer.actors import Actor, autocommitted, driver, nothing, one_live_task, one_order, read


def amounts_add_up(*statements: int) -> Any:
    def holds(session: Session) -> list[str]:
        amount = session.exec(select(Order.amount)).one()
        expected = sum(10**number for count in statements for number in range(count))
        return [] if amount == expected else [f"{amount}, not {expected}"]

    return holds


class TestCounts:
    @pytest.mark.parametrize("journal", ["wal", "delete"])
    @pytest.mark.parametrize(("m", "n"), [(0, 0), (1, 1), (4, 4), (2, 5), (1, 7)])
    def test_two_straight_lines(self, m: int, n: int, journal: Any) -> None:
        found = explore(
            [autocommitted(m), autocommitted(n)], setup=one_order, invariant=amounts_add_up(m, n), journal=journal
        )
        assert found.count == comb(m + n, n)
        assert found.holds == (m > 0), str(found)
        assert found.errors == []

    @pytest.mark.parametrize(("k", "m", "n"), [(1, 1, 1), (2, 2, 2), (1, 2, 4)])
    def test_three_straight_lines(self, k: int, m: int, n: int) -> None:
        functions = [autocommitted(k), autocommitted(m), autocommitted(n)]
        found = explore(functions, setup=one_order, invariant=amounts_add_up(k, m, n))
        assert found.count == factorial(k + m + n) / factorial(k) / factorial(m) / factorial(n)
        assert found.holds, str(found)

    def test_one_actor_has_one_schedule(self) -> None:
        assert explore([autocommitted(3)], setup=one_order, invariant=nothing).count == 1

    def test_every_schedule_comes_once(self) -> None:
        found = explore([autocommitted(3), autocommitted(3)], setup=one_order, invariant=lambda session: ["always"])
        assert len(set(found.broken)) == len(found.broken) == found.count == 20
        assert found.broken == sorted(found.broken)
        assert all(sorted(schedule) == list("AAABBB") for schedule in found.broken)


# The clicks as words of the model. The end of a transaction that has only read is no step.
CLICKS: dict[Actor, tuple[str, tuple[int, int, int]]] = {
    actors.click_classic: ("cw]", (8, 6, 0)),
    actors.click_inverted: ("cw]w]", (28, 26, 0)),
    actors.check_before_the_block: ("c[ww]", (12, 10, 0)),
    actors.check_in_a_deferred_transaction: ("(cww]", (24, 0, 22)),
    actors.check_in_writing: ("[cww]", (2, 0, 0)),
    actors.conditional_update: ("[ww]", (2, 0, 0)),
}


@pytest.mark.parametrize("click", CLICKS, ids=lambda click: click.__name__)
def test_two_clicks(click: Actor) -> None:
    word, figures = CLICKS[click]
    found = explore([click, click], setup=one_order, invariant=one_live_task, schema="as_written")
    assert (found.count, len(found.broken), len(found.errors)) == figures
    if click is not actors.conditional_update:  # the model's words cannot say "roll back if somebody was first"
        expected = model.count(word, word)
        assert figures == (expected.schedules, expected.broken, expected.busy)


def spelled(word: str) -> Actor:
    """A driver-level function that does what a word of the model says."""
    insert = "INSERT INTO orders VALUES (NULL, 'Bob', 0, 'new', NULL)"
    one = {"r": "SELECT amount FROM orders", "[": "BEGIN IMMEDIATE", "]": "COMMIT", "(": "BEGIN"}

    def spelling(engine: Engine) -> None:
        with driver(engine) as connection:
            for place, letter in enumerate(word):
                if letter == "c" and connection.execute("SELECT count(*) FROM orders").fetchone()[0] > 1:
                    break
                if letter == "w":
                    if not connection.in_transaction and "]" in word[place:]:
                        connection.execute("BEGIN")
                    connection.execute(insert if set(word[place + 1 :]) <= {"]"} else "UPDATE orders SET amount = 1")
                if letter in one:
                    connection.execute(one[letter])

    return spelling


@pytest.mark.parametrize(
    ("word", "figures"),
    [
        # With a second read after the check these are the figures that are often quoted for two clicks.
        ("crw]", (30, 28, 0)),
        ("crw]w]", (116, 114, 0)),
        ("cr[ww]", (56, 54, 0)),
        ("cw", (6, 4, 0)),
        ("cww", (20, 18, 0)),
        ("(cw]", (14, 0, 12)),
        ("(crw]", (50, 0, 48)),
        ("[cw]", (2, 0, 0)),
        ("c[w]", (10, 8, 0)),
    ],
)
def test_a_word_of_the_model(word: str, figures: tuple[int, int, int]) -> None:
    def one_more(session: Session) -> list[str]:
        return ["two"] if len(session.exec(select(Order.id)).all()) > 2 else []

    found = explore([spelled(word), spelled(word)], setup=one_order, invariant=one_more)
    expected = model.count(word, word)
    assert (found.count, len(found.broken), len(found.errors)) == figures
    assert (expected.schedules, expected.broken, expected.busy) == figures


class TestKindsOfActors:
    """However a function reaches SQLite, its statements are seen: two of them, and six schedules with a like one."""

    @staticmethod
    def orm(engine: Engine) -> None:
        with Session(engine) as session:
            order = session.get_one(Order, 1)
        with writing(engine) as session:
            session.merge(order).amount += 1

    @staticmethod
    def core(engine: Engine) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT amount FROM orders")).all()
            connection.execute(text("UPDATE orders SET amount = amount + 1"))

    @staticmethod
    def exec_driver_sql(engine: Engine) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SELECT amount FROM orders").all()
            connection.exec_driver_sql("UPDATE orders SET amount = amount + ?", (1,))

    @staticmethod
    def raw_cursor(engine: Engine) -> None:
        raw = engine.raw_connection()
        raw.cursor().execute("SELECT amount FROM orders").fetchall()
        raw.cursor().execute("UPDATE orders SET amount = amount + :n", {"n": 1})
        raw.close()

    @staticmethod
    def raw_connection(engine: Engine) -> None:
        with driver(engine) as connection:
            connection.execute("SELECT amount FROM orders").fetchall()
            connection.executemany("UPDATE orders SET amount = amount + ?", [(1,)])

    @staticmethod
    def script(engine: Engine) -> None:
        with driver(engine) as connection:
            connection.executescript("SELECT ';'; UPDATE orders SET amount = amount + 1;")

    @staticmethod
    def disposing(engine: Engine) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT amount FROM orders")).all()
        engine.dispose()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("UPDATE orders SET amount = amount + 1"))

    @pytest.mark.parametrize("name", ["core", "exec_driver_sql", "raw_cursor", "raw_connection", "script", "disposing"])
    def test_two_statements_each(self, name: str) -> None:
        function = getattr(self, name)

        def two(session: Session) -> list[str]:
            return [] if session.exec(select(Order.amount)).one() == 2 else ["lost"]

        found = explore([function, function], setup=one_order, invariant=two)
        assert (found.count, found.broken, found.errors) == (6, [], [])

    def test_orm(self) -> None:
        """merge() writes what was read before the transaction: a lost update, unless one is over before."""

        def two(session: Session) -> list[str]:
            return [] if session.exec(select(Order.amount)).one() == 2 else ["lost"]

        found = explore([self.orm, self.orm], setup=one_order, invariant=two)
        assert (found.count, len(found.broken), found.errors) == (12, 10, [])
        assert found.count == model.count("r[rw]", "r[rw]").schedules

    def test_savepoints(self) -> None:
        def nested(engine: Engine) -> None:
            with writing(engine) as session:
                with session.begin_nested():
                    session.execute(text("UPDATE orders SET amount = amount + 1"))
                with pytest.raises(ZeroDivisionError), session.begin_nested():
                    session.execute(text("UPDATE orders SET amount = 100"))
                    raise ZeroDivisionError

        found = explore(
            [nested, nested], setup=one_order, invariant=lambda s: [str(s.exec(select(Order.amount)).one())]
        )
        assert found.count == 2
        assert set(found.problems.values()) == {("2",)}

    def test_a_savepoint_that_is_a_transaction_ends_with_a_step(self) -> None:
        def alone(engine: Engine) -> None:
            with driver(engine) as connection:
                for sql in ("SAVEPOINT mine", "UPDATE orders SET amount = amount + 1", "RELEASE SAVEPOINT mine"):
                    connection.execute(sql)

        found = explore([alone, autocommitted(1)], setup=one_order, invariant=nothing)
        assert found.count == model.count("w]", "w").schedules == 2

    def test_a_driver_connection_as_a_context_manager_commits_with_a_step(self) -> None:
        def with_connection(engine: Engine) -> None:
            with driver(engine) as connection, connection:
                connection.execute("BEGIN")
                connection.execute("UPDATE orders SET amount = amount + 1")

        found = explore([with_connection, with_connection], setup=one_order, invariant=nothing)
        assert (found.count, found.replay("AABB").schedule) == (2, "AABB")

    def test_queue_and_worker(self) -> None:
        done: set[str] = set()

        def work(engine: Engine) -> bool:
            queue = TaskQueue(engine)
            queue.handler("work")(lambda task: None)
            return Worker(queue).step()

        def setup(engine: Engine) -> None:
            with writing(engine) as session:
                TaskQueue(engine).enqueue(session, "work")

        def once(session: Session, errors: dict[str, BaseException], results: dict[str, bool]) -> list[str]:
            done.add("".join(sorted(letter for letter, worked in results.items() if worked)))
            return [str(error) for error in errors.values()]

        found = explore([work, work], setup=setup, invariant=once)
        assert found.holds, str(found)
        assert found.count > 1
        assert done == {"A", "B"}  # never both, never neither


class TestNothingIsLeftOver:
    """Between two schedules every table is what the setup left, whatever an actor did to it."""

    LOOKS = (
        "SELECT sql FROM sqlite_master ORDER BY name",
        "SELECT * FROM orders",
        "SELECT * FROM sqlite_sequence",
        "SELECT rowid, * FROM bare",
        "SELECT * FROM log",
        "SELECT * FROM pair",
        "SELECT * FROM computed",
        "SELECT rowid, * FROM many",
        "PRAGMA user_version",
        "PRAGMA foreign_keys",
        "SELECT * FROM temp.sqlite_master",
    )
    TABLES = """
        CREATE TABLE bare (x); INSERT INTO bare VALUES (1), (2), (3); DELETE FROM bare WHERE x = 2;
        CREATE TABLE pair (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pair VALUES (2, 1), (1, 2);
        CREATE TABLE computed (a, b GENERATED ALWAYS AS (a + 1)); INSERT INTO computed VALUES (1);
        CREATE TABLE log (x);
        CREATE TABLE many (x);
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200) INSERT INTO many SELECT x FROM n;
        CREATE TRIGGER inserted AFTER INSERT ON bare BEGIN INSERT INTO log VALUES (1); END;
        CREATE TRIGGER deleted AFTER DELETE ON bare BEGIN SELECT RAISE(ABORT, 'not this one'); END;
    """

    def rows_at_the_start(self, mess: Actor) -> None:
        starts: list[Any] = []

        def actor(engine: Engine) -> None:
            with driver(engine) as connection:
                starts.append([connection.execute(sql).fetchall() for sql in self.LOOKS])
            mess(engine)

        def setup(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.executescript(self.TABLES)
            one_order(engine)

        explore([actor, read], setup=setup, invariant=nothing)
        assert len(starts) > 2
        assert starts.count(starts[0]) == len(starts)

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM orders",
            "INSERT INTO task (type, status, attempt, max_attempts, lease_token, available_at, created_at)"
            " VALUES ('t', 'pending', 0, 1, 0, '', '')",
            "INSERT INTO bare VALUES (9)",
            "DELETE FROM many WHERE x % 3",
            "CREATE TABLE another (x)",
            "DROP TABLE log",
            "CREATE TEMP TABLE mine (x)",
            "PRAGMA user_version = 7",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA busy_timeout = 10000",
        ],
    )
    def test_after(self, sql: str) -> None:
        def mess(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute(sql)

        self.rows_at_the_start(mess)

    def test_after_a_transaction_left_open(self) -> None:
        kept: list[Any] = []

        def mess(engine: Engine) -> None:
            session = Session(engine)
            session.execute(text("UPDATE orders SET amount = 1"))
            kept.append(session)

        self.rows_at_the_start(mess)

    def test_after_a_cursor_left_open(self) -> None:
        kept: list[Any] = []

        def mess(engine: Engine) -> None:
            raw = engine.raw_connection()
            kept.append((raw, raw.cursor().execute("SELECT * FROM bare")))

        self.rows_at_the_start(mess)


class TestReplay:
    def test_gives_the_same_rows_each_time(self) -> None:
        found = explore([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")
        for schedule in found.broken:
            one, other = found.replay(schedule), found.replay(schedule)
            assert without_times(one) == without_times(other)
            assert one.broken == other.broken == ("2 live tasks",)
            assert "".join(step.actor for step in one.steps) == schedule

    def test_shows_what_a_transaction_sees_before_it_commits(self) -> None:
        found = explore([actors.check_in_writing, autocommitted(1)], setup=one_order, invariant=nothing)
        trace = found.replay("AAAAAB")
        tasks = [(step.committed, len(step.rows["task"])) for step in trace.steps]
        assert tasks == [(False, 0), (False, 0), (False, 1), (False, 1), (True, 1), (True, 1)]

    def test_a_repaired_function_passes_the_test_that_failed(self) -> None:
        broken = explore([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")
        assert broken.shortest is not None
        again = explore(
            [actors.click_inverted] * 2,
            setup=one_order,
            invariant=one_live_task,
            schedules=[broken.shortest],
            schema="as_written",
        )
        assert again.broken == [broken.shortest]
        repaired = explore(
            [actors.conditional_update] * 2, setup=one_order, invariant=one_live_task, schedules=[broken.shortest]
        )
        assert (repaired.count, repaired.holds) == (1, True)


def without_times(trace: Any) -> list[Any]:
    states = [trace.seen.states[0].rows, *(step.rows for step in trace.steps)]
    return [
        {
            table: [{name: value for name, value in row.items() if name not in trace.seen.times} for row in rows]
            for table, rows in state.items()
        }
        for state in states
    ]


def test_what_changes_returns_is_what_the_program_left() -> None:
    """To ask SQLite for a statement's bytecode sets it to 0: in the first schedule the second UPDATE did nothing."""

    def click(engine: Engine) -> None:
        with driver(engine) as connection:
            connection.execute("UPDATE orders SET status = 'paid' WHERE id = 1 AND status = 'new'")
            connection.execute("UPDATE orders SET amount = amount + 1 WHERE id = 1 AND changes() = 1")

    found = explore([click, click], setup=one_order, invariant=amounts_add_up(1))
    assert (found.count, found.holds) == (6, True), found
