"""The argument checks of every payment verb, made before it writes anything.

A module of its own so that `classic.py`, `inverted.py` and `task_reference.py` contain only what differs.
"""

from __future__ import annotations

from typing import Any

from ..arguments import expect, expect_id
from ..database.transactions import expect_session
from ..models import Order, Task
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue


def expect_payment(session: Any, queue: Any, order: Any) -> None:
    """Raise TypeError or ValueError unless these are a session, a queue, and an order with a possible id."""
    expect_session(session)
    expect(queue, TaskQueue, "a TaskQueue")
    expect(order, Order, "an order")
    expect_id("the order's id", order.id)


def expect_task(session: Any, task: Any) -> None:
    """Raise TypeError unless these are a session and a task."""
    expect_session(session)
    expect(task, (RunningTask, Task), "a task")
