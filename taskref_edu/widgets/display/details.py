"""The details of a row that the user opens: every relevant column, in words.

A detail is a label, a text, and optionally the seconds until a moment, such as the end of a lease, which the browser
counts down.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...approaches.classic import PAYMENT
from ...arguments import shorten
from .html_tables import is_orphan, money, readable
from .rows import OrderRow, Rows, TaskRow, order_in

LONGEST_DETAIL = 2_000  # characters
Detail = tuple[str, str, *tuple[float, ...]]
NO_ORDER = "it names no order that exists"
ORPHAN = "no order points at this task: its handler cannot know what to pay"


def details_of_order(order: OrderRow, rows: Rows) -> list[Detail]:
    details: list[Detail] = [
        ("customer", order.customer),
        ("amount", money(order.amount)),
        ("status", order.status),
    ]
    target = order.processing_task_id
    if target is not None:
        missing = "" if target in rows.targets else ": dangling, that task is gone"
        details.append(("processing_task_id", f"{target}{missing}"))
    return _clipped(details)


def details_of_task(task: TaskRow, rows: Rows, approach: str) -> list[Detail]:
    """The details of a task: the columns that matter in its status."""
    details: list[Detail] = [
        ("type", task.type),
        ("payload", readable(task.payload) or "none"),
        ("attempt", f"{task.attempt} of {task.max_attempts}"),
    ]
    if task.lease_token:
        details.append(("lease token", str(task.lease_token)))
    if (left := seconds_until(task.lease_expires_at)) is not None:
        details.append(("lease", "runs out", left))
    wait = seconds_until(task.available_at)
    if task.status == "pending" and wait is not None and wait > 0:
        details.append(("due", "again" if task.attempt else "", wait))
    if task.cancel_requested_at is not None:
        details.append(("cancelling", "it was asked to stop"))
    if task.error:
        details.append(("error", task.error))
    if approach == "classic" and task.type == PAYMENT and order_in(task.payload) not in rows.named:
        details.append(("its order", NO_ORDER))
    if approach == "inverted" and is_orphan(task.id, task.type, task.status, rows):
        details.append(("orphan", ORPHAN))
    return _clipped(details)


def seconds_until(moment: Any, now: datetime | None = None) -> float | None:
    """Seconds until a time as the driver returns it, on SQLite as text. None if it is no time."""
    try:
        at = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round((at - (now or datetime.now(UTC))).total_seconds(), 1)


def _clipped(details: list[Detail]) -> list[Detail]:
    return [(label, shorten(str(text), LONGEST_DETAIL), *seconds) for label, text, *seconds in details]
