"""Tables of another program in the same database: kept as they are, and named."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlmodel import select

from taskref_edu import Task, TaskQueue, Worker, errors, open_database, reading, writing
from taskref_edu.beyond import start_postgres
from taskref_edu.cli.command import parser, run
from taskref_edu.queue.repair import repair
from tests.conftest import POSTGRESQL

COLUMNS = ", ".join(f"{column.name} TEXT" for column in Task.__table__.c)  # type: ignore[attr-defined]
# What is there, what the message calls it, and what the message says to do.
THEIRS = {
    "a task of their own": ("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT)", "a table task", "use another"),
    "with our columns": (f"CREATE TABLE task ({COLUMNS})", "a table task", "use another database"),
    "orders of their own": (
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)",
        "a table orders",
        'schema="queue"',
    ),
    "a view": (f"CREATE TABLE x ({COLUMNS}); CREATE VIEW task AS SELECT * FROM x", "a view task", "use another"),
    "an index": (
        "CREATE TABLE x (a INTEGER); CREATE INDEX orders_processing_task_id ON x (a)",
        "an index orders_processing_task_id",
        'schema="queue"',
    ),
}
ON_SQLITE = {
    "in capital letters": ("CREATE TABLE TASK (id INTEGER PRIMARY KEY)", "a table task", "use another"),
    "a trigger": (
        "CREATE TABLE x (a); CREATE TRIGGER orders_processing_task_id_cleared AFTER INSERT ON x BEGIN SELECT 1; END",
        "a trigger orders_processing_task_id_cleared",
        'schema="queue"',
    ),
}
ON_POSTGRESQL = {
    "a function": (
        "CREATE FUNCTION task_notify() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "a function task_notify",
        "use another",
    ),
    "a type": ("CREATE TYPE task AS ENUM ('todo')", "a type task", "use another"),
}


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'theirs.db'}"
    request.getfixturevalue("postgresql_url")
    return start_postgres()


def theirs(url: str, script: str) -> None:
    engine = create_engine(url)
    driver = engine.raw_connection()
    try:
        run = driver.cursor().execute if url.startswith("postgresql") else driver.cursor().executescript  # type: ignore[attr-defined]
        run(script)
        driver.commit()
    finally:
        driver.close()
        engine.dispose()


def tables(url: str) -> list[str]:
    engine = create_engine(url)
    try:
        return sorted(inspect(engine).get_table_names())
    finally:
        engine.dispose()


@pytest.mark.parametrize("which", [*THEIRS, "its own 1", "its own 2"])
def test_a_name_of_ours_that_is_taken_is_refused_before_anything_is_written(url: str, which: str) -> None:
    own = list((ON_POSTGRESQL if url.startswith("postgresql") else ON_SQLITE).values())
    script, what, remedy = {**THEIRS, "its own 1": own[0], "its own 2": own[1]}[which]
    theirs(url, script)
    file = Path(url.removeprefix("sqlite:///"))
    before, there = file.read_bytes() if file.exists() else b"", tables(url)
    with pytest.raises(errors.CannotOpen, match=f"has {what} of another program") as caught:
        open_database(url)
    assert remedy in str(caught.value)
    assert "nothing was written" in str(caught.value)
    assert tables(url) == there
    assert not file.exists() or file.read_bytes() == before


@pytest.mark.xdist_group("postgresql")
@pytest.mark.slow
def test_beside_a_task_of_their_own_in_another_schema(postgresql_url: str) -> None:
    url = start_postgres()
    theirs(
        url, "CREATE TABLE task (id INTEGER, title TEXT); INSERT INTO task VALUES (7, 'theirs'); CREATE SCHEMA queue"
    )
    ours = make_url(url).update_query_dict({"options": "-csearch_path=queue,public"})
    engine = open_database(ours.render_as_string(hide_password=False), schema="queue")
    queue = TaskQueue(engine)
    queue.handler("work")(lambda task: None)
    with writing(engine) as session:
        queue.enqueue(session, "work")
    assert Worker(queue).run_until_idle() == 1
    with reading(engine) as session:
        assert session.execute(text("SELECT * FROM public.task")).all() == [(7, "theirs")]
        on_theirs = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.task'::regclass"
        assert session.execute(text(on_theirs)).scalar_one() == 0
    engine.dispose()


def test_a_database_whose_task_was_dropped_is_named(url: str) -> None:
    theirs(
        url, "CREATE TABLE taskref_schema (version INTEGER, name TEXT); INSERT INTO taskref_schema VALUES (1, 'both')"
    )
    with pytest.raises(errors.CannotOpen, match="has a table taskref_schema and no table task"):
        open_database(url)


def test_beside_orders_of_their_own_with_the_table_of_tasks_alone(url: str) -> None:
    theirs(url, f"{THEIRS['orders of their own'][0]}; INSERT INTO orders VALUES (7, 2500)")
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
    theirs(url, THEIRS["a task of their own"][0])
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
