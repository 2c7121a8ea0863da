"""References and their triggers in an application's own tables: what was forgotten, dropped, or is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Engine, ForeignKey, MetaData, text
from sqlmodel import Field, Session, SQLModel, col

from taskref_edu import Task, TaskQueue, TaskReference, reading, writing
from taskref_edu.cli.command import parser, run
from taskref_edu.queue.repair import RepairReport, repair
from tests.conftest import OpenDatabase, in_transaction


class Invoice(SQLModel, table=True):
    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
    id: int | None = Field(default=None, primary_key=True)
    sending_task_id: int | None = Field(
        default=None, sa_column=Column(ForeignKey(col(Task.id), ondelete="SET NULL"), nullable=True)
    )


SENDING = TaskReference[Invoice](Invoice.sending_task_id, "send")


@pytest.fixture
def queue(open_any: OpenDatabase) -> Iterator[TaskQueue]:
    engine = open_any(schema="queue")
    Invoice.metadata.create_all(engine)
    yield TaskQueue(engine)
    Invoice.metadata.drop_all(engine)


def look(queue: TaskQueue) -> RepairReport:
    with reading(queue.engine) as session:
        return repair(queue, session)


def execute(engine: Engine, statement: str) -> None:
    in_transaction(engine, lambda session: session.execute(text(statement)))


def test_what_ended_before_the_reference_was_installed_no_longer_looks_in_process(queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        tasks = [queue.enqueue(session, "send") for _ in range(3)]
        invoices = [Invoice(sending_task_id=task.id) for task in tasks]
        session.add_all(invoices)
        session.flush()
        queue.cancel(session, tasks[0].id or 0)
    assert look(queue).without_trigger == ("invoice.sending_task_id",)
    SENDING.install(queue.engine)
    with writing(queue.engine) as session:
        assert [invoice.id for invoice in SENDING.in_process(session)] == [invoice.id for invoice in invoices[1:]]
        assert SENDING.enqueue_once(session, queue, invoices[0]) is not None
    assert (look(queue).count, look(queue).without_trigger) == (0, ())


def test_a_trigger_whose_table_is_gone_is_named_with_what_drops_it(queue: TaskQueue) -> None:
    SENDING.install(queue.engine)
    execute(queue.engine, "DROP TABLE invoice")
    (broken,) = look(queue).broken
    assert broken.startswith(f"{SENDING.trigger_name} clears invoice.sending_task_id, which is not there")
    assert broken in str(look(queue))
    assert run(parser(), ["doctor", queue.engine.url.render_as_string(hide_password=False)]) == 1
    with writing(queue.engine) as session:
        for statement in broken.partition("end: ")[2].split(";"):
            if statement.strip():
                session.execute(text(statement))
    assert look(queue).broken == ()


def test_a_foreign_key_in_other_words_or_in_another_schema_is_found(queue: TaskQueue) -> None:
    on_server = queue.engine.dialect.name == "postgresql"
    if on_server:
        execute(queue.engine, "CREATE SCHEMA other")
    name = "other.parcel" if on_server else "parcel"
    execute(queue.engine, f"CREATE TABLE {name} (id INTEGER, work BIGINT REFERENCES TASK (id))")
    try:
        assert f"{name}.work" in look(queue).without_trigger
    finally:
        execute(queue.engine, "DROP SCHEMA other CASCADE" if on_server else "DROP TABLE parcel")


def test_orders_of_the_application_are_left_alone(queue: TaskQueue) -> None:
    """Their column has the name of ours, and means something else."""
    execute(queue.engine, "CREATE TABLE orders (id INTEGER PRIMARY KEY, processing_task_id INTEGER)")
    execute(queue.engine, "INSERT INTO orders VALUES (7, 999)")
    try:
        report = in_transaction(queue.engine, lambda session: repair(queue, session, dry_run=False))
        assert report.count == 0
        with reading(queue.engine) as session:
            assert session.execute(text("SELECT processing_task_id FROM orders")).scalar_one() == 999
    finally:
        execute(queue.engine, "DROP TABLE orders")


@pytest.mark.parametrize("verb", [SENDING.enqueue, SENDING.enqueue_once])
def test_a_row_whose_session_has_ended(queue: TaskQueue, verb: object) -> None:
    """It has expired, so none of its attributes can be read; its key is known all the same."""
    SENDING.install(queue.engine)
    with Session(queue.engine) as session:
        session.add(invoice := Invoice())
        session.commit()
    with writing(queue.engine) as session:
        assert verb(session, queue, invoice)  # type: ignore[operator]
        assert [row.id for row in SENDING.in_process(session)] == [1]
        assert SENDING.cancel(session, queue, invoice) == 1
