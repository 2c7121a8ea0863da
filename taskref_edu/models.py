"""The two tables, the statuses and the transitions between them, and the rules that the database itself enforces.

Not covered: queries (`queue/statements.py`), and what each approach adds to the tables (`schema.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Enum,
    ForeignKey,
    Integer,
    Table,
    event,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# SQLite assigns row ids only if the column is declared exactly INTEGER; PostgreSQL needs BIGINT for 64 bits.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Json(JSON):
    """JSON; JSONB on PostgreSQL. SQLAlchemy's own JSONB needs its dialect, a third of this package's import time."""

    cache_ok = True

    def __init__(self) -> None:
        # None is stored as SQL's NULL, not as JSON's null: "no payload" has one representation, not two.
        super().__init__(none_as_null=True)


@compiles(Json, "postgresql")
def _jsonb(_type: Json, _compiler: object, **_: object) -> str:
    return "JSONB"


class TaskStatus(StrEnum):
    """A task's status; stored as these lower-case words, because learners read the raw rows."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# status -> {the status it may change to: the queue's verbs that change it}
TRANSITIONS: dict[TaskStatus, dict[TaskStatus, tuple[str, ...]]] = {
    TaskStatus.PENDING: {
        TaskStatus.RUNNING: ("claim",),
        TaskStatus.CANCELLED: ("cancel",),
    },
    TaskStatus.RUNNING: {
        TaskStatus.SUCCEEDED: ("complete",),
        TaskStatus.FAILED: ("fail", "reclaim"),
        TaskStatus.PENDING: ("fail", "reclaim"),
        TaskStatus.CANCELLED: ("stop", "fail", "reclaim"),
    },
    TaskStatus.SUCCEEDED: {},
    TaskStatus.FAILED: {},
    TaskStatus.CANCELLED: {},
}
PAYMENT = "process_payment"  # the type of the tasks that pay an order
LONGEST_TYPE = 255  # characters
LIVE = tuple(status for status, moves in TRANSITIONS.items() if moves)
ENDED = tuple(status for status, moves in TRANSITIONS.items() if not moves)


def utc_now() -> datetime:
    """The current time, aware and in UTC: the only kind that the tables store."""
    return datetime.now(UTC)


def sql_literals(statuses: tuple[TaskStatus, ...]) -> str:
    """The statuses as a list of SQL literals: partial indexes serve literals best."""
    return ", ".join(f"'{status}'" for status in statuses)


# One CASE, because a CHECK with `status IN (…)` makes every write on SQLite markedly slower.
STATUS_CHECK = """CASE status
    WHEN 'pending'   THEN lease_expires_at IS NULL AND finished_at IS NULL
    WHEN 'running'   THEN lease_expires_at IS NOT NULL AND finished_at IS NULL
    WHEN 'succeeded' THEN lease_expires_at IS NULL AND finished_at IS NOT NULL
    WHEN 'failed'    THEN lease_expires_at IS NULL AND finished_at IS NOT NULL AND error IS NOT NULL
    WHEN 'cancelled' THEN lease_expires_at IS NULL AND finished_at IS NOT NULL
    ELSE FALSE END"""


class Base(SQLModel, registry=registry()):
    """The base of our tables. Its own registry keeps them apart from an application's `task` table or class `Task`."""


class Task(Base, table=True):
    """One unit of background work."""

    __tablename__ = "task"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (CheckConstraint(STATUS_CHECK, name="task_status"),)

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    type: str
    payload: Any = Field(default=None, sa_column=Column(Json()))
    status: TaskStatus = Field(
        default=TaskStatus.PENDING,
        sa_column=Column(
            Enum(
                TaskStatus,
                native_enum=False,
                length=9,
                create_constraint=False,
                values_callable=lambda statuses: [str(status) for status in statuses],
            ),
            nullable=False,
        ),
    )
    attempt: int = 0  # how many attempts were started
    max_attempts: int = 3
    lease_token: int = Field(default=0, sa_column=Column(BigId, nullable=False))  # only ever rises
    available_at: datetime = Field(default_factory=utc_now)  # no claim before this time
    lease_expires_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    created_at: datetime = Field(default_factory=utc_now)
    started_at: datetime | None = None  # the latest attempt's
    finished_at: datetime | None = None
    error: str | None = None


# Options such as `sqlite_autoincrement` or `postgresql_where` in the class would make SQLAlchemy import the dialect at
# once, a third of this package's import time. So what depends on the dialect is added when the table is created.


@event.listens_for(Task.__table__, "before_create")  # type: ignore[attr-defined]
def _no_id_twice(table: Table, connection: Connection, **_: object) -> None:
    """AUTOINCREMENT: with a reused id, an old reference would point to somebody else's task."""
    if connection.dialect.name == "sqlite":
        table.dialect_options["sqlite"]["autoincrement"] = True


# Claims need the pending tasks, the oldest first; reclaims need the running ones.
INDEXES = {
    # On SQLite one index serves both, running tasks first: a claim removes an entry next to the one that it inserts, so
    # it writes one page instead of two. OR, because SQLite does not recognize that `status = 'pending'` implies an IN.
    # The id is not named: every SQLite index ends with it.
    "sqlite": (
        "CREATE INDEX task_by_status ON task (status DESC, available_at)"
        " WHERE status = 'pending' OR status = 'running'",
    ),
    # On PostgreSQL two: it would use a single one to find the task that its holder completes, and would search the
    # entries of all tasks that were ever running.
    "postgresql": (
        "CREATE INDEX task_pending ON task (available_at, id) WHERE status = 'pending'",
        "CREATE INDEX task_running ON task (lease_expires_at) WHERE status = 'running'",
    ),
}
for _dialect, _indexes in INDEXES.items():
    for _index in _indexes:
        event.listen(Task.__table__, "after_create", DDL(_index).execute_if(dialect=_dialect))  # type: ignore[attr-defined]


class Order(Base, table=True):
    """The document's business object: something to be paid. Its table is `orders`, because ORDER is an SQL keyword."""

    __tablename__ = "orders"  # pyright: ignore[reportAssignmentType]

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    customer: str
    amount: int  # cents
    status: str = "new"  # new, paid
    processing_task_id: int | None = Field(
        default=None,
        sa_column=Column(
            BigId, ForeignKey("task.id", ondelete="SET NULL", name="orders_processing_task"), nullable=True
        ),
    )
