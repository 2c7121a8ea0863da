"""Shows the progress of a long exploration and lets you stop it: a bar in a notebook, a line in a terminal.

It appears after half a second and disappears at the end. While it is shown, an interrupt (■ in JupyterLab, Control-C in
a terminal) ends the exploration after the current schedule; a second one interrupts at once. A button in the
notebook would not work: its click is handled only after the cell has ended.

Not covered: explorations on other threads than the main one.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ...arguments import counted
from ...clone import running_ipython

AFTER = 0.5  # seconds until it appears
EVERY = 0.25  # seconds between two updates
_whole_only = False


@contextmanager
def whole_only() -> Iterator[None]:
    """Inside, an interrupt raises KeyboardInterrupt: half an exploration must not be judged as if it were complete."""
    global _whole_only
    before, _whole_only = _whole_only, True
    try:
        yield
    finally:
        _whole_only = before


class Bar:
    """Shows how many schedules have been run for real."""

    def __init__(self) -> None:
        self.stopped = False
        self.share: Callable[[], float] | None = None  # the estimated fraction that is done
        self._most = 0.0
        self._began = time.monotonic()
        self._next = self._began + AFTER
        self._place: _Terminal | _Notebook | None = None
        self._former: Any = None

    def close(self) -> None:
        """Remove it."""
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
        if self._place is not None:
            self._place.clear()

    def passed(self, count: int) -> bool:
        """`count` schedules have been run; returns whether to stop."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            self._show(count, now - self._began)
        return self.stopped

    def _show(self, count: int, seconds: float) -> None:
        if self._place is None:
            self._place = _place()
            if self._place is None:
                self._next = float("inf")
                return
            if not _whole_only and callable(signal.getsignal(signal.SIGINT)):
                self._former = signal.signal(signal.SIGINT, self._interrupted)
        if self.share is not None:
            self._most = max(self._most, min(1.0, self.share()))  # the shown estimate never falls
        done = f", about {self._most:.0%} done" if self.share else ""
        self._place.show(f"{counted(count, 'run')}, {count / seconds:,.0f} a second{done}", self._most or None)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            self._former(number, frame)
        self.stopped = True


def _place() -> _Terminal | _Notebook | None:
    """Where it is shown."""
    if threading.current_thread() is not threading.main_thread():
        return None
    shell = running_ipython()
    if hasattr(shell, "kernel"):
        return _Notebook()
    return _Terminal() if sys.stderr.isatty() else None


class _Terminal:
    """A line on standard error, overwritten at each update."""

    def show(self, text: str, share: float | None) -> None:
        print(f"\r\x1b[K{text}; Control-C stops", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class _Notebook:
    """An output of the running cell."""

    def __init__(self) -> None:
        self._display: Any = None

    def show(self, text: str, share: float | None) -> None:
        value = "" if share is None else f" value='{share:.3f}'"
        bar = f"<progress max='1'{value} aria-label='Schedules run' style='vertical-align:middle'></progress>"
        stop = "<strong>Stop:</strong> press ■ above the notebook, or <kbd>Esc</kbd>, <kbd>I</kbd>, <kbd>I</kbd>"
        self._update({"text/html": f"<div>{bar} {text}. {stop}</div>", "text/plain": text})

    def clear(self) -> None:
        self._update({})

    def _update(self, data: dict[str, str]) -> None:
        from IPython.display import DisplayHandle

        if self._display is None:
            self._display = DisplayHandle()
            self._display.display(data, raw=True)
        else:
            self._display.update(data, raw=True)
