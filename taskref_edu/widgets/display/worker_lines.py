"""The state of each worker of a side, in words: `busy with task 3 since 2 s, then pauses`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ...arguments import shorten
from ...worker.worker import Worker, WorkerStatus

LONGEST_ERROR = 300
SHAPES = {"stopped": "■", "idle": "○", "busy": "▶", "paused": "‖", "blocked": "✖", "unresponsive": "⚠", "dead": "✝"}


class WorkerLines:
    """shown: the lines as data for the browser, which counts the seconds itself.

    began: when the worker began its task, in seconds since 1970.
    """

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self._seen: list[tuple[str, int | None, str, str]] = []  # what the lines depend on, except the time

    @property
    def holders(self) -> dict[int, str]:
        return {one["task"]: one["name"].lower() for one in self.shown if one["task"] is not None}

    def look(self, workers: Sequence[Worker]) -> bool:
        """Read the workers' states; return whether any has changed since the last call."""
        statuses = [worker.status for worker in workers]
        seen = [(one.state, one.task.token if one.task else None, *_words(one)) for one in statuses]
        if seen == self._seen:
            return False
        names = ["Worker"] if len(statuses) == 1 else [f"Worker {number}" for number in range(1, len(statuses) + 1)]
        self._seen, self.shown = seen, [*map(_line, names, statuses)]
        return True


def _line(name: str, status: WorkerStatus) -> dict[str, Any]:
    before, after = _words(status)
    before = shorten(before, LONGEST_ERROR)
    line = {"name": name, "state": status.state, "shape": SHAPES[status.state], "before": before, "after": after}
    began = round(time.time() - (time.monotonic() - status.since), 1) if status.task else None
    return line | {"began": began, "task": status.task.id if status.task else None}


def _words(status: WorkerStatus) -> tuple[str, str]:
    """The text before the seconds, if there are any, and the text after them."""
    if status.task is not None:
        then = ", then stops" if status.stopping else ", then pauses" if status.pausing else ""
        attempt = f", attempt {status.task.attempt}," if status.task.attempt > 1 else ""
        return f"{status.state} with task {status.task.id}{attempt} since ", then
    return (f"{status.state}: {status.error}" if status.state in ("blocked", "dead") else status.state), ""
