"""The queue's statements, in one place, to be read as SQL.

Statuses are literals in them, not parameters: with `status = 'pending'` a partial index is about twice as fast as with
`status = ?`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Integer,
    Text,
    TypeDecorator,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from ..models import Json, Task, TaskStatus
from .payload import decoded

TASK = Task.__table__  # type: ignore[attr-defined]
C = TASK.c


def _literal(status: TaskStatus) -> ColumnElement[Any]:
    return literal_column(f"'{status}'", C.status.type)


PENDING, RUNNING = _literal(TaskStatus.PENDING), _literal(TaskStatus.RUNNING)
SUCCEEDED, FAILED, CANCELLED = (_literal(s) for s in (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED))

ZERO, ONE = literal_column("0", Integer()), literal_column("1", Integer())
NOW = bindparam("now", type_=C.finished_at.type)
UNTIL = bindparam("until", type_=C.lease_expires_at.type)
THIS_TASK = C.id == bindparam("task_id")
# The holder's guard: nobody else has claimed, reclaimed or ended the task since.
HELD = THIS_TASK & (C.status == RUNNING) & (C.lease_token == bindparam("token"))


class JsonText(TypeDecorator[Any]):
    """A payload that is JSON text already: SQLite's driver takes the text, SQLAlchemy wants the value."""

    impl = Json
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        return decoded(value)


ENQUEUE = insert(TASK).values(
    type=bindparam("task_type"),
    payload=bindparam("json", type_=JsonText()),
    status=PENDING,
    attempt=ZERO,
    max_attempts=bindparam("attempts"),
    lease_token=ZERO,
    available_at=bindparam("due"),
    created_at=NOW,
)

# SKIP LOCKED lets PostgreSQL's workers claim different tasks at once; SQLite, with one writer at a time, ignores it.
_OLDEST_DUE = (
    select(C.id)
    .where(C.status == PENDING, C.available_at <= NOW)
    .order_by(C.available_at, C.id)
    .limit(ONE)
    .offset(ZERO)  # without it, SQLAlchemy adds one for SQLite, as a parameter
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
CLAIM = (
    update(TASK)
    .where(C.id == _OLDEST_DUE, C.status == PENDING)
    .values(
        status=RUNNING, attempt=C.attempt + ONE, lease_token=C.lease_token + ONE, lease_expires_at=UNTIL, started_at=NOW
    )
    .returning(C.id, C.type, C.payload, C.attempt, C.lease_token, C.max_attempts)
)

HEARTBEAT = update(TASK).where(HELD).values(lease_expires_at=UNTIL)

COMPLETE = update(TASK).where(HELD).values(status=SUCCEEDED, lease_expires_at=null(), finished_at=NOW, error=null())

STOP = (
    update(TASK)
    .where(HELD, C.cancel_requested_at.is_not(None))
    .values(status=CANCELLED, lease_expires_at=null(), finished_at=NOW)
)

CANCEL = (
    update(TASK)
    .where(THIS_TASK, C.status.in_([PENDING, RUNNING]))
    .values(
        status=case((C.status == PENDING, CANCELLED), else_=C.status),
        finished_at=case((C.status == PENDING, NOW), else_=null()),
        cancel_requested_at=func.coalesce(C.cancel_requested_at, NOW),
    )
)


def _given_up(may_retry: ColumnElement[bool], later: ColumnElement[Any], error: ColumnElement[Any]) -> dict[str, Any]:
    """The columns after an attempt without success: cancelled if that was requested, else pending again, or failed."""
    retry = C.cancel_requested_at.is_(None) & may_retry & (C.attempt < C.max_attempts)
    return {
        "status": case((C.cancel_requested_at.is_not(None), CANCELLED), (retry, PENDING), else_=FAILED),
        "lease_expires_at": null(),
        "available_at": case((retry, later), else_=C.available_at),
        "finished_at": case((retry, null()), else_=NOW),
        "error": error,
    }


FAIL = (
    update(TASK)
    .where(HELD)
    .values(
        _given_up(
            bindparam("retry", type_=Integer()) == ONE,
            bindparam("later", type_=C.available_at.type),
            bindparam("error", type_=Text()),
        )
    )
)

_EXPIRED = (C.status == RUNNING) & (C.lease_expires_at <= NOW)
_RETURNED = _given_up(
    literal_column("TRUE"),
    NOW,
    literal_column("'the lease ran out: the worker died, or sent no heartbeat in time'", Text()),
)
# On a server, the row of a task that its late holder is completing is locked; the reclaim must not wait for it.
_EXPIRED_AND_FREE = select(C.id).where(_EXPIRED).with_for_update(skip_locked=True)
RECLAIM = {
    "sqlite": update(TASK).where(_EXPIRED).values(_RETURNED),
    "postgresql": update(TASK).where(C.id.in_(_EXPIRED_AND_FREE), _EXPIRED).values(_RETURNED),
}

_OLD = (
    select(C.id)
    .where(C.status.in_([SUCCEEDED, FAILED, CANCELLED]), C.finished_at < bindparam("before", type_=C.finished_at.type))
    .order_by(C.id)
    .limit(bindparam("limit", type_=Integer()))
    .offset(ZERO)
)
PRUNE = delete(TASK).where(C.id.in_(_OLD))

READ_STATE = select(C.status, C.lease_token, C.cancel_requested_at).where(THIS_TASK)
COUNTS = select(C.status, func.count()).group_by(C.status)

_moments = union_all(
    select(func.min(C.available_at, type_=C.available_at.type).label("moment")).where(C.status == PENDING),
    select(func.min(C.lease_expires_at, type_=C.available_at.type)).where(C.status == RUNNING),
).subquery()
NEXT_DUE = select(func.min(_moments.c.moment, type_=C.available_at.type))
