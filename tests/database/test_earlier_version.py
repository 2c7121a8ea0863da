"""A database that the version before has written opens and works.

The files in `earlier/` were made with its code: three payments, one of them done, and two references under the names
that they had, which were ambiguous (orders_processing.task_id got no trigger, for that of the orders had its name).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, ForeignKey, MetaData, create_engine, text
from sqlmodel import Field, SQLModel

from taskref_edu import Task, TaskQueue, TaskReference, Worker, errors, inverted, open_database, reading
from taskref_edu.clearing_trigger import cleared_columns
from taskref_edu.queue.repair import repair
from tests.conftest import POSTGRESQL, OpenDatabase, in_transaction

EARLIER = Path(__file__).parent / "earlier"
TASK_ID = Task.__table__.c.id  # type: ignore[attr-defined]


def reference() -> Column[int]:
    return Column(ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)


class Parcel(SQLModel, table=True):
    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
    id: int | None = Field(default=None, primary_key=True)
    printing_task_id: int | None = Field(default=None, sa_column=reference())


class OrdersProcessing(SQLModel, table=True):
    __tablename__ = "orders_processing"  # pyright: ignore[reportAssignmentType]
    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
    id: int | None = Field(default=None, primary_key=True)
    task_id: int | None = Field(default=None, sa_column=reference())


REFERENCES = [
    TaskReference(Parcel.printing_task_id, "print_label"),
    TaskReference(OrdersProcessing.task_id, "other"),
]


def load_into(url: str) -> None:
    server = create_engine(url)
    with server.begin() as connection:
        connection.connection.driver_connection.execute((EARLIER / "postgresql.sql").read_text())  # type: ignore[union-attr]
    server.dispose()


@pytest.fixture(params=["sqlite", POSTGRESQL])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        where = str(tmp_path / "tasks.db")
        Path(where).write_bytes(gzip.decompress((EARLIER / "sqlite.db.gz").read_bytes()))
    else:
        where = request.getfixturevalue("empty_postgresql_url")
        load_into(where)
    engine = open_database(where)
    yield engine
    engine.dispose()


def cleared(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as session:
        found = cleared_columns(session.connection())
        return sorted((one.trigger, one.table, one.column) for one in found)


def names_like_the_former_ones(engine: Engine) -> list[str]:
    tables = {"sqlite": ("name", "sqlite_master"), "postgresql": ("indexname", "pg_indexes")}
    name, table = tables[engine.dialect.name]
    with reading(engine) as session:
        return list(session.scalars(text(f"SELECT {name} FROM {table} WHERE {name} = 'parcel_printing_task_id'")))


def test_its_tasks_run_and_its_references_are_cleared(engine: Engine) -> None:
    queue = TaskQueue(engine)
    for approach_type in ("print_label", "other"):
        queue.handler(approach_type)(lambda task: None)
    queue.handler(inverted.PAYMENT)(lambda task: None)
    for each in REFERENCES:
        each.install(engine)
    assert Worker(queue).run_until_idle() == 4
    with reading(engine) as session:
        assert inverted.orders_in_process(session) == []
        assert [each.in_process(session) for each in REFERENCES] == [[], []]
        assert repair(queue, session).count == 0


def test_a_reference_gets_its_new_names_and_loses_the_former_ones(engine: Engine) -> None:
    before = cleared(engine)
    assert ("parcel_printing_task_id_cleared", "parcel", "printing_task_id") in before
    for _ in range(2):
        for each in REFERENCES:
            each.install(engine)
    after = cleared(engine)
    assert sorted(row[1:] for row in after) == [
        ("orders", "processing_task_id"),
        ("orders_processing", "task_id"),
        ("parcel", "printing_task_id"),
    ]
    assert "parcel_printing_task_id_cleared" not in [row[0] for row in after]
    assert names_like_the_former_ones(engine) == []


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
def test_on_a_server_the_functions_get_the_schema_that_they_lack(empty_postgresql_url: str) -> None:
    load_into(empty_postgresql_url)
    engine = open_database(empty_postgresql_url)
    with reading(engine) as session:
        assert {one.schema for one in cleared_columns(session.connection())} == {"public"}
    engine.dispose()


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
def test_one_who_may_not_replace_them_is_told_who_can(empty_postgresql_url: str) -> None:
    load_into(empty_postgresql_url)
    server = create_engine(empty_postgresql_url)
    with server.begin() as connection:
        for statement in (
            "DROP ROLE IF EXISTS worker",
            "CREATE ROLE worker LOGIN",
            "GRANT USAGE ON SCHEMA public TO worker",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO worker",
        ):
            connection.execute(text(statement))
    try:
        guest = server.url.set(username="worker").render_as_string(hide_password=False)
        with pytest.raises(errors.CannotOpen, match=r"names no schema.*its owner postgres can replace it"):
            open_database(guest)
        open_database(empty_postgresql_url).dispose()
        open_database(guest).dispose()
    finally:
        with server.begin() as connection:
            connection.execute(text("DROP OWNED BY worker"))
            connection.execute(text("DROP ROLE worker"))
        server.dispose()


def test_both_kinds_are_read_as_they_were(open_any: OpenDatabase) -> None:
    """What cleared_columns() reads is what clearing_trigger() writes, on a database of today, too."""
    engine = open_any()
    assert cleared(engine) == [("orders_processing_task_id_cleared", "orders", "processing_task_id")]
    in_transaction(engine, lambda session: session.execute(text("SELECT 1")))
