"""The inverted approach as one reusable piece: for any column of any model.

    payments = TaskReference(Order.processing_task_id, "process_payment")
    payments.enqueue_once(session, queue, order)

The verbs are those of `inverted.py`, and so are their promises; the same tests run over both.

Not covered: rows with a primary key of several columns.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, delete, inspect, select, update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel, col

from ..arguments import expect, expect_id, expect_name, short
from ..errors import OrphanTask
from ..models import LONGEST_TYPE, Task
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from ..schema import clearing_trigger, index_name, reference_index, trigger_name
from .expectations import expect_session, expect_task
from .reference_setup import is_set_up, set_up

Model = TypeVar("Model", bound=SQLModel)


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
        except NotImplementedError:  # a type of the caller's own
            self._kind = object

    def install(self, engine: Engine) -> None:
        """Create the column's index and its clearing trigger where they are missing; the table must be there.

        May be called at each start of a program, while others write: it locks a table only to create something.
        """
        expect(engine, Engine, "an engine, as open_database() returns it,")
        table, column = self._id.table.name, self._column.property.columns[0].name
        if not is_set_up(engine, index_name(table, column), trigger_name(table, column)):
            index = reference_index(table, column, engine.dialect)
            set_up(engine, [index], clearing_trigger(table, column, engine.dialect))

    def enqueue(self, session: Session, queue: TaskQueue, row: Model, payload: Any = None) -> Task:
        """Enqueue a task and let the row reference it, whatever it referenced before. Returns the task.

        Raises OrphanTask if the row is not in the database: nothing would reference the task.
        """
        self._expect(session, queue, row)
        session.flush()  # a new row gets its id here
        task = queue.enqueue(session, self.type, payload)
        if not self._reference(session, row, task, self._is(row)):
            session.execute(delete(Task).where(col(Task.id) == task.id))  # the caller may catch this, and commit
            raise OrphanTask(f"{self._name(row)} not found: add it to the session, or look it up again, then enqueue")
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

    def enqueue_once(self, session: Session, queue: TaskQueue, row: Model, payload: Any = None) -> Task | None:
        """Enqueue a task unless one is at work on the row; None if one is."""
        self._expect(session, queue, row)
        with session.begin_nested() as savepoint:
            task = queue.enqueue(session, self.type, payload)
            if self._reference(session, row, task, self._is(row) & self._column.is_(None)):
                return task
            savepoint.rollback()  # the loser's task must go, too
            return None

    def cancel(self, session: Session, queue: TaskQueue, row: Model) -> int:
        """Cancel the row's task; how many were cancelled or asked to stop (0 or 1)."""
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
        return sorted(rows, key=self._key)  # not in SQL: ORDER BY would make SQLite walk the whole table

    def _expect(self, session: Any, queue: Any, row: Any) -> None:
        expect_session(session)
        expect(queue, TaskQueue, "a TaskQueue")
        expect(row, self.model, f"a {self.model.__name__}")
        key = self._key(row)
        expect(key, (self._kind, type(None)), f"a primary key of {self._id}, {self._kind.__name__},")
        if isinstance(key, int):
            expect_id(f"{self._id}", key)

    def _key(self, row: Model) -> Any:
        return inspect(self.model).primary_key_from_instance(row)[0]

    def _is(self, row: Model) -> ColumnElement[bool]:
        return self._id == self._key(row)

    def _name(self, row: Model) -> str:
        return f"{self._id.table.name} {self._key(row)}"

    def _reference(self, session: Session, row: Model, task: Task, where: ColumnElement[bool]) -> bool:
        """Let the row reference the task where the condition holds; whether it did. By UPDATE: `row` may be old."""
        change = update(self.model).where(where).values({self._column: task.id})
        moved = session.execute(change).rowcount  # type: ignore[attr-defined]
        if moved:
            set_committed_value(row, self._column.key, task.id)
        return bool(moved)


def _check(column: Any) -> None:
    if not isinstance(column, InstrumentedAttribute):
        raise TypeError(f"{short(column)} found, a model's attribute expected, such as Order.processing_task_id")
    keys = column.property.columns[0].foreign_keys if hasattr(column.property, "columns") else set()
    if not any(key.target_fullname == "task.id" and key.ondelete == "SET NULL" for key in keys):
        raise TypeError(f'{column} needs a foreign key: ForeignKey("task.id", ondelete="SET NULL"), nullable')
