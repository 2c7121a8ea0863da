"""Sends a picture what has changed, one message for each read; or the whole state, if a page requests it.

Called by the watcher; after the panel has stopped, by the kernel when a page is reloaded.
"""

from __future__ import annotations

import time
from typing import Any

from .details import details_of_order, details_of_task
from .events import KEPT, Line, Timeline, Ways
from .picture import NONE_OPEN, Opened, Picture
from .row_messages import RowDeltas
from .rows import Rows
from .worker_lines import WorkerLines

UNASKED = 1.0  # seconds between two states sent before a page has requested one: a busy kernel receives requests late


class Messenger:
    """Collects with add() what the page does not know yet, sends it with tell(). every: seconds between messages."""

    def __init__(
        self, picture: Picture, approach: str, timeline: Timeline, workers: WorkerLines, every: float = 0.0
    ) -> None:
        self.every = every
        self._picture, self._approach = picture, approach
        self._timeline, self._workers = timeline, workers
        self._told = RowDeltas(approach)
        self._rows = Rows()
        self._lines: list[Line] = []
        self._ways: Ways = {}
        self._opened = NONE_OPEN
        self._new_rows = self._new_workers = True
        picture.snapshot = self.snapshot
        self._told_at: float | None = None  # on the clock of time.monotonic()
        self._ended_at: float | None = None  # in seconds since 1970

    def add(self, rows: Rows, lines: list[Line], new_workers: bool) -> None:
        """Add the state of one read, the events since the last one, and whether a worker's state is new."""
        self._new_rows = self._new_rows or rows is not self._rows
        self._new_workers = self._new_workers or new_workers
        self._rows = rows
        self._lines += lines
        self._ways |= self._timeline.latest_ways

    def end(self) -> None:
        """Send what is due, and that nothing follows: the seconds on the page stand still from now on."""
        self.every, self._ended_at = 0.0, time.time()
        self.tell()

    def snapshot(self) -> dict[str, Any]:
        """The whole present state, for a new page. May be called on any thread."""
        return self._everything(RowDeltas(self._approach))

    def tell(self) -> None:
        """Send what is due, unless the last message was sent just before."""
        if self._told_at is not None and time.monotonic() - self._told_at < self.every:
            return
        hello, opened = self._picture.asked()
        if hello or not self._picture.seen:
            self._tell_everything(hello)
        elif told := self._due(opened):
            self._told_at = time.monotonic()
            self._picture.tell("patch", told)

    def _due(self, opened: Opened) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self._lines:
            told["events"] = self._lines[-KEPT:]
        if self._new_workers:
            told["workers"] = self._workers.shown
        if (self._new_rows and any(opened.values())) or opened != self._opened:
            told["details"] = self._details(opened)
        if self._new_rows:
            told |= self._told.changes(self._rows)
        if self._ways:
            told["ways"] = self._ways
        self._opened = opened
        self._nothing_due()
        return told | self._clock() if told or self._ended_at is not None else told

    def _tell_everything(self, hello: bool) -> None:
        now = time.monotonic()
        waits = self._told_at is not None and now - self._told_at < UNASKED
        if not hello and (waits or not (self._new_rows or self._new_workers or self._lines)):
            return
        everything = self._everything(self._told)
        self._told_at, self._opened = now, NONE_OPEN  # their details follow with the next message
        self._nothing_due()
        if hello:
            self._picture.tell("everything", everything)
        self._picture.begin_with(None if hello else everything)

    def _everything(self, deltas: RowDeltas) -> dict[str, Any]:
        timeline = self._timeline
        told = {"workers": self._workers.shown, "events": list(timeline.lines), "ways": dict(timeline.ways)}
        return deltas.everything(self._rows) | told | self._clock()

    def _clock(self) -> dict[str, Any]:
        return {"now": time.time()} if self._ended_at is None else {"now": self._ended_at, "ended": True}

    def _nothing_due(self) -> None:
        self._lines, self._ways = [], {}
        self._new_rows = self._new_workers = False

    def _details(self, opened: Opened) -> dict[str, Any]:
        rows, approach = self._rows, self._approach
        return {
            "orders": {n: details_of_order(order, rows) for n in opened["orders"] if (order := rows.order(n))},
            "tasks": {n: details_of_task(task, rows, approach) for n in opened["tasks"] if (task := rows.task(n))},
        }
