"""The events of one side with their times, in a list of bounded length. Read next: `events.py`."""

from __future__ import annotations

import time
from collections import deque

from .events import Event, changes
from .rows import Rows

KEPT = 1_000
Line = tuple[float, str, int | None]  # seconds since the start, what happened, the order that it is about


class Timeline:
    """Written by the watcher; only note() may be called on any thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._notes: deque[tuple[float, Event]] = deque(maxlen=KEPT)
        self.lines: deque[Line] = deque(maxlen=KEPT)
        self._seen = False

    def note(self, event: Event) -> None:
        """Something that no row tells. It is shown at the next look."""
        self._notes.append((time.monotonic(), event))

    def look(self, before: Rows, after: Rows) -> list[Line]:
        """The new lines: what the rows tell, and what was noted meanwhile. What the first look finds is no event."""
        now = time.monotonic()
        found = [(now, event) for event in changes(before, after)] if self._seen and after is not before else []
        self._seen = True
        while self._notes:
            found.append(self._notes.popleft())
        new = [(round(at - self._began, 2), event.text, event.order) for at, event in found]
        self.lines.extend(new)
        return new
