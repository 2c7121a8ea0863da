"""Plays one scenario on a panel: step by step with Next, or all of it with pauses for reading.

The panel's watcher asks whether what a step waits for has come true; there is no thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .conditions import EVERY
from .scenarios import IDLE, Act, scenario

PACE = 4.0  # seconds between two steps when all are played: time to read a sentence


class ScenarioPlayer:
    """One scenario on one panel. `text` is what the learner reads now.

    act(act) does one act of a step; still_open(condition) is what keeps a condition from being true, or None.
    """

    def __init__(self, name: str, act: Callable[[Act], None], still_open: Callable[[str], str | None]) -> None:
        self.name = name
        self._steps = scenario(name)
        self._act = act
        self._still_open = still_open
        self._lock = threading.RLock()  # Next may come on any thread, and the watcher plays by itself
        self._done = 0
        self._waits_for: str | None = None
        self._pace: float | None = None
        self._due = self._check_at = 0.0

    @property
    def ended(self) -> bool:
        """Whether all steps were made, and nothing is waited for."""
        return self._done == len(self._steps) and self._waits_for is None

    @property
    def text(self) -> str:
        """The sentence of the next step; while one is waited for, what for."""
        if self.ended:
            return f"{self.name}: the end. Look at the rows; Run, under More, plays it again."
        if self._waits_for is not None:
            return f"{self.name}, step {self._done} of {len(self._steps)}: waits until {self._waits_for}"
        return f"{self.name}, step {self._done + 1} of {len(self._steps)}: {self._steps[self._done].say}"

    def begin(self) -> None:
        """Wait until the workers that were stopped hold no task."""
        self._waits_for = IDLE if self._still_open(IDLE) is not None else None

    def next(self) -> str | None:
        """Make the next step; a sentence if there is none to make now."""
        with self._lock:
            if self.ended:
                return f"{self.name}: at its end; Run plays it again"
            if self._waits_for is not None:
                return f"{self.name}: not yet, it waits until {self._waits_for}"
            step = self._steps[self._done]
            self._done += 1
            self._waits_for = step.until
            for act in step.acts:
                self._act(act)
        return None

    def play(self, pace: float = PACE) -> None:
        """Make all steps that are left, one each `pace` seconds."""
        self._due, self._pace = time.monotonic(), pace

    def check(self) -> None:
        """See whether the wait is over, and go on if all is to be played. Called by the watcher."""
        with self._lock:
            if self._waits_for is not None:
                if time.monotonic() < self._check_at:
                    return
                self._check_at = time.monotonic() + EVERY
                if self._still_open(self._waits_for) is not None:
                    return
                self._waits_for = None
                self._due = time.monotonic() + (self._pace or 0)
            if self._pace is not None and not self.ended and time.monotonic() >= self._due:
                self.next()
                self._due = time.monotonic() + self._pace
