"""Tables of another program in the same database: kept as they are, and named."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlmodel import select

from taskref_edu import Task, TaskQueue, errors, open_database, reading, writing
from taskref_edu.beyond import start_postgres
from taskref_edu.cli.command import parser, run
from taskref_edu.queue.repair import repair
from tests.conftest import POSTGRESQL

TABLES = {
    "a task of their own": ("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT)", "task", "use another database"),
    "nearly ours": (
        "CREATE TABLE task (id INTEGER PRIMARY KEY, type TEXT, payload TEXT, status TEXT, attempt INTEGER,"
        " max_attempts INTEGER, lease_token BIGINT, available_at TIMESTAMP, lease_expires_at TIMESTAMP)",
        "task",
        "without the column cancel_requested_at",
    ),
    "orders of their own": ("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)", "orders", 'schema="queue"'),
}


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'theirs.db'}"
    request.getfixturevalue("postgresql_url")
    return start_postgres()


def theirs(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def tables(url: str) -> list[str]:
    engine = create_engine(url)
    try:
        return sorted(inspect(engine).get_table_names())
    finally:
        engine.dispose()


@pytest.mark.parametrize("which", TABLES)
def test_a_table_of_theirs_with_a_name_of_ours_is_refused_before_anything_is_written(url: str, which: str) -> None:
    statement, table, said = TABLES[which]
    theirs(url, statement)
    file = Path(url.removeprefix("sqlite:///"))
    before = hashlib.sha256(file.read_bytes()).digest() if file.exists() else b""
    with pytest.raises(errors.CannotOpen, match=f"has a table {table} of another program") as caught:
        open_database(url)
    assert said in str(caught.value)
    assert "nothing was written" in str(caught.value)
    assert tables(url) == [table]
    assert not file.exists() or hashlib.sha256(file.read_bytes()).digest() == before


def test_beside_orders_of_their_own_with_the_table_of_tasks_alone(url: str) -> None:
    theirs(url, TABLES["orders of their own"][0], "INSERT INTO orders VALUES (7, 2500)")
    engine = open_database(url, schema="queue")
    queue = TaskQueue(engine)
    try:
        assert tables(url) == ["orders", "task", "taskref_schema"]
        with writing(engine) as session:
            task = queue.enqueue(session, "process_payment", {"order_id": 999})
        with reading(engine) as session:
            assert session.exec(select(Task)).one().id == task.id
            assert repair(queue, session).count == 0, "their types are their own"
            assert repair(queue, session, types=["process_payment"]).orphans == (task.id,)
        open_database(url).dispose()  # as it is; and nothing of ours is added
        assert tables(url) == ["orders", "task", "taskref_schema"]
        with pytest.raises(errors.CannotOpen, match="has the schema 'queue', 'both' was asked for"):
            open_database(url, schema="both")
    finally:
        engine.dispose()


def test_a_task_of_their_own_is_refused_for_that_one_too(url: str) -> None:
    theirs(url, TABLES["a task of their own"][0])
    with pytest.raises(errors.CannotOpen, match="has a table task of another program"):
        open_database(url, schema="queue")


def test_the_doctor_names_a_foreign_key_to_tasks_that_nothing_clears(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tasks.db"
    open_database(path, schema="queue").dispose()
    assert run(parser(), ["doctor", str(path)]) == 0
    assert "Nothing to repair" in capsys.readouterr().out
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE parcel (id INTEGER PRIMARY KEY, work INTEGER REFERENCES task (id))")
    connection.close()
    run(parser(), ["doctor", str(path)])
    out = capsys.readouterr().out
    assert "parcel.work references tasks, and no trigger clears it when its task ends: call install(engine)" in out
    assert "Nothing to repair" not in out
