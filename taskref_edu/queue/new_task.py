"""A new task: the values of its row, checked, and the row as an object.

Read next: `queue.py`.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy.orm import Mapper, class_mapper
from sqlalchemy.orm.attributes import instance_dict, instance_state

from ..arguments import expect_count, expect_name, in_utc
from ..models import Task, TaskStatus
from .payload import decoded

LONGEST_TYPE = 255  # characters


def new_values(type: str, max_attempts: int, available_at: datetime | None, now: datetime) -> dict[str, Any]:
    """The parameters of `statements.ENQUEUE`, but for the payload; TypeError or ValueError for careless arguments."""
    expect_name("type", type, LONGEST_TYPE)
    expect_count("max_attempts", max_attempts)
    due = now if available_at is None else in_utc("available_at", available_at)
    return {"task_type": type, "attempts": max_attempts, "due": due, "now": now}


def as_loaded(task_id: int, values: dict[str, Any], json: str | None) -> Task:
    """The task as a query would have given it, detached. Task(…) would check each value once more, slowly."""
    mapper = _mapper()
    task = mapper.class_manager.new_instance()
    instance_dict(task).update(
        id=task_id,
        type=values["task_type"],
        payload=decoded(json),
        status=TaskStatus.PENDING,
        attempt=0,
        max_attempts=values["attempts"],
        lease_token=0,
        available_at=values["due"],
        lease_expires_at=None,
        cancel_requested_at=None,
        created_at=values["now"],
        started_at=None,
        finished_at=None,
        error=None,
    )
    instance_state(task).key = mapper.identity_key_from_primary_key(
        (task_id,)
    )  # it has a row, and belongs to no session
    return task


@cache
def _mapper() -> Mapper[Task]:
    """What SQLAlchemy knows of the class; to ask anew takes as long as to make a task."""
    return class_mapper(Task)
