"""What earlier code or hands have left in the tables is found, repaired, and not found again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, MetaData, String, text
from sqlmodel import Field, Session, SQLModel, select

from taskref_edu import Order, Task, TaskQueue, TaskReference, TaskStatus, classic, errors, inverted, reading, writing
from taskref_edu.queue.repair import RepairReport, repair
from tests.conftest import Clock, OpenDatabase, claim, in_transaction, new_orders

TASK_ID = Task.__table__.c.id  # type: ignore[attr-defined]
HOSTILE = 'label "x"; DROP TABLE task; --'


class Letter(SQLModel, table=True):
    """Another program's model: a key of two columns, a reference of ours, and one that is meant to last."""

    __tablename__ = "letter; --"  # pyright: ignore[reportAssignmentType]
    metadata = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]

    town: str = Field(sa_column=Column("town's", String, primary_key=True))
    sending_task_id: int | None = Field(
        default=None, sa_column=Column(HOSTILE, ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)
    )
    sent_by: int | None = Field(
        default=None, sa_column=Column("sent_by", ForeignKey(TASK_ID, ondelete="SET NULL"), nullable=True)
    )


LETTERS = TaskReference[Letter](Letter.sending_task_id, "send_letter")


KINDS = [("sqlite", "both"), ("sqlite", "classic"), ("sqlite", "inverted"), ("sqlite", "as_written")]
each_schema = pytest.mark.parametrize(
    ("open_any", "schema"),
    [*KINDS, pytest.param("postgresql", "both", marks=pytest.mark.xdist_group("postgresql"))],
    indirect=["open_any"],
)


@pytest.fixture
def any_schema(open_any: OpenDatabase, schema: str, clock: Clock) -> TaskQueue:
    return TaskQueue(open_any(schema=schema), now=clock, jitter=lambda: 1.0)


def look(queue: TaskQueue, **options: Any) -> RepairReport:
    with reading(queue.engine) as session:
        return repair(queue, session, **options)


def mend(queue: TaskQueue, **options: Any) -> RepairReport:
    return in_transaction(queue.engine, lambda session: repair(queue, session, dry_run=False, **options))


def by_hand(engine: Engine, *statements: str) -> None:
    """Statements past the model, foreign keys and triggers: as a shell, an old program or a restored table does."""
    off, on = "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"
    if engine.dialect.name == "postgresql":
        off, on = "SET session_replication_role = replica", "SET session_replication_role = DEFAULT"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (off, *statements, on):
            connection.execute(text(statement))


def order(queue: TaskQueue, order_id: int) -> Order:
    with reading(queue.engine) as session:
        return session.get_one(Order, order_id)


def status(queue: TaskQueue, task_id: int) -> TaskStatus:
    with reading(queue.engine) as session:
        return session.get_one(Task, task_id).status


def all_rows(queue: TaskQueue) -> list[object]:
    with reading(queue.engine) as session:
        return [row.model_dump() for model in (Task, Order) for row in session.exec(select(model).order_by(model.id))]  # type: ignore[arg-type]


@each_schema
def test_a_database_that_is_whole(any_schema: TaskQueue) -> None:
    new_orders(any_schema.engine)
    with writing(any_schema.engine) as session:
        any_schema.enqueue(session, "work")
        any_schema.enqueue(session, "process_payment", {"order_id": 101})
    assert look(any_schema) == RepairReport()
    assert str(mend(any_schema)).startswith("Nothing to repair")


@each_schema
def test_a_dangling_reference(any_schema: TaskQueue) -> None:
    new_orders(any_schema.engine)
    by_hand(any_schema.engine, "UPDATE orders SET processing_task_id = 999 WHERE id = 102")
    (found,) = look(any_schema).dangling
    assert str(found) == "orders.processing_task_id of row 102 names task 999"
    assert order(any_schema, 102).processing_task_id == 999, "a dry run changes nothing"
    assert mend(any_schema).dangling == (found,)
    assert order(any_schema, 102).processing_task_id is None
    assert mend(any_schema).count == 0


@each_schema
def test_a_reference_to_a_task_that_has_ended(any_schema: TaskQueue) -> None:
    new_orders(any_schema.engine)
    with writing(any_schema.engine) as session:
        task = any_schema.enqueue(session, "work")
        any_schema.cancel(session, task.id or 0)
    by_hand(any_schema.engine, f"UPDATE orders SET processing_task_id = {task.id} WHERE id = 103")
    assert [found.row for found in look(any_schema).ended] == ["103"]
    assert mend(any_schema).count == 1
    assert order(any_schema, 103).processing_task_id is None
    assert look(any_schema).count == 0


BAD_PAYLOADS = ["NULL", "'{\"oder_id\": 101}'", "'{\"order_id\": 999}'", "'[]'", "'{\"order_id\": null}'"]


def test_orphans_are_cancelled__what_names_its_order_stays(queue: TaskQueue) -> None:
    new_orders(queue.engine)
    with writing(queue.engine) as session:
        queue.enqueue(session, "work")
        queue.enqueue(session, "process_payment", {"order_id": 101})
        queue.enqueue_many(session, "process_payment", [None] * len(BAD_PAYLOADS))
    bad = dict(enumerate(BAD_PAYLOADS, start=3))
    by_hand(
        queue.engine, *(f"UPDATE task SET payload = {payload} WHERE id = {task_id}" for task_id, payload in bad.items())
    )
    assert look(queue).orphans == tuple(bad)
    mend(queue)
    assert {status(queue, task_id) for task_id in bad} == {TaskStatus.CANCELLED}
    assert [status(queue, task_id) for task_id in (1, 2)] == [TaskStatus.PENDING] * 2
    assert look(queue).count == 0


@each_schema
def test_a_task_whose_order_was_deleted_is_an_orphan(any_schema: TaskQueue) -> None:
    new_orders(any_schema.engine)
    with writing(any_schema.engine) as session:
        orphan = any_schema.enqueue(session, "process_payment", {"order_id": 103})
    by_hand(any_schema.engine, "DELETE FROM orders WHERE id = 103")
    assert mend(any_schema).orphans == (orphan.id,)
    assert status(any_schema, orphan.id or 0) is TaskStatus.CANCELLED
    assert look(any_schema).count == 0


def test_a_payload_that_is_no_json_at_all(sqlite: Engine) -> None:
    queue = TaskQueue(sqlite)
    sql = "INSERT INTO task (type, payload, status, attempt, max_attempts, lease_token, available_at, created_at)"
    by_hand(
        sqlite,
        "DROP INDEX task_live_payment",  # it would refuse them
        *(
            f"{sql} VALUES ('process_payment', '{payload}', 'pending', 0, 3, 0, '2026-01-01', '2026-01-01')"
            for payload in ("{", "[" * 5000, '{"order_id": ' + "9" * 5000 + "}", '{"order_id": 1e400}')
        ),
    )
    assert look(queue).orphans == (1, 2, 3, 4)
    assert mend(queue).count == 4
    assert look(queue).count == 0


def test_a_running_orphan_is_asked_to_stop__once(queue: TaskQueue) -> None:
    in_transaction(queue.engine, lambda session: queue.enqueue(session, "process_payment"))
    running = claim(queue)
    assert mend(queue).orphans == (running.id,)
    with pytest.raises(errors.TaskCancelled):
        running.checkpoint()
    assert mend(queue).count == 0


def test_both_approaches_at_their_best_leave_no_orphan(queue: TaskQueue) -> None:
    first, second, _ = new_orders(queue.engine)
    with writing(queue.engine) as session:
        classic.enqueue_payment(session, queue, first)
        inverted.enqueue_payment(session, queue, second)
    claim(queue)
    assert look(queue).count == 0


@each_schema
def test_expired_leases(any_schema: TaskQueue, clock: Clock) -> None:
    new_orders(any_schema.engine)
    with writing(any_schema.engine) as session:
        again = any_schema.enqueue(session, "work")
        last = any_schema.enqueue(session, "work", max_attempts=1)
    by_hand(any_schema.engine, f"UPDATE orders SET processing_task_id = {last.id} WHERE id = 101")
    claim(any_schema)
    claim(any_schema)
    assert look(any_schema).expired == ()
    clock.advance(any_schema.lease)
    assert look(any_schema).expired == (again.id, last.id)
    mend(any_schema)
    assert [status(any_schema, task.id or 0) for task in (again, last)] == [TaskStatus.PENDING, TaskStatus.FAILED]
    assert order(any_schema, 101).processing_task_id is None, "what ended by the repair lets go, too"
    assert look(any_schema).count == 0


def test_the_references_of_other_models__and_only_those_that_were_installed(queue: TaskQueue) -> None:
    Letter.metadata.drop_all(queue.engine)
    Letter.metadata.create_all(queue.engine)
    LETTERS.install(queue.engine)
    with writing(queue.engine) as session:
        session.add_all([Letter(town=f"O'{name}") for name in "abc"])
        done = queue.enqueue(session, "work")
        queue.cancel(session, done.id or 0)
        waiting = LETTERS.enqueue(session, queue, session.get_one(Letter, "O'c"))
        orphan = queue.enqueue(session, "send_letter")
        session.get_one(Letter, "O'a").sent_by = done.id
    table, column = '"letter; --"', '"' + HOSTILE.replace('"', '""') + '"'
    by_hand(
        queue.engine,
        f"UPDATE {table} SET {column} = 999 WHERE \"town's\" = 'O''a'",
        f"UPDATE {table} SET {column} = {done.id} WHERE \"town's\" = 'O''b'",
    )
    assert look(queue).orphans == (), "only the caller knows which types work on an object"
    found = look(queue, types=[LETTERS.type])
    assert [(one.column, one.row) for one in (*found.dangling, *found.ended)] == [
        (f"letter; --.{HOSTILE}", "O'a"),
        (f"letter; --.{HOSTILE}", "O'b"),
    ]
    assert found.orphans == (orphan.id,)
    assert mend(queue, types=[LETTERS.type]).count == 3
    with reading(queue.engine) as session:
        letters = session.exec(select(Letter).order_by(Letter.town)).all()
    assert [letter.sending_task_id for letter in letters] == [None, None, waiting.id]
    assert letters[0].sent_by == done.id, "a foreign key without our trigger may be meant to last"
    assert look(queue, types=[LETTERS.type]).count == 0
    Letter.metadata.drop_all(queue.engine)


def test_a_dry_run_changes_nothing(queue: TaskQueue, clock: Clock) -> None:
    everything_wrong(queue, clock)
    before = all_rows(queue)
    assert look(queue).count == 4
    assert in_transaction(queue.engine, lambda session: repair(queue, session)).count == 4, "a dry run by default"
    assert all_rows(queue) == before


def test_mending_inside_reading_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(errors.ReadOnlySession, match="use `with writing"), reading(queue.engine) as session:
        repair(queue, session, dry_run=False)


def test_it_is_part_of_the_callers_transaction(queue: TaskQueue, clock: Clock) -> None:
    everything_wrong(queue, clock)
    before = all_rows(queue)
    with pytest.raises(ZeroDivisionError), writing(queue.engine) as session:
        assert repair(queue, session, dry_run=False).count == 4
        raise ZeroDivisionError
    assert all_rows(queue) == before


def test_objects_of_the_session_are_read_again_and_its_changes_kept(queue: TaskQueue, clock: Clock) -> None:
    everything_wrong(queue, clock)
    with Session(queue.engine) as session:
        mine = session.get_one(Order, 102)
        assert mine.processing_task_id == 999
        mine.amount = 7
        repair(queue, session, dry_run=False)
        assert mine.processing_task_id is None
        session.commit()
    assert order(queue, 102).amount == 7


def test_the_report_reads_well(queue: TaskQueue, clock: Clock) -> None:
    everything_wrong(queue, clock)
    with writing(queue.engine) as session:
        queue.enqueue_many(session, "process_payment", [{"order_id": number} for number in range(900, 915)])
    assert str(look(queue)) == REPORT
    assert max(map(len, REPORT.splitlines())) <= 80
    assert str(mend(queue)).splitlines()[:2] == [
        "19 repaired:",
        "  1 x dangling reference: the task is gone; cleared",
    ]


REPORT = """\
19 found, not repaired (a dry run):
  1 x dangling reference: the task is gone; to be cleared
      orders.processing_task_id of row 102 names task 999
  1 x reference to a task that has ended; to be cleared
      orders.processing_task_id of row 103 names task 2
  16 x orphan: no object points at it; to be cancelled, or asked to stop
      task 3
      task 4
      task 5
      task 6
      task 7
      task 8
      task 9
      task 10
      task 11
      task 12
      and 6 more
  1 x lease that is over; back to pending, or failed if no attempt is left
      task 1"""


def everything_wrong(queue: TaskQueue, clock: Clock) -> None:
    """One of each kind: task 1 is expired, 2 has ended, 3 is an orphan, 999 is not there."""
    new_orders(queue.engine)
    with writing(queue.engine) as session:
        queue.enqueue(session, "work")
        ended = queue.enqueue(session, "work")
        queue.cancel(session, ended.id or 0)
    claim(queue)
    clock.advance(queue.lease)
    in_transaction(queue.engine, lambda session: queue.enqueue(session, "process_payment"))
    by_hand(
        queue.engine,
        "UPDATE orders SET processing_task_id = 999 WHERE id = 102",
        "UPDATE orders SET processing_task_id = 2 WHERE id = 103",
    )
