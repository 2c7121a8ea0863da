"""The graph of merged states says what the exhaustive walk says: every schedule, its verdict, its errors."""

from __future__ import annotations

import random
import sqlite3
from math import comb
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Field, Session, SQLModel

from taskref_edu import Order, writing
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer.budget import Budget
from taskref_edu.lab.explorer.errors import CannotMerge
from taskref_edu.lab.explorer.experiment import Experiment
from taskref_edu.lab.explorer.graph import Graph, Schedules
from taskref_edu.lab.explorer.merging import merged_graph
from taskref_edu.lab.explorer.schedule_outcome import Limits
from taskref_edu.lab.explorer.trial import Trial
from tests.lab.explorer import actors, model
from tests.lab.explorer.actors import Actor, autocommitted, driver, nothing, one_order
from tests.lab.explorer.oracle import assert_equal
from tests.lab.explorer.test_explore import spelled

TABLES = """
CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x, y);
CREATE TABLE b (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE c (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a(id) ON DELETE SET NULL, z UNIQUE);
CREATE TABLE log (what);
CREATE TRIGGER logs AFTER UPDATE OF x ON a BEGIN INSERT INTO log SELECT new.x || (SELECT count(*) FROM b); END;
INSERT INTO a (x, y) VALUES (1, 2), (3, 4);
INSERT INTO b VALUES ('p', 1), ('q', 2);
INSERT INTO c VALUES (1, 1, 5), (2, 2, 6);
"""
READS = [
    "SELECT x, y FROM a",
    "SELECT v FROM b",
    "SELECT count(*) FROM c WHERE a_id IS NULL",
    "SELECT max(id) FROM a",
    "SELECT z FROM c JOIN a ON a.id = a_id WHERE x > 1",
    "SELECT 1",
    "SELECT * FROM sqlite_sequence",
]
WRITES = [
    "UPDATE a SET x = x + 1 WHERE id = 1",
    "UPDATE a SET x = ?1 WHERE id = 2",
    "UPDATE b SET v = ?1 WHERE k = 'p'",
    "INSERT INTO a (x, y) VALUES (?1, 7)",
    "INSERT INTO c (a_id, z) VALUES (1, ?1)",
    "DELETE FROM a WHERE id = ?1 % 4",
    "INSERT OR IGNORE INTO b VALUES ('r' || ?1, 3)",
    "INSERT OR REPLACE INTO b VALUES ('q', ?1)",
    "INSERT INTO log SELECT v FROM b WHERE v > ?1 % 3",
    "UPDATE b SET v = (SELECT count(*) FROM log)",
    "INSERT INTO b VALUES ('s', 1) ON CONFLICT DO UPDATE SET v = v + 1",
]
RETURNING = ["UPDATE a SET y = y + 1 RETURNING id, y", "DELETE FROM c WHERE id = 2 RETURNING z"]
ENDS = ["BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"]
SAVEPOINTS = ["SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"]
STEP = st.one_of(
    st.sampled_from(READS + WRITES + RETURNING),
    st.sampled_from(READS + WRITES),
    st.sampled_from(ENDS),
    st.sampled_from([*SAVEPOINTS, "first row only", "next row", "skip one"]),
)
PROGRAM = st.lists(STEP, min_size=2, max_size=6)


def tables(engine: Engine) -> None:
    with driver(engine) as connection:
        connection.executescript(TABLES)


def runs(program: list[str], careful: bool) -> Actor:
    """An actor that goes on with what it has been told so far, and skips a step where that is odd."""

    def actor(engine: Engine) -> int:
        told, rows, skips = 0, None, False
        with driver(engine) as connection:
            for sql in program:
                if skips:
                    skips = False
                    continue
                if sql == "skip one":
                    skips = told % 2 == 1
                    continue
                if sql in ("COMMIT", "ROLLBACK") and not connection.in_transaction:
                    continue
                try:
                    if sql in ("first row only", "next row"):
                        rows = connection.execute(READS[0]) if sql != "next row" or rows is None else rows
                        told += sum(map(ord, repr(rows.fetchone())))
                    else:
                        cursor = connection.execute(sql, (told % 7,) if "?1" in sql else ())
                        told += cursor.rowcount + sum(map(ord, repr(cursor.fetchall())))
                except sqlite3.Error as error:
                    if not careful:
                        raise
                    told += len(str(error))
            if connection.in_transaction and told % 3:
                connection.commit()
        return told % 7

    return actor


def everything(session: Session, errors: dict[str, BaseException], results: dict[str, Any]) -> list[str]:
    connection = session.connection()
    rows = [list(connection.exec_driver_sql(f"SELECT * FROM {name}")) for name in ("a", "b", "c", "log")]
    return [repr(rows), repr({letter: str(error) for letter, error in errors.items()}), repr(results)]


def rows_only(session: Session) -> list[str]:
    return everything(session, {}, {})[:1]


def merged(functions: list[Actor], invariant: Any, *, setup: Any = tables, schema: Any = None, **options: Any) -> Graph:
    experiment = Experiment(functions, invariant, setup, schema=schema, **options)
    with Trial(experiment, Limits()) as trial, Budget(100_000) as budget:
        return merged_graph(trial, budget)


def compare(programs: list[list[str]], careful: bool, invariant: Any, journal: Any, crash: int | None) -> None:
    functions = [runs(program, careful) for program in programs]
    options: dict[str, Any] = {"setup": tables, "schema": None, "journal": journal, "merge": False, "max_runs": 70}
    if crash is None:
        found = explore(functions, invariant=invariant, **options)
    else:
        found = explore_crashes(functions, crash=crash, invariant=invariant, **options)
    assume(found.complete)
    try:
        graph = merged(functions, invariant, journal=journal, crash=crash)
    except CannotMerge:  # refused by name: explore() then runs every schedule, and says so
        return
    assert_equal(graph, found.graph)


anything = given(
    programs=st.one_of(st.lists(PROGRAM, min_size=2, max_size=2), PROGRAM.map(lambda program: [program, program])),
    careful=st.booleans(),
    invariant=st.sampled_from([everything, rows_only]),
    journal=st.sampled_from(["wal", "wal", "delete"]),
    crash=st.sampled_from([None, None, 0]),
)
FREELY = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize(
    "program",
    [
        ["BEGIN", "BEGIN IMMEDIATE", "SELECT 1"],  # the second one fails, and takes the lock all the same
        ["BEGIN", "INSERT INTO c (a_id, z) VALUES (1, 5)", "SELECT 1"],  # as does a write that breaks a constraint
        ["RELEASE s", "SAVEPOINT s", "SELECT max(id) FROM a"],  # in the next schedule, too, there is no s at first
        ["SAVEPOINT s", "SAVEPOINT s", "UPDATE b SET v = 5", "RELEASE s", "SELECT 1", "RELEASE s"],
        [
            "INSERT INTO c (a_id, z) VALUES (1, ?1)",
            "next row",
            "skip one",
            "DELETE FROM a WHERE id = ?1 % 4",
            WRITES[-2],
        ],
        ["SAVEPOINT 's'", "ROLLBACK TO s", "UPDATE b SET v = 5", "RELEASE SAVEPOINT S"],
    ],
)
def test_once_refused_or_different_each_time(program: list[str], journal: Any) -> None:
    functions = [runs(program, True)] * 2
    options: dict[str, Any] = {"invariant": everything, "schema": None, "journal": journal}
    every = [explore(functions, setup=tables, merge=False, **options).graph for _ in range(2)]
    assert_equal(*every)
    alone = [text for text in every[0].texts()[1] if "Deadlock" in text and ";" not in text]
    assert not alone  # nobody waits for one whose function has ended
    assert_equal(merged(functions, everything, journal=journal), every[0])


@settings(max_examples=15, **FREELY)
@anything
def test_random_actors(**case: Any) -> None:
    compare(**case)


@pytest.mark.nightly
@settings(max_examples=300, **FREELY)
@anything
def test_many_random_actors(**case: Any) -> None:
    compare(**case)


class Counter(SQLModel, table=True):
    __tablename__ = "counter_of_the_merging_test"  # pyright: ignore[reportAssignmentType]
    id: int = Field(primary_key=True)
    value: int


def one_counter(engine: Engine) -> None:
    SQLModel.metadata.tables["counter_of_the_merging_test"].create(engine)
    with Session(engine) as session:
        session.add(Counter(id=1, value=0))
        session.commit()


def count_up(engine: Engine) -> None:
    with Session(engine) as session:
        value = session.get_one(Counter, 1).value
    with Session(engine) as session:
        session.get_one(Counter, 1).value = value + 1
        session.commit()


def at_least_two(session: Session) -> list[str]:
    return ["lost"] if session.get_one(Counter, 1).value < 2 else []


class TestMany:
    def test_each_of_200_schedules_has_the_verdict_of_its_run(self) -> None:
        options: dict[str, Any] = {"setup": one_counter, "invariant": at_least_two, "schema": None}
        found = explore([count_up] * 3, **options)
        assert (found.count, len(found.broken), len(found.errors)) == (6_510, 5_904, 6_240)
        assert found.runs < 100
        schedules, generator = Schedules(found.graph), random.Random(1)
        chosen = {schedules[generator.randrange(found.count)] for _ in range(200)}
        again = explore([count_up] * 3, schedules=sorted(chosen), **options)
        assert list(Schedules(again.graph)) == sorted(chosen)
        for schedule in chosen:
            assert again.problems.get(schedule) == found.problems.get(schedule)
            assert again.error_texts.get(schedule) == found.error_texts.get(schedule)

    @pytest.mark.parametrize("word", ["crw]", "c[w]", "(cw]", "cw"])
    def test_four_actors_as_the_model_counts_them(self, word: str) -> None:
        def one_more(session: Session) -> list[str]:
            connection = session.connection()
            return ["two"] if connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() > 2 else []

        found = explore([spelled(word)] * 4, setup=one_order, invariant=one_more)
        expected = model.count(word, word, word, word)
        assert (found.count, len(found.broken), len(found.errors)) == expected

    def test_twelve_statements_each_of_their_own_rows(self) -> None:
        def writes(row: int) -> Actor:
            def actor(engine: Engine) -> None:
                with driver(engine) as connection:
                    for _ in range(12):
                        connection.execute("UPDATE orders SET amount = amount + 1 WHERE id = ?", (row,))

            return actor

        def two_orders(engine: Engine) -> None:
            with writing(engine) as session:
                session.add_all([Order(id=row, customer="Ada", amount=0) for row in (1, 2)])

        def all_counted(session: Session) -> list[str]:
            rows = session.connection().exec_driver_sql("SELECT amount FROM orders")
            return [f"{amount}" for (amount,) in rows if amount != 12]

        found = explore([writes(1), writes(2)], setup=two_orders, invariant=all_counted)
        assert (found.count, found.holds) == (comb(24, 12), True)
        assert found.runs < 300

    def test_a_list_of_millions_is_made_as_it_is_asked_for(self) -> None:
        found = explore([count_up] * 3, setup=one_counter, invariant=at_least_two, schema=None)
        assert found.broken[0] == next(iter(found.broken))
        assert found.broken[-1] == found.broken[len(found.broken) - 1]
        assert found.broken[7] in found.broken
        assert found.shortest in found.broken
        assert [schedule for schedule, _ in zip(found.broken, range(9), strict=False)] == found.broken[:9]
        assert "in all]" in repr(found.broken)


class TestWhatCannotBeMerged:
    """Then every schedule is run, and the result says why."""

    @pytest.mark.parametrize(
        ("sql", "why"),
        [
            ("INSERT INTO log VALUES (random())", "depends on random()"),
            ("SELECT total_changes()", "depends on total_changes()"),
            ("CREATE INDEX i ON log (what)", "depends on more than rows"),
            ("PRAGMA user_version", "sends 'PRAGMA user_version'"),
            ("PRAGMA foreign_keys = OFF", "sends 'PRAGMA foreign_keys = OFF'"),
            ("CREATE TEMP TABLE mine (x)", "depends on"),
        ],
    )
    def test_statements(self, sql: str, why: str) -> None:
        with pytest.raises(CannotMerge, match=why.replace("(", r"\(").replace(")", r"\)")):
            merged([runs([sql, READS[0]], True)] * 2, nothing)

    def test_python_variables_that_actors_share(self) -> None:
        box: list[int] = []

        def puts(engine: Engine) -> None:
            box.clear()
            with driver(engine) as connection:
                connection.execute("SELECT x FROM a")
                box.append(1)
                connection.execute("SELECT y FROM a")

        def looks(engine: Engine) -> None:
            with driver(engine) as connection:
                connection.execute("SELECT x FROM a")
                if box:
                    connection.execute("UPDATE a SET x = 5")

        with pytest.raises(CannotMerge):
            merged([puts, looks], rows_only)

    def test_the_result_says_so(self) -> None:
        def rolls(engine: Engine) -> None:
            with driver(engine) as connection:
                for _ in range(4):
                    connection.execute("INSERT INTO log VALUES (random())")

        found = explore([rolls, rolls, autocommitted(0)], setup=tables, invariant=nothing, schema=None, max_runs=250)
        assert found.runs == found.count == 70
        found = explore([rolls] * 3, setup=tables, invariant=nothing, schema=None, max_runs=250)
        assert "Every schedule was run for real: 'INSERT INTO log VALUES (random())' depends on random()" in str(found)


class TestBounds:
    def test_runs(self) -> None:
        found = explore([actors.click_inverted] * 4, setup=one_order, invariant=actors.one_live_task, max_runs=40)
        assert (found.runs, found.complete, found.holds) == (40, False, False)
        assert found.left > 0
        assert "NOT COMPLETE: 40 schedules were run for real (max_runs= allows more) after " in str(found)

    def test_seconds(self) -> None:
        found = explore([actors.click_inverted] * 5, setup=one_order, invariant=nothing, seconds=0.1)
        assert not found.complete
        assert "0.1 seconds have passed" in str(found)

    def test_the_first_that_breaks(self) -> None:
        found = explore(
            [actors.click_inverted] * 3, setup=one_order, invariant=actors.one_live_task, stop_at_first=True
        )
        assert found.broken
        assert not found.complete
        assert found.runs < 10

    def test_an_exploration_that_is_whole_within_its_bounds_says_nothing_of_them(self) -> None:
        found = explore([count_up] * 3, setup=one_counter, invariant=nothing, schema=None, seconds=600)
        assert found.complete
        assert "NOT COMPLETE" not in str(found)
