"""Stops an actor that never ends.

The watchdog stops Python code and running SQL. On the main thread of a POSIX system it sends a signal, so it also stops
an actor that sleeps, or waits for a Python lock that another actor holds. It cannot stop a call into other C code that
does not return, nor a loop around a call that swallows every BaseException.

On Linux, time in which the thread was runnable but got no processor does not count: a busy machine must not make an
actor look hung.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Protocol

RETRY_EVERY = 0.02  # seconds between two attempts to stop the actor


class Hung(BaseException):
    """Raised inside an actor that takes too long; not an Exception, so that few handlers swallow it."""


def stuck_at(stuck: Hung) -> str:
    """The line that it was raised at: `, at "lock.acquire()" (click, line 7)`."""
    frames = [frame for frame in traceback.extract_tb(stuck.__traceback__) if frame.filename != __file__]
    return f', at "{frames[-1].line}" ({frames[-1].name}, line {frames[-1].lineno})' if frames else ""


class Turns(Protocol):
    """What the watchdog watches."""

    turn: int  # incremented whenever an actor is resumed
    running: bool

    def interrupt(self) -> None:
        """Stop the SQL that runs; called on the watchdog's thread."""
        ...


def seconds_without_processor(thread: int) -> float:
    """How long a thread of this process, by its native id, was runnable but not running; 0 if that is unknown."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class Watchdog:
    """Raises `error` in the thread that created it when one turn takes longer than `patience` seconds.

    Several may watch one thread, such as an exercise's time limit and, inside it, an exploration's.
    """

    def __init__(self, turns: Turns, patience: float, error: type[BaseException] = Hung) -> None:
        self.fired_at = -1  # the turn that was stopped
        self.lock = threading.Lock()  # held while checking whether a turn is running, and while ending one
        self._turns = turns
        self._patience = patience
        self._error = error
        self._victim = threading.get_ident()
        self._native_id = threading.get_native_id()
        self._ended = threading.Event()
        # SIGURG is ignored by default, and no library here uses it.
        self._by_signal = hasattr(signal, "pthread_kill") and threading.current_thread() is threading.main_thread()
        self._former = signal.signal(signal.SIGURG, self._woken) if self._by_signal else None
        self._thread = threading.Thread(target=self._watch, name="watchdog of an exploration", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()
        self.cancel()
        if self._by_signal:
            signal.signal(signal.SIGURG, self._former)

    def _watch(self) -> None:
        turn, since = self._turns.turn, self._now()
        while not self._ended.wait(RETRY_EVERY if turn == self.fired_at else min(self._patience / 5, 0.1)):
            with self.lock:
                if self._turns.turn != turn or not self._turns.running:
                    turn, since = self._turns.turn, self._now()
                elif self._now() - since > self._patience:
                    # Repeated, since `except BaseException: pass` in a loop may swallow one.
                    self.fired_at = turn
                    self._turns.interrupt()
                    if self._by_signal:
                        signal.pthread_kill(self._victim, signal.SIGURG)
                    else:
                        raise_in_thread(self._victim, self._error)

    def _now(self) -> float:
        return time.monotonic() - seconds_without_processor(self._native_id)

    def _woken(self, number: int, frame: FrameType | None) -> None:
        """On the main thread, wherever the actor is, a lock's acquire() included."""
        if self._turns.running and self._turns.turn == self.fired_at:
            raise self._error
        if callable(self._former):  # the signal was meant for an outer watchdog
            self._former(number, frame)

    def cancel(self) -> None:
        """Withdraw an error that has not been raised yet."""
        if self.fired_at >= 0 and not self._by_signal:
            raise_in_thread(self._victim, None)


def raise_in_thread(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in another thread at its next bytecode; None withdraws one that was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error and ctypes.py_object(error))
