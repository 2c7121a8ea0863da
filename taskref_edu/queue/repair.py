"""Finds and repairs what earlier versions or manual changes left in the tables; RepairReport lists the four kinds.

A reference is a column that a clearing trigger (`clearing_trigger.py`) clears: that of the orders, and those set up by
`TaskReference.install()`. Any other foreign key to a task may be meant to last: it is reported, but left alone.
Tasks change by the queue's own verbs; references are cleared here.

Not covered: damage to the file itself, which `taskref doctor FILE` checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    TableClause,
    Text,
    and_,
    cast,
    column,
    exists,
    inspect,
    select,
    table,
    text,
    true,
    update,
)
from sqlalchemy.orm import Session

from ..arguments import LARGEST_ID
from ..clearing_trigger import cleared_columns, drop_trigger
from ..database.transactions import expect_session, refuse_reading
from ..models import ENDED, LIVE, PAYMENT, Order, Task, TaskStatus
from .task_queue import TaskQueue

TASK = Task.__table__  # type: ignore[attr-defined]
ORDERS = Order.__table__  # type: ignore[attr-defined]
SHOWN = 10  # rows of each kind that a report names
IDS_PER_QUERY = 500  # values in one IN (…): databases limit their number
_FOREIGN_KEYS = {  # the columns that reference tasks: schema, table, column
    "sqlite": """SELECT NULL, name, "from" FROM sqlite_master JOIN pragma_foreign_key_list(name)
        WHERE type = 'table' AND lower("table") = 'task' ORDER BY name, seq""",
    "postgresql": """SELECT nspname, relname, attname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
        JOIN pg_class ON pg_class.oid = conrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE contype = 'f' AND confrelid = to_regclass('task') ORDER BY nspname, relname, attnum""",
}


@dataclass(frozen=True)
class BadReference:
    """A row's reference to a task: `orders.processing_task_id`, the row's key, the task's id."""

    column: str
    row: str
    task_id: int

    def __str__(self) -> str:
        return f"{self.column} of row {self.row} names task {self.task_id}"


@dataclass(frozen=True)
class RepairReport:
    """What was found; print it.

    dangling: references to tasks that do not exist. ended: references to tasks that have ended.
    orphans: ids of live tasks that need an object to work on, but that no object references.
    expired: ids of running tasks whose lease has expired. repaired: False after a dry run.
    without_trigger: columns that reference a task and that no trigger clears when it ends. Not counted, because such
    a reference may be meant to last.
    broken: for each trigger whose column or table is gone, so that no task can end, what it is and how to drop it.
    """

    dangling: tuple[BadReference, ...] = ()
    ended: tuple[BadReference, ...] = ()
    orphans: tuple[int, ...] = ()
    expired: tuple[int, ...] = ()
    repaired: bool = False
    without_trigger: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many things were found."""
        return len(self.dangling) + len(self.ended) + len(self.orphans) + len(self.expired)

    def __str__(self) -> str:
        notes = [
            f"{name} references tasks, and no trigger clears it when its task ends: call install(engine) of its"
            " TaskReference, unless the reference is meant to last"
            for name in self.without_trigger
        ]
        notes += self.broken
        if not self.count:
            other = " other" if notes else ""
            notes.append(f"Nothing{other} to repair: every{other} reference, live task and lease is as it should be.")
            return "\n".join(notes)
        done = "repaired" if self.repaired else "found, not repaired (a dry run)"
        lines = [f"{self.count} {done}:"]
        to_be = "" if self.repaired else "to be "
        for found, what in (
            (self.dangling, f"dangling reference: the task is gone; {to_be}cleared"),
            (self.ended, f"reference to a task that has ended; {to_be}cleared"),
            (self.orphans, f"orphan: no object points at it; {to_be}cancelled, or asked to stop"),
            (self.expired, "lease that is over; back to pending, or failed if no attempt is left"),
        ):
            if found:
                lines.append(f"  {len(found):,} x {what}")
                lines += [f"      {one if isinstance(one, BadReference) else f'task {one}'}" for one in found[:SHOWN]]
                lines += [f"      and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
        return "\n".join([*notes, *lines])


@dataclass(frozen=True)
class ReferenceColumn:
    """A column that references the task at work on its row, its table, and the table's primary key."""

    table: TableClause
    column: ColumnElement[Any]
    key: list[ColumnElement[Any]]

    @property
    def name(self) -> str:
        """`orders.processing_task_id`"""
        return f"{self.table.name}.{self.column.key}"


def repair(queue: TaskQueue, session: Session, *, types: Iterable[str] = (), dry_run: bool = True) -> RepairReport:
    """Find what earlier versions or manual changes left in the tables, and repair it unless this is a dry run.

    An orphan is a live task that no object references, of type process_payment or of one of `types`: further types
    whose tasks need an object. A task that is enqueued and referenced in two transactions, as in `as_written`, is one
    for a moment.
    """
    expect_session(session)
    if not dry_run:
        refuse_reading(session, "repair(dry_run=False)")
        session.flush()
    # In schema "queue", a table `orders` and what is in a payload belong to the application.
    lessons = session.scalar(text("SELECT name FROM taskref_schema")) != "queue"
    references, broken = _references(session.connection(), lessons)
    payments = {PAYMENT} if lessons else set()
    report = RepairReport(
        dangling=tuple(_referring(session, references, gone=True)),
        ended=tuple(_referring(session, references, gone=False)),
        orphans=tuple(_orphans(session, references, {*payments, *types}, payments)),
        expired=tuple(_expired(queue, session)),
        repaired=not dry_run,
        without_trigger=tuple(_without_trigger(session.connection(), references)),
        broken=tuple(broken),
    )
    if report.repaired and report.count:
        _repair(queue, session, references, report)
    return report


def _repair(queue: TaskQueue, session: Session, references: list[ReferenceColumn], report: RepairReport) -> None:
    queue.reclaim(session)
    for task_id in report.orphans:
        queue.cancel(session, task_id)
    for reference in references:  # last, so that it also clears references to tasks that were ended just now
        live = exists().where(TASK.c.id == reference.column, TASK.c.status.in_(LIVE))
        over = update(reference.table).where(reference.column.is_not(None), ~live)
        session.execute(over.values({reference.column: None}))
    session.expire_all()


def _references(connection: Connection, lessons: bool) -> tuple[list[ReferenceColumn], list[str]]:
    """The columns that reference the task at work on their row; and what is wrong with triggers that clear nothing."""
    inspector, own = inspect(connection), _own_schema(connection)
    cleared = {(_unless_own(own, one.schema), one.table, one.column): one for one in cleared_columns(connection)}
    orders = [(ORDERS.schema, ORDERS.name, ORDERS.c.processing_task_id.name)] if lessons else []
    references, broken = [], []
    for schema, name, which in sorted({*orders, *cleared}, key=lambda one: (one[0] or "", *one[1:])):
        is_there = inspector.has_table(name, schema)
        there = inspector.get_columns(name, schema) if is_there else []
        columns = {each["name"]: column(each["name"], each["type"]) for each in there}
        if which in columns:
            rows = table(name, *columns.values(), schema=schema)
            key = inspector.get_pk_constraint(name, schema)["constrained_columns"]
            references.append(ReferenceColumn(rows, rows.c[which], [rows.c[part] for part in key]))
        elif trigger := cleared.get((schema, name, which)):
            drop = drop_trigger(trigger, connection.dialect)
            broken.append(f"{trigger.trigger} clears {name}.{which}, which is not there, so no task can end: {drop}")
    return references, broken


def _without_trigger(connection: Connection, references: list[ReferenceColumn]) -> Iterator[str]:
    """The foreign keys to tasks that are none of the references."""
    own = _own_schema(connection)
    known = {(reference.table.schema, reference.table.name, reference.column.key) for reference in references}
    for schema, *name in connection.execute(text(_FOREIGN_KEYS[connection.dialect.name])):
        if (_unless_own(own, schema), *name) not in known:
            yield ".".join(filter(None, (_unless_own(own, schema), *name)))


def _own_schema(connection: Connection) -> str | None:
    return connection.scalar(text("SELECT current_schema()")) if connection.dialect.name == "postgresql" else None


def _unless_own(own: str | None, schema: str | None) -> str | None:
    """The schema, as a table's name is written: None if it is our own."""
    return None if schema == own else schema


def _referring(session: Session, references: list[ReferenceColumn], gone: bool) -> Iterator[BadReference]:
    """The references to tasks that are gone, or, without `gone`, to tasks that have ended."""
    for reference in references:
        named = exists().where(TASK.c.id == reference.column)
        ended = exists().where(TASK.c.id == reference.column, TASK.c.status.in_(ENDED))
        query = select(reference.column, *reference.key).where(reference.column.is_not(None), ~named if gone else ended)
        for task_id, *key in session.execute(query.order_by(*reference.key)):
            yield BadReference(reference.name, ", ".join(map(str, key)), task_id)


def _orphans(session: Session, references: list[ReferenceColumn], types: set[str], payments: set[str]) -> list[int]:
    """Live tasks of these types that no row references, and whose payload, for `payments`, names no order.

    Without those that were asked to stop already: there is nothing left to repair.
    """
    unreferenced = and_(true(), *(~exists().where(reference.column == TASK.c.id) for reference in references))
    query = select(TASK.c.id, TASK.c.type, cast(TASK.c.payload, Text)).where(
        TASK.c.type.in_(types), TASK.c.status.in_(LIVE), TASK.c.cancel_requested_at.is_(None), unreferenced
    )
    named = {
        task_id: _order_id(payload) if type in payments else None
        for task_id, type, payload in session.execute(query.order_by(TASK.c.id))
    }
    known = _known_orders(session, sorted({order_id for order_id in named.values() if order_id is not None}))
    return [task_id for task_id, order_id in named.items() if order_id not in known]


def _order_id(payload: str | None) -> int | None:
    """The order id in a payment's payload. As lenient as SQLite: a handler may find order 7 for "7"."""
    try:
        order_id = int(json.loads(payload or "null")["order_id"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):  # no JSON, or JSON of another form
        return None
    return order_id if 0 <= order_id <= LARGEST_ID else None


def _known_orders(session: Session, ids: list[int]) -> set[int]:
    parts = (ids[start : start + IDS_PER_QUERY] for start in range(0, len(ids), IDS_PER_QUERY))
    return {known for part in parts for known in session.scalars(select(ORDERS.c.id).where(ORDERS.c.id.in_(part)))}


def _expired(queue: TaskQueue, session: Session) -> list[int]:
    over: ColumnElement[bool] = TASK.c.lease_expires_at <= queue.now()
    query = select(TASK.c.id).where(TASK.c.status == TaskStatus.RUNNING, over)
    return list(session.scalars(query.order_by(TASK.c.id)))
