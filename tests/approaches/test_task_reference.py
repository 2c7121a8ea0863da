"""TaskReference on a model that the package does not know, with a name that needs quotes."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, String, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col

from taskref_edu import (
    Order,
    Task,
    TaskQueue,
    TaskReference,
    TaskStatus,
    Worker,
    errors,
    inverted,
    open_database,
    reading,
    writing,
)
from taskref_edu.approaches.reference_setup import Reference
from taskref_edu.clearing_trigger import clearing_trigger
from taskref_edu.queue.repair import repair
from tests.conftest import OpenDatabase, claim, in_transaction

TASK_ID = Task.__table__.c.id  # type: ignore[attr-defined]
HOSTILE = 'shipping "label"; DROP TABLE task; --'


class Parcel(SQLModel, table=True):
    """A second model: text ids, two references, hostile names."""

    __tablename__ = "parcel; --"  # pyright: ignore[reportAssignmentType]
    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]

    barcode: str = Field(sa_column=Column("bar code", String, primary_key=True))
    printing_task_id: int | None = Field(
        default=None, sa_column=Column(HOSTILE, ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)
    )
    sending_task_id: int | None = Field(
        default=None, sa_column=Column("sending", ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)
    )


PRINTING = TaskReference[Parcel](Parcel.printing_task_id, "print_label")
SENDING = TaskReference[Parcel](Parcel.sending_task_id, "send_parcel")


@pytest.fixture
def queue(open_any: OpenDatabase) -> TaskQueue:
    engine = open_any(schema="inverted")
    Parcel.metadata.create_all(engine)
    for reference in (PRINTING, SENDING, PRINTING):  # to install twice does no harm
        reference.install(engine)
    with writing(engine) as session:
        session.add_all([Parcel(barcode="a"), Parcel(barcode="b")])
    return TaskQueue(engine)


def test_an_installation_that_the_rows_refuse_leaves_nothing(open_any: OpenDatabase) -> None:
    """The trigger of an installation that failed would clear a reference, though nobody said that it may."""
    engine = open_any(schema="inverted")
    queue = TaskQueue(engine)
    Parcel.metadata.create_all(engine)
    with writing(engine) as session:
        task = queue.enqueue(session, "print_label")
        session.add_all(Parcel(barcode=barcode, printing_task_id=task.id) for barcode in "ab")
    with pytest.raises(IntegrityError):
        PRINTING.install(engine)
    running = claim(queue)
    in_transaction(engine, lambda session: queue.complete(session, running))
    assert parcel(queue, "a").printing_task_id == task.id


def parcel(queue: TaskQueue, barcode: str) -> Parcel:
    with reading(queue.engine) as session:
        return session.get_one(Parcel, barcode)


def test_each_column_has_a_task_of_its_own(queue: TaskQueue) -> None:
    a = parcel(queue, "a")
    with writing(queue.engine) as session:
        printing = PRINTING.enqueue_once(session, queue, a)
        sending = SENDING.enqueue_once(session, queue, a, {"express": True})
        assert PRINTING.enqueue_once(session, queue, a) is None
    assert printing
    assert sending
    found = parcel(queue, "a")
    assert (found.printing_task_id, found.sending_task_id) == (printing.id, sending.id)
    with reading(queue.engine) as session:
        assert PRINTING.row_for(session, printing).barcode == "a"
        assert SENDING.row_for(session, sending).barcode == "a"
        with pytest.raises(errors.OrphanTask):
            SENDING.row_for(session, printing)


def test_the_database_clears_the_right_column(queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        PRINTING.enqueue(session, queue, session.get_one(Parcel, "a"))
        SENDING.enqueue(session, queue, session.get_one(Parcel, "a"))
    printing = claim(queue)
    in_transaction(queue.engine, lambda session: queue.complete(session, printing))
    found = parcel(queue, "a")
    assert found.printing_task_id is None
    assert found.sending_task_id is not None


def test_cancel_and_list(queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        for barcode in ("b", "a"):
            PRINTING.enqueue(session, queue, session.get_one(Parcel, barcode))
    with reading(queue.engine) as session:
        assert [row.barcode for row in PRINTING.in_process(session)] == ["a", "b"]
        assert SENDING.in_process(session) == []
    assert in_transaction(queue.engine, lambda session: PRINTING.cancel(session, queue, parcel(queue, "a"))) == 1
    assert in_transaction(queue.engine, lambda session: SENDING.cancel(session, queue, parcel(queue, "a"))) == 0
    with reading(queue.engine) as session:
        assert [row.barcode for row in PRINTING.in_process(session)] == ["b"]


def test_a_handler_with_it(queue: TaskQueue) -> None:
    printed: list[str] = []

    @queue.handler("print_label")
    def print_label(task) -> None:  # type: ignore[no-untyped-def]
        with task.completing() as session:
            printed.append(PRINTING.row_for(session, task).barcode)

    with writing(queue.engine) as session:
        PRINTING.enqueue(session, queue, session.get_one(Parcel, "b"))
    Worker(queue).run_until_idle()
    assert printed == ["b"]
    assert in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == 1


def test_a_row_that_is_not_there_is_named(queue: TaskQueue) -> None:
    with pytest.raises(errors.OrphanTask, match="parcel; -- missing not found"), writing(queue.engine) as session:
        PRINTING.enqueue(session, queue, Parcel(barcode="missing"))
    assert sum(in_transaction(queue.engine, queue.counts).values()) == 0


def test_nothing_was_dropped(queue: TaskQueue) -> None:
    with queue.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM task")).scalar() == 0


class Ticket(SQLModel, table=True):
    """A model whose key is there before its row is."""

    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    closing_task_id: int | None = Field(
        default=None, sa_column=Column(ForeignKey(col(Task.id), ondelete="SET NULL"), nullable=True)
    )


CLOSING = TaskReference[Ticket](Ticket.closing_task_id, "close_ticket")
VERBS = pytest.mark.parametrize("verb", ["enqueue", "enqueue_once"])


@pytest.fixture
def tickets(open_any: OpenDatabase) -> TaskQueue:
    """A queue beside the table of tickets; nothing is installed."""
    engine = open_any(schema="queue")
    Ticket.metadata.create_all(engine)
    return TaskQueue(engine)


def tasks(queue: TaskQueue) -> int:
    return sum(in_transaction(queue.engine, queue.counts).values())


@VERBS
def test_without_install_it_refuses_by_name_and_leaves_no_task(tickets: TaskQueue, verb: str) -> None:
    with writing(tickets.engine) as session:
        session.add(ticket := Ticket())
        with pytest.raises(
            errors.SchemaMissing, match=r"ticket\.closing_task_id has no trigger .*call install\(engine\)"
        ):
            getattr(CLOSING, verb)(session, tickets, ticket)
    assert tasks(tickets) == 0
    CLOSING.install(tickets.engine)
    with writing(tickets.engine) as session:
        assert getattr(CLOSING, verb)(session, tickets, session.get_one(Ticket, ticket.id))


@VERBS
@pytest.mark.parametrize("missing", ["never added", "deleted meanwhile", "added to another session"])
def test_a_row_that_is_not_in_the_database_is_named__and_does_not_look_in_process(
    tickets: TaskQueue, verb: str, missing: str
) -> None:
    CLOSING.install(tickets.engine)
    ticket = Ticket()
    if missing != "never added":
        with writing(tickets.engine) as session:
            session.add(ticket)
        in_transaction(tickets.engine, lambda session: session.execute(text("DELETE FROM ticket")))
    if missing == "added to another session":
        Session(tickets.engine).add(ticket)
    with writing(tickets.engine) as session, pytest.raises(errors.OrphanTask, match=r"ticket .* not found: add it"):
        getattr(CLOSING, verb)(session, tickets, ticket)
    assert tasks(tickets) == 0


@VERBS
def test_when_and_how_many_attempts__as_the_queue_takes_them(tickets: TaskQueue, verb: str) -> None:
    CLOSING.install(tickets.engine)
    later = tickets.now() + timedelta(days=1)
    with writing(tickets.engine) as session:
        session.add(ticket := Ticket())
        session.flush()
        task = getattr(CLOSING, verb)(session, tickets, ticket, available_at=later, max_attempts=7)
    with reading(tickets.engine) as session:
        found = session.get_one(Task, task.id)
        assert (found.available_at, found.max_attempts) == (later, 7)


def test_every_copy_of_the_row_in_the_session_sees_the_reference(tickets: TaskQueue) -> None:
    CLOSING.install(tickets.engine)
    with writing(tickets.engine) as session:
        session.add(earlier := Ticket())
    with writing(tickets.engine) as session:
        held = session.get_one(Ticket, earlier.id)
        task = CLOSING.enqueue_once(session, tickets, earlier)
        assert task
        assert (held.closing_task_id, earlier.closing_task_id) == (task.id, task.id)


def test_a_foreign_key_by_text_in_another_metadata_says_what_to_write() -> None:
    class Parcel2(SQLModel, table=True):
        metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
        id: int | None = Field(default=None, primary_key=True)
        task_id: int | None = Field(default=None, foreign_key="task.id", ondelete="SET NULL")

    with pytest.raises(TypeError, match=r"no table task.*Column\(ForeignKey\(col\(Task.id\)"):
        TaskReference(Parcel2.task_id, "work")


def test_a_column_that_cannot_be_cleared_is_refused() -> None:
    class Parcel3(SQLModel, table=True):
        metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
        id: int | None = Field(default=None, primary_key=True)
        task_id: int = Field(sa_column=Column(ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=False))

    with pytest.raises(TypeError, match="needs a foreign key to a task, nullable and SET NULL"):
        TaskReference(Parcel3.task_id, "work")


def test_a_reference_to_a_task_of_their_own_is_refused() -> None:
    class Theirs(SQLModel, table=True):
        __tablename__ = "task"  # pyright: ignore[reportAssignmentType]
        metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
        id: int | None = Field(default=None, primary_key=True)

    class Parcel4(SQLModel, table=True):
        metadata = Theirs.metadata
        id: int | None = Field(default=None, primary_key=True)
        task_id: int | None = Field(default=None, foreign_key="task.id", ondelete="SET NULL")

    with pytest.raises(TypeError, match=r"another table task, of its own MetaData.*col\(Task.id\)"):
        TaskReference(Parcel4.task_id, "work")


@pytest.mark.parametrize("column", [Order.amount, Order.customer, "processing_task_id", Order])
def test_a_column_of_another_kind_is_refused(column: object) -> None:
    with pytest.raises(TypeError, match=r"expected|needs a foreign key"):
        TaskReference(column, "work")


def model(table: str, column: str, schema: str | None = None, kind: Any = None) -> TaskReference[Any]:
    """A reference of a model that is made for the test."""
    metadata = MetaData()
    reference = Column(column, *([kind] if kind else []), ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)
    space = {
        "__tablename__": table,
        "__table_args__": {"schema": schema},
        "__annotations__": {"id": int | None, "reference": int | None},
        "__module__": __name__,
        "metadata": metadata,
        "id": Field(default=None, primary_key=True),
        "reference": Field(default=None, sa_column=reference),
    }
    made: Any = type(SQLModel)(f"Model{next(NUMBERS)}", (SQLModel,), space, table=True)
    return TaskReference(made.reference, "work")


NUMBERS = itertools.count()
LONG = "a_table_with_a_name_that_is_nearly_as_long_as_postgresql_allows"
AMBIGUOUS = {
    "the orders' own": [("orders_processing", "task_id")],
    "two of the caller's": [("order", "item_task_id"), ("order_item", "task_id")],
    "the same in 63 bytes": [(LONG, "first_task_id"), (LONG[:-1], "second_task_id")],
    "names that are not ASCII": [("ü" * 31, "task_id"), ("ü" * 30, "ü_task_id")],
}


@pytest.mark.parametrize("which", AMBIGUOUS)
def test_names_that_are_put_together_are_never_those_of_another_reference(open_any: OpenDatabase, which: str) -> None:
    engine = open_any(schema="both")
    queue = TaskQueue(engine)
    references = [model(table, column) for table, column in AMBIGUOUS[which]]
    for reference in references:
        reference.model.metadata.create_all(engine)
        reference.install(engine)
    with writing(engine) as session:
        rows = [reference.model() for reference in references]
        session.add_all(rows)
        for reference, row in zip(references, rows, strict=True):
            reference.enqueue(session, queue, row)
    queue.handler("work")(lambda task: None)
    assert Worker(queue).run_until_idle() == len(references)
    with reading(engine) as session:
        assert [reference.in_process(session) for reference in references] == [[]] * len(references)
    for reference in references:
        reference.model.metadata.drop_all(engine)


def test_a_name_that_stands_on_something_else_is_refused(open_any: OpenDatabase) -> None:
    engine = open_any()
    reference = model("letter", "task_id")
    reference.model.metadata.create_all(engine)
    names = Reference("letter", "task_id")
    for taken, error in (
        (f"CREATE INDEX {names.index} ON letter (task_id)", names.index),
        (f"CREATE UNIQUE INDEX {names.index} ON orders (amount) WHERE amount IS NOT NULL", names.index),
        ("; ".join(clearing_trigger("orders", "amount", engine.dialect, name=names.trigger)), "clears orders.amount"),
    ):
        with engine.begin() as connection:
            connection.exec_driver_sql(taken)
        with pytest.raises(errors.NameTaken, match=f"{error}.*rename or drop it"):
            reference.install(engine)
        with engine.begin() as connection:
            if "TRIGGER" in taken:
                where = "" if engine.dialect.name == "sqlite" else " ON task"
                connection.exec_driver_sql(f"DROP TRIGGER {names.trigger}{where}")
            else:
                connection.exec_driver_sql(f"DROP INDEX {names.index}")
    reference.install(engine)
    reference.model.metadata.drop_all(engine)


def test_a_table_that_is_not_there_is_named(open_any: OpenDatabase) -> None:
    with pytest.raises(errors.SchemaMissing, match=r"nowhere.* not found.*create"):
        model("nowhere", "task_id").install(open_any())


def test_a_schema_of_its_own(open_any: OpenDatabase) -> None:
    engine = open_any()
    first, second = model("parcels", "task_id", "north"), model("parcels", "task_id", "south")
    if engine.dialect.name == "sqlite":
        with pytest.raises(TypeError, match="on SQLite a trigger reaches the tables of its own file alone"):
            first.install(engine)
        return
    queue = TaskQueue(engine)
    for reference, schema in ((first, "north"), (second, "south")):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        reference.model.metadata.create_all(engine)
        for _ in range(2):
            reference.install(engine)
    try:
        with writing(engine) as session:
            rows = [first.model(), second.model()]
            session.add_all(rows)
            tasks = [each.enqueue(session, queue, row) for each, row in zip((first, second), rows, strict=True)]
        running = claim(queue)
        in_transaction(engine, lambda session: queue.complete(session, running))
        with reading(engine) as session:
            assert (len(first.in_process(session)), len(second.in_process(session))) == (0, 1)
        in_transaction(engine, lambda session: session.execute(text(f"DELETE FROM task WHERE id = {tasks[1].id}")))
        with reading(engine) as session:
            assert repair(queue, session).count == 0
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA north CASCADE; DROP SCHEMA south CASCADE")


def test_a_column_of_32_bits_is_refused_on_a_server(open_any: OpenDatabase) -> None:
    engine = open_any()
    reference = model("small", "task_id", kind=Integer)
    reference.model.metadata.create_all(engine)
    if engine.dialect.name == "sqlite":
        reference.install(engine)  # there, each INTEGER has 64 bits
    else:
        with pytest.raises(TypeError, match=r"small\.task_id is integer, bigint expected.*ALTER TABLE small"):
            reference.install(engine)
    reference.model.metadata.drop_all(engine)


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
def test_ending_a_task_frees_the_order_of_its_own_tenant_whatever_the_search_path(empty_postgresql_url: str) -> None:
    """Two tenants, each with a schema; a session that has the second in its path ends the task of the first."""
    server = create_engine(empty_postgresql_url)
    tenants: list[Engine] = []
    for name in ("one", "two"):
        with server.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        url = server.url.update_query_dict({"options": f"-c search_path={name}"})
        tenants.append(open_database(url.render_as_string(hide_password=False)))
        with writing(tenants[-1]) as session:
            order = Order(id=1, customer=name, amount=1)
            session.add(order)
            inverted.enqueue_payment(session, TaskQueue(tenants[-1]), order)
    with server.begin() as connection:
        connection.exec_driver_sql("SET search_path = two")
        connection.exec_driver_sql(
            "UPDATE one.task SET status = 'cancelled', lease_expires_at = NULL, finished_at = now()"
        )
    in_process = [
        in_transaction(tenant, lambda session: len(inverted.orders_in_process(session))) for tenant in tenants
    ]
    assert in_process == [0, 1]
    for engine in (*tenants, server):
        engine.dispose()
