"""How a verb changes a task: one guarded statement, and the error if the guard matched no row.

Apart from `TaskQueue` because all its verbs go through this guard and share its errors.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ..arguments import expect
from ..database.transactions import Transaction, expect_session, refuse_reading
from ..errors import StaleLease
from ..models import Task, TaskStatus
from . import statements
from .running_task import RunningTask
from .statement_execution import QueueStatement, change, first_row


def read_state(transaction: Transaction, task_id: int) -> tuple[Any, ...] | None:
    """Status, lease token and time of the cancel request; None if there is no such task."""
    return first_row(transaction, statements.READ_STATE, task_id=task_id)


def transition(transaction: Transaction, statement: QueueStatement, **values: Any) -> int:
    """Run one guarded statement; return how many tasks it changed. The session's copies of tasks are expired."""
    refuse_reading(transaction, "a change of a task")
    count = change(transaction, statement, **values)
    if not isinstance(transaction, sqlite3.Connection):
        for held in list(transaction.identity_map.values()):
            if isinstance(held, Task):
                transaction.expire(held)
    return count


def transition_by_holder(transaction: Transaction, statement: QueueStatement, task: RunningTask, **values: Any) -> None:
    """Run the statement of a holder's verb. Raises StaleLease if `task` no longer holds the lease."""
    expect_holder(transaction, task)
    if not transition(transaction, statement, task_id=task.id, token=task.token, **values):
        raise stale_lease(task, read_state(transaction, task.id))


def expect_holder(transaction: Transaction, task: RunningTask) -> None:
    """Raise TypeError for invalid arguments of a holder's verb."""
    expect_session(transaction)
    expect(task, RunningTask, "a task as claim() returns it, or as a handler gets it,")


def stale_lease(task: RunningTask, row: tuple[Any, ...] | None) -> StaleLease:
    """The error for a holder whose guard matched no row; `row` is what read_state() returns."""
    if row is None:
        found = "the task is gone"
    elif row[1] != task.token:
        found = f"lease token {task.token} is stale, {row[1]} was given out since"
    elif row[0] != TaskStatus.RUNNING:
        found = f"it is {row[0]}, not running"
    else:
        found = "nobody asked it to stop"
    return StaleLease(f"task {task.id}: {found}; drop this result")
