"""Stops a learner's code: runs a function within a time limit, and ends the threads that it leaves behind.

The explorer's watchdog stops the function, and interrupts SQL on the connections that the run has opened.

Not covered: a long call into C code other than SQLite's; a sleep on another thread than the main one.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..lab.explorer.watchdog import RETRY_EVERY, Watchdog, raise_in_thread

T = TypeVar("T")
THREADS_TIMEOUT = 0.5  # seconds for threads that were left running to end
# Connections opened since a run started, by the run's thread: only these may be interrupted.
_opened: dict[int, list[sqlite3.Connection]] = {}


class OutOfTime(BaseException):
    """Raised inside a function that exceeds its time; not an Exception, so that few handlers swallow it."""


class Limited:
    """One run of a function within `seconds`, watched by the explorer's watchdog as a single turn."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.turn = 0
        self.running = False
        self._thread = threading.get_ident()

    def run(self, function: Callable[[], T]) -> T:
        """Call the function; OutOfTime if it had to be stopped, even if it then returned."""
        _opened[self._thread] = []
        watchdog = Watchdog(self, self.seconds, OutOfTime)
        try:
            self.running = True
            result = function()
        except Exception as error:
            if watchdog.fired_at >= 0:  # such as the error of an interrupted statement
                raise OutOfTime from error
            raise
        finally:
            try:
                self._end(watchdog)
            except OutOfTime:  # it had been raised before it could be withdrawn
                self._end(watchdog)
        if watchdog.fired_at >= 0:
            raise OutOfTime
        return result

    def _end(self, watchdog: Watchdog) -> None:
        with watchdog.lock:
            self.running = False
        watchdog.close()
        _opened.pop(self._thread, None)

    def interrupt(self) -> None:
        """Stop the SQL of the run; called on the watchdog's thread."""
        for connection in list(_opened.get(self._thread, ())):
            with contextlib.suppress(sqlite3.Error):
                connection.interrupt()


def _note_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect/handle" and (opened := _opened.get(threading.get_ident())) is not None:
        opened.append(arguments[0])


sys.addaudithook(_note_connection)  # Python cannot remove an audit hook; outside a run this one does nothing


@contextlib.contextmanager
def threads_ended(filename: str) -> Iterator[list[str]]:
    """Afterwards end new threads that still run code of `filename`; yields a list that then names those that run on."""
    before = set(threading.enumerate())
    stubborn: list[str] = []
    try:
        yield stubborn
    finally:
        left = [thread for thread in threading.enumerate() if thread not in before and _runs(thread, filename)]
        if left:
            stubborn += _end(left)


def _end(threads: list[threading.Thread]) -> list[str]:
    """Raise SystemExit in these threads repeatedly; returns the names of those that run on."""
    deadline = time.monotonic() + THREADS_TIMEOUT
    hook, threading.excepthook = threading.excepthook, lambda _: None  # pytest's hook would report SystemExit
    try:
        while threads and time.monotonic() < deadline:
            for thread in threads:
                raise_in_thread(thread.ident or 0, SystemExit)
            threads[0].join(RETRY_EVERY)
            threads = [thread for thread in threads if thread.is_alive()]
    finally:
        threading.excepthook = hook
    return [thread.name for thread in threads]


def _runs(thread: threading.Thread, filename: str) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_filename == filename:
            return True
        frame = frame.f_back
    return False
