"""A new task: the values of its row, checked, and the row as an object.

Read next: `queue.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import class_mapper
from sqlalchemy.orm.attributes import instance_dict, instance_state

from .models import Task, TaskStatus
from .payload import decoded


def new_values(type: str, max_attempts: int, available_at: datetime | None, now: datetime) -> dict[str, Any]:
    """The parameters of `statements.ENQUEUE`, but for the payload. Raises ValueError for careless arguments."""
    if not isinstance(type, str) or not type or "\x00" in type:
        raise ValueError(f"type {type!r} found, the name of a type expected")
    if available_at is not None and available_at.utcoffset() is None:
        raise ValueError(f"available_at {available_at!r} has no time zone: use datetime.now(UTC)")
    if max_attempts < 1:
        raise ValueError(f"max_attempts {max_attempts} found, 1 or more expected")
    return {"task_type": type, "attempts": max_attempts, "due": available_at or now, "now": now}


def as_loaded(task_id: int, values: dict[str, Any], json: str | None) -> Task:
    """The task as a query would have given it, detached. Task(…) would check each value once more, slowly."""
    mapper = class_mapper(Task)
    task = mapper.class_manager.new_instance()
    instance_dict(task).update(
        id=task_id,
        type=values["task_type"],
        payload=decoded(json),
        status=TaskStatus.PENDING,
        attempt=0,
        max_attempts=values["attempts"],
        lease_token=0,
        available_at=values["due"].astimezone(UTC),
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
