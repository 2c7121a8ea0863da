"""The inverted approach as a reusable class, for any column of any model.

    payments = TaskReference(Order.processing_task_id, "process_payment")
    payments.enqueue_once(session, queue, order)

The verbs and their guarantees are those of `inverted.py`; the same tests run for both.

Not covered: rows with a primary key of several columns.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, Table, delete, exists, inspect, select, update
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key
from sqlmodel import SQLModel, col

from ..arguments import expect, expect_id, expect_name, short
from ..clearing_trigger import trigger_exists
from ..database.sqlite_engine import expect_engine
from ..database.transactions import begin_if_the_driver_has_not, expect_session
from ..errors import OrphanTask, SchemaMissing
from ..models import LONGEST_TYPE, Task
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from .expectations import expect_task
from .reference_setup import Reference, install_reference

Model = TypeVar("Model", bound=SQLModel)
FOREIGN_KEY = 'sa_column=Column(ForeignKey(col(Task.id), ondelete="SET NULL"), nullable=True)'


class TaskReference(Generic[Model]):
    """A column that references the task at work on its row; `IS NOT NULL` means "in process".

    column: an attribute of a model, such as `Order.processing_task_id`: a nullable foreign key to task.id with
        ON DELETE SET NULL. type: the type of the tasks. Raises TypeError for a column of another kind.
    """

    def __init__(self, column: Any, type: str) -> None:
        _check(column)
        expect_name("type", type, LONGEST_TYPE)
        self.type = type
        self.model: type[Model] = column.class_
        self._column: InstrumentedAttribute[int | None] = column
        key = inspect(self.model).primary_key
        if len(key) != 1:
            raise TypeError(f"{self.model.__name__} has a primary key of {len(key)} columns, one expected")
        self._id = key[0]
        try:
            self._kind: type = self._id.type.python_type
        except NotImplementedError:  # the caller's own type
            self._kind = object

    @property
    def index_name(self) -> str:
        """The index that install() creates; tell your migration tool to leave it alone."""
        return self._place.index

    @property
    def trigger_name(self) -> str:
        """The trigger that install() creates on the task table."""
        return self._place.trigger

    def install(self, engine: Engine) -> None:
        """Create the column's index and its clearing trigger if they are missing; the table must exist.

        With a new trigger, references to tasks that have ended already are cleared, too.
        May be called at each start of a program while others write: it locks a table only to create something.
        Raises SchemaMissing without the table, NameTaken if another index or trigger has the name, TypeError on
        PostgreSQL for a column of 32 bits.
        """
        expect_engine(engine)
        install_reference(engine, self._place)

    def enqueue(
        self,
        session: Session,
        queue: TaskQueue,
        row: Model,
        payload: Any = None,
        *,
        available_at: datetime | None = None,
        max_attempts: int | None = None,
    ) -> Task:
        """Enqueue a task and let the row reference it, replacing any former reference. Returns the task.

        available_at, max_attempts: as for TaskQueue.enqueue().
        Raises OrphanTask if the row is not in the database: nothing would reference the task. Raises SchemaMissing
        if install() was never called: nothing would clear the reference.
        """
        self._expect(session, queue, row)
        session.flush()  # a new row gets its id here
        task = queue.enqueue(session, self.type, payload, available_at=available_at, max_attempts=max_attempts)
        if not self._reference(session, row, task, self._is(row)):
            session.execute(delete(Task).where(col(Task.id) == task.id))  # the caller may catch the error and commit
            self._raise_if_missing(session, row)
        return task

    def row_for(self, session: Session, task: Task | RunningTask) -> Model:
        """The row that references the task; OrphanTask if there is none."""
        expect_task(session, task)
        row = session.scalars(select(self.model).where(self._column == task.id)).one_or_none()
        if row is None:
            where = f"{self._id.table.name}.{self._column.key}"
            raise OrphanTask(
                f"task {task.id}: no {where} references it; it was cancelled, replaced or deleted meanwhile"
            )
        return row

    def enqueue_once(
        self,
        session: Session,
        queue: TaskQueue,
        row: Model,
        payload: Any = None,
        *,
        available_at: datetime | None = None,
        max_attempts: int | None = None,
    ) -> Task | None:
        """Enqueue a task unless one is at work on the row; None if one is. Otherwise as enqueue()."""
        self._expect(session, queue, row)
        begin_if_the_driver_has_not(session)
        with session.begin_nested() as savepoint:
            task = queue.enqueue(session, self.type, payload, available_at=available_at, max_attempts=max_attempts)
            if self._reference(session, row, task, self._is(row) & self._column.is_(None)):
                return task
            self._raise_if_missing(session, row)
            savepoint.rollback()  # so that no task is left without a reference
            return None

    def cancel(self, session: Session, queue: TaskQueue, row: Model) -> int:
        """Cancel the row's task; return how many were cancelled or asked to stop (0 or 1)."""
        self._expect(session, queue, row)
        task_id = session.scalars(select(self._column).where(self._is(row))).one_or_none()
        cancelled = int(task_id is not None and queue.cancel(session, task_id))
        if row in session:
            session.expire(row, [self._column.key])
        return cancelled

    def in_process(self, session: Session) -> list[Model]:
        """The rows with a pending or running task, by primary key."""
        expect_session(session)
        rows = session.scalars(select(self.model).where(self._column.is_not(None)))
        return sorted(rows, key=self._key)  # not in SQL: with ORDER BY, SQLite scans the whole table

    def _expect(self, session: Any, queue: Any, row: Any) -> None:
        expect_session(session)
        expect(queue, TaskQueue, "a TaskQueue")
        expect(row, self.model, f"a row of {self.model.__name__}")
        key = self._key(row)
        expect(key, (self._kind, type(None)), f"a primary key of {self._id}, {self._kind.__name__},")
        if isinstance(key, int):
            expect_id(f"{self._id}", key)

    def _key(self, row: Model) -> Any:
        if (known := inspect(row).identity) is not None:  # a detached row may have expired, and could not be read
            return known[0]
        return inspect(self.model).primary_key_from_instance(row)[0]

    def _is(self, row: Model) -> ColumnElement[bool]:
        return self._id == self._key(row)

    @property
    def _place(self) -> Reference:
        table: Table = self._id.table  # type: ignore[assignment]
        return Reference(table.name, self._column.property.columns[0].name, table.schema)

    def _installed(self, session: Session) -> ColumnElement[bool]:
        return trigger_exists(self.trigger_name, session.connection().dialect)

    def _reference(self, session: Session, row: Model, task: Task, where: ColumnElement[bool]) -> bool:
        """Set the reference if the condition holds; return whether it did. By UPDATE: `row` may be out of date."""
        change = update(self.model).where(where, self._installed(session)).values({self._column: task.id})
        moved = session.execute(change.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
        if moved:
            for copy in (row, session.identity_map.get(inspect(row).key or identity_key(instance=row))):
                if copy is not None:
                    set_committed_value(copy, self._column.key, task.id)
        return bool(moved)

    def _raise_if_missing(self, session: Session, row: Model) -> None:
        """Raise SchemaMissing if nothing would clear the reference, OrphanTask if the row is not in the database."""
        there = select(self._installed(session), exists().where(self._is(row)))
        installed, found = session.execute(there).one()
        if not installed:
            table, column = self._place.table, self._place.column
            raise SchemaMissing(
                f"{table}.{column} has no trigger {self.trigger_name}, which clears it when its task ends:"
                " call install(engine) of this TaskReference once the table is there; at each start does no harm"
            )
        if not found:
            name = f"{self._id.table.name} {self._key(row)}"
            raise OrphanTask(f"{name} not found: add it to the session, or look it up again, then enqueue")


def _check(column: Any) -> None:
    if not isinstance(column, InstrumentedAttribute):
        raise TypeError(f"{short(column)} found, a model's attribute expected, such as Order.processing_task_id")
    keys = column.property.columns[0].foreign_keys if hasattr(column.property, "columns") else set()
    ours = [key for key in keys if key.target_fullname == "task.id" and key.ondelete == "SET NULL"]
    if not ours or not column.property.columns[0].nullable:
        raise TypeError(f"{column} needs a foreign key to a task, nullable and SET NULL: {FOREIGN_KEY}")
    try:
        found = ours[0].column.table
    except NoReferenceError:
        raise TypeError(
            f'{column} names "task.id", and the MetaData of its model has no table task: name the column itself,'
            f" {FOREIGN_KEY}"
        ) from None
    if "lease_token" not in found.c:
        raise TypeError(f"{column} references another table task, of its own MetaData: name our column, {FOREIGN_KEY}")
