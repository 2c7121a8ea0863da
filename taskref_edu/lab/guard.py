"""What keeps an exploration honest and finite: no connection past the explorer, no actor that never ends.

The audit hook sees every `sqlite3.connect` of the process. Python cannot remove a hook, so there is one, added at
the first exploration, and it does nothing outside of one. The watchdog stops Python code and running SQL. It cannot
stop a call into other C code that does not return, nor a loop around a call that swallows every BaseException.

Read next: `stage.py`.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from typing import Any, Protocol

from greenlet import getcurrent


class Stuck(BaseException):
    """Raised inside an actor that takes too long; not an Exception, so that few handlers swallow it."""


class Turns(Protocol):
    """What the watchdog looks at."""

    turn: int  # rises whenever an actor is let go on
    running: bool

    def interrupt(self) -> None:
        """Stop the SQL that runs; called on the watchdog's thread."""
        ...


class Watchdog:
    """Raises Stuck in the thread that it was started on when one turn takes longer than `patience` seconds."""

    def __init__(self, turns: Turns, patience: float) -> None:
        self.fired_at = -1  # the turn that was stopped
        self.lock = threading.Lock()  # held to look whether a turn goes on, and to end one
        self._turns = turns
        self._patience = patience
        self._victim = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog of an exploration", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()
        self.cancel()

    def _watch(self) -> None:
        turn, since = -1, time.monotonic()
        while not self._ended.wait(min(self._patience / 5, 0.1)):
            with self.lock:
                if self._turns.turn != turn or not self._turns.running:
                    turn, since = self._turns.turn, time.monotonic()
                elif time.monotonic() - since > self._patience:
                    # Again and again, since `except BaseException: pass` in a loop may swallow one.
                    self.fired_at = turn
                    _raise_in(self._victim, Stuck)
                    self._turns.interrupt()

    def cancel(self) -> None:
        """Take back a Stuck that has not been raised yet."""
        if self.fired_at >= 0:
            _raise_in(self._victim, None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error and ctypes.py_object(error))


_guarding = 0  # explorations that are under way, on any thread
_installed = False
_lock = threading.Lock()


def begin_guarding() -> None:
    """Refuse, from now on, connections that an actor opens past its engine."""
    global _guarding, _installed
    with _lock:
        _guarding += 1
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True


def end_guarding() -> None:
    """The end of one exploration."""
    global _guarding
    with _lock:
        _guarding -= 1


def _hook(event: str, _arguments: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect" and _guarding:
        actor = getattr(getcurrent(), "actor", None)
        if actor is not None:
            actor.connects()
