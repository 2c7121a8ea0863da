"""Waiting for a panel without blocking the kernel: `await panel.until("all tasks finished")`.

Read next: `script.py`, whose steps wait for the same conditions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from ..errors import TaskrefError
from ..models import TaskStatus
from .side import Side

EVERY = 0.2  # seconds between two looks
Condition = Callable[[Side], str | None]  # what is still open on that side, or None


class StillOpen(TaskrefError, TimeoutError):
    """The condition did not come true in time."""


def _none_left(*statuses: TaskStatus) -> Condition:
    def open_tasks(side: Side) -> str | None:
        counts = side.counts()
        found = [f"{counts[status]} {status}" for status in statuses if counts[status]]
        return f"{' and '.join(found)}" if found else None

    return open_tasks


def _one_runs(side: Side) -> str | None:
    return None if side.counts()[TaskStatus.RUNNING] else "no task runs"


def _no_task_held(side: Side) -> str | None:
    held = [f"{worker.name} {status.state} with task {status.task.id}" for worker in side.workers
            if (status := worker.status).task]  # fmt: skip
    return " and ".join(held) or None


CONDITIONS: dict[str, Condition] = {
    "all tasks finished": _none_left(TaskStatus.PENDING, TaskStatus.RUNNING),
    "no task running": _none_left(TaskStatus.RUNNING),
    "a task running": _one_runs,
    "worker idle": _no_task_held,
    "storm over": lambda side: "clicks are under way" if side.storming else None,
}


def known(condition: str) -> str:
    """The condition; ValueError that lists the known ones if there is none of that name."""
    if condition not in CONDITIONS:
        raise ValueError(f"condition {condition!r} found; one of {', '.join(CONDITIONS)} expected")
    return condition


def still_open(condition: str, sides: Sequence[Side]) -> str | None:
    """What keeps the condition from being true, or None if nothing does on any side."""
    found = {side.name: text for side in sides if (text := CONDITIONS[condition](side))}
    return "; ".join(f"{name}: {text}" for name, text in found.items()) or None


class Until:
    """A wait that begins when it is awaited. Raises StillOpen after `timeout` seconds."""

    def __init__(self, condition: str, sides: Sequence[Side], timeout: float) -> None:
        self._condition = known(condition)
        self._sides = sides
        self._timeout = timeout

    def __repr__(self) -> str:
        return f'not waited yet: write `await panel.until("{self._condition}")`'

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        end = time.monotonic() + self._timeout
        while (left := still_open(self._condition, self._sides)) is not None:
            if time.monotonic() >= end:
                raise StillOpen(
                    f"{self._condition!r} is not true after {self._timeout:g} s: {left}; "
                    "is the worker started, and does nothing hold it up?"
                )
            await asyncio.sleep(EVERY)
