"""When an exploration stops: after a number of real runs or seconds, at the first break, or when the user stops it.

Apart from the progress bar, which only displays, and from `Limits`, which stop a single actor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .progress_bar import Bar

MAX_RUNS = 20_000
Progress = Callable[[int], object]


class Budget:
    """Counts an exploration's runs and seconds, and shows them. Use it in a `with` block.

    reason: why it must stop, in words; "" while it may continue.
    """

    def __init__(
        self,
        runs: int = MAX_RUNS,
        seconds: float | None = None,
        stop_at_first: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.runs = 0
        self.reason = ""
        self.stopped_by_user = False
        self.bar = Bar()
        self._most, self._seconds = runs, seconds
        self._end = float("inf") if seconds is None else time.monotonic() + seconds
        self._stop_at_first, self._progress = stop_at_first, progress

    def __enter__(self) -> Budget:
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def ran(self, broken: bool) -> None:
        """Count one more schedule that was run for real."""
        self.runs += 1
        if broken and self._stop_at_first:
            self.reason = "stopped at the first schedule that breaks"
        elif self.runs >= self._most:
            self.reason = f"{self._most:,} schedules were run for real (max_runs= allows more)"
        if self._progress is not None and self._progress(self.runs) is True:
            self.stopped_by_user, self.reason = True, "stopped by you"
        self.must_stop()

    def must_stop(self) -> bool:
        """Whether the exploration must stop. Updates the progress bar."""
        if time.monotonic() > self._end:
            self.reason = self.reason or f"{self._seconds:g} seconds have passed (seconds= allows more)"
        if self.bar.passed(self.runs):
            self.stopped_by_user, self.reason = True, "stopped by you"
        return bool(self.reason)
