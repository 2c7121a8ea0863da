"""Waiting for a panel without blocking the kernel: `await panel.until("all tasks finished")`.

Read next: `script.py`, whose steps wait for the same conditions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from ...errors import TaskrefError
from ...models import TaskStatus
from .side import Side

if TYPE_CHECKING:
    from .actions import PanelActions

EVERY = 0.2  # seconds between two looks
Condition = Callable[["PanelActions"], str | None]  # what is still open, or None


class StillOpen(TaskrefError, TimeoutError):
    """The condition did not come true in time."""


def _on_each(open_on: Callable[[Side], str | None]) -> Condition:
    def open_anywhere(actions: PanelActions) -> str | None:
        found = {side.name: text for side in actions.sides if (text := open_on(side))}
        return "; ".join(f"{name}: {text}" for name, text in found.items()) or None

    return open_anywhere


def _none_left(*statuses: TaskStatus) -> Condition:
    def left(side: Side) -> str | None:
        counts = side.counts()
        return " and ".join(f"{counts[status]} {status}" for status in statuses if counts[status]) or None

    return _on_each(left)


def _none_runs(side: Side) -> str | None:
    return None if side.counts()[TaskStatus.RUNNING] else "no task runs"


def _held(side: Side) -> str | None:
    statuses = {worker.name: worker.status for worker in side.pool.holders}
    held = [f"{name} {status.state} with task {status.task.id}" for name, status in statuses.items() if status.task]
    return " and ".join(held) or None


def _scenario_left(actions: PanelActions) -> str | None:
    return None if actions.script is None or actions.script.ended else actions.script.text


CONDITIONS: dict[str, Condition] = {
    "all tasks finished": _none_left(TaskStatus.PENDING, TaskStatus.RUNNING),
    "no task running": _none_left(TaskStatus.RUNNING),
    "a task running": _on_each(_none_runs),
    "worker idle": _on_each(_held),
    "storm over": _on_each(lambda side: "clicks are under way" if side.storming else None),
    "scenario over": _scenario_left,
}


def known(condition: str) -> str:
    """The condition; ValueError that lists the known ones if there is none of that name."""
    if condition not in CONDITIONS:
        raise ValueError(f"condition {condition!r} found; one of {', '.join(CONDITIONS)} expected")
    return condition


class Until:
    """A wait that begins when it is awaited. Raises StillOpen after `timeout` seconds."""

    def __init__(self, condition: str, actions: PanelActions, timeout: float) -> None:
        self._condition = known(condition)
        self._actions = actions
        self._timeout = timeout

    def __repr__(self) -> str:
        return f'not waited yet: write `await panel.until("{self._condition}")`'

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        end = time.monotonic() + self._timeout
        while (left := CONDITIONS[self._condition](self._actions)) is not None:
            if time.monotonic() >= end:
                raise StillOpen(
                    f"{self._condition!r} is not true after {self._timeout:g} s: {left}; "
                    "is the worker started, and does nothing hold it up?"
                )
            await asyncio.sleep(EVERY)
