"""The conditions that a panel knows by name, and how to wait for one without blocking the kernel.

`await panel.until("all tasks finished")`, scenarios and checklists use the same conditions: the names in NAMED, or a
comparison of one of COUNTED with a number, such as "orders >= 3". On a panel with both approaches, a condition must be
true on each side.
"""

from __future__ import annotations

import asyncio
import operator
import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from ...errors import TaskrefError
from ...models import TaskStatus
from .side import Side

EVERY = 0.2  # seconds between two checks
OnSide = Callable[[Side], str | None]  # what is missing on that side, or None
SCENARIO_OVER = "scenario over"  # a condition of the panel, not of a side
COUNTED = ("orders", "paid", "tasks", *(str(status) for status in TaskStatus))
COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}
_COMPARISON = re.compile(rf"({'|'.join(COUNTED)}) *({'|'.join(COMPARISONS)}) *(\d+)")


class StillOpen(TaskrefError, TimeoutError):
    """The condition did not become true in time."""


def _none_left(*statuses: TaskStatus) -> OnSide:
    def left(side: Side) -> str | None:
        counts = side.counts()
        return " and ".join(f"{counts[status]} {status}" for status in statuses if counts[status]) or None

    return left


def _holders(side: Side) -> str | None:
    statuses = {worker.name: worker.status for worker in side.pool.holders}
    held = [f"{name} {status.state} with task {status.task.id}" for name, status in statuses.items() if status.task]
    return " and ".join(held) or None


NAMED: dict[str, OnSide] = {
    "all tasks finished": _none_left(TaskStatus.PENDING, TaskStatus.RUNNING),
    "no task running": _none_left(TaskStatus.RUNNING),
    "a task running": lambda side: None if side.counts()[TaskStatus.RUNNING] else "no task runs",
    "worker started": lambda side: None if side.pool.is_running else "the worker is not started",
    "worker idle": _holders,
    "storm over": lambda side: "clicks are under way" if side.storming else None,
}


def on_side(condition: str) -> OnSide:
    """The condition as a function; ValueError, with the list, if there is none of this name."""
    if condition in NAMED:
        return NAMED[condition]
    holds, what = comparison(condition), re.split(r"\W", condition.strip())[0]
    return lambda side: None if holds(counts := side.counts()) else f"{counts[what]} {what}"


def comparison(text: str) -> Callable[[Mapping[str, int]], bool]:
    """A comparison such as "orders >= 3", as a function of what was counted. ValueError, with what is known, else."""
    if (found := _COMPARISON.fullmatch(text.strip())) is None:
        known = f"{', '.join([*NAMED, SCENARIO_OVER])}, or a comparison such as 'orders >= 3' of {', '.join(COUNTED)}"
        raise ValueError(f"condition {text!r} found; one of {known} expected")
    what, sign, number = found.groups()
    return lambda counts: COMPARISONS[sign](counts[what], int(number))


def still_open(condition: str, sides: Iterable[Side]) -> str | None:
    """Why the condition is not true yet; None if it is. ValueError as in on_side()."""
    open_on = on_side(condition)
    found = {side.name: text for side in sides if (text := open_on(side))}
    return "; ".join(f"{name}: {text}" for name, text in found.items()) or None


class Until:
    """A wait that starts when it is awaited. Raises StillOpen after `timeout` seconds."""

    def __init__(self, condition: str, still_open: Callable[[], str | None], timeout: float) -> None:
        self._condition = condition
        self._still_open = still_open
        self._timeout = timeout

    def __repr__(self) -> str:
        return f'not waited yet: write `await panel.until("{self._condition}")`'

    def __await__(self) -> Generator[Any, None, None]:
        end = time.monotonic() + self._timeout
        while (left := self._still_open()) is not None:
            if time.monotonic() >= end:
                raise StillOpen(
                    f"{self._condition!r} is not true after {self._timeout:g} s: {left}; "
                    "is the worker started, and does nothing hold it up?"
                )
            yield from asyncio.sleep(EVERY).__await__()
