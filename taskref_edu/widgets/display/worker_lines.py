"""The state of each worker of a side, in words: `busy with task 3 since 2 s, then pauses`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ...worker.worker import Worker, WorkerStatus
from .html_tables import shown

STATE_SHAPES = {
    "stopped": "■",
    "idle": "○",
    "busy": "▶",
    "paused": "‖",
    "blocked": "✖",
    "unresponsive": "⚠",
    "dead": "✝",
}


class WorkerLines:
    """`value` is the lines as HTML, `shown` as the browser draws them: it counts the seconds by itself."""

    def __init__(self) -> None:
        self.value = ""
        self.shown: list[dict[str, Any]] = []
        self._statuses: list[WorkerStatus] = []

    @property
    def holders(self) -> dict[int, str]:
        """The name of the worker that runs each task."""
        return {one["task"]: one["name"].lower() for one in self.shown if one["task"] is not None}

    def look(self, workers: Sequence[Worker]) -> bool:
        """Look at the workers; whether somebody's state is another than at the last look."""
        statuses, before = [worker.status for worker in workers], self._statuses
        now = time.monotonic()
        names = ["Worker"] if len(statuses) == 1 else [f"Worker {number}" for number in range(1, len(statuses) + 1)]
        self.value = "".join(map(worker_line, names, statuses, [now] * len(statuses)))
        self._statuses = statuses
        if [*map(_visible, statuses)] == [*map(_visible, before)]:
            return False
        self.shown = [_as_shown(name, status, now) for name, status in zip(names, statuses, strict=True)]
        return True


def worker_line(name: str, status: WorkerStatus, now: float) -> str:
    """One worker's line as HTML."""
    before, after = _words(status)
    words = f"{before}{now - status.since:.0f} s{after}" if status.task is not None else before
    return (
        f'<div class="taskref-worker">{name}: <span aria-hidden="true">{STATE_SHAPES[status.state]}</span>'
        f' <strong class="taskref-state">{shown(words)}</strong></div>'
    )


def _words(status: WorkerStatus) -> tuple[str, str]:
    """What stands before the seconds, if there are any, and what stands behind them."""
    if status.task is not None:
        then = ", then stops" if status.stopping else ", then pauses" if status.pausing else ""
        attempt = f", attempt {status.task.attempt}," if status.task.attempt > 1 else ""
        return f"{status.state} with task {status.task.id}{attempt} since ", then
    return (f"{status.state}: {status.error}" if status.state in ("blocked", "dead") else status.state), ""


def _visible(status: WorkerStatus) -> tuple[object, ...]:
    """What a line depends on, the time aside."""
    token = None if status.task is None else status.task.token
    return status.state, token, *_words(status)


def _as_shown(name: str, status: WorkerStatus, now: float) -> dict[str, Any]:
    before, after = _words(status)
    busy = status.task is not None
    return {
        "name": name,
        "state": status.state,
        "shape": STATE_SHAPES[status.state],
        "before": before[:300],
        "seconds": round(now - status.since, 1) if busy else None,
        "after": after,
        "task": status.task.id if status.task is not None else None,
    }
