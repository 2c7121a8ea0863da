"""Run a function so that it ends in time and leaves the process as it found it.

On the main thread a repeating SIGALRM raises inside the function, also in one that swallows exceptions; on
another thread, and on Windows, a watchdog does it with PyThreadState_SetAsyncExc, which cannot interrupt a
sleep. SQL that runs on is interrupted at its connections. What cannot be stopped: one long call into C that is
not SQLite's, and `os._exit`. Read next: `checking.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
AGAIN = 0.02  # seconds between two tries to stop a function that is over its time
# Attributes that Python, pydantic and SQLAlchemy replace by themselves.
FILLED_IN = frozenset({"_", "__doc__", "__annotations__", "__abstractmethods__", "__warningregistry__", "_abc_impl"})
THREADS_TIMEOUT = 0.5  # seconds for threads that were left running to end
# Connections made since a run began, by the run's thread: these may be interrupted, and no others.
_opened: dict[int, list[sqlite3.Connection]] = {}


class OutOfTime(BaseException):
    """Raised inside a function that is over its time; not an Exception, so that few handlers swallow it."""


class Limited:
    """One run of a function under a limit of `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._over = True  # no function of ours is running
        self._done = threading.Event()
        self._thread = threading.get_ident()
        self._by_signal = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()

    def run(self, function: Callable[[], T]) -> T:
        """Call the function; OutOfTime if it had to be stopped, even if it then returned."""
        watchdog = threading.Thread(target=self._watch, name="exercise time limit", daemon=True)
        with self._alarm():
            _opened[self._thread] = []
            watchdog.start()
            try:
                self._over = False
                result = function()
            except Exception as error:
                if self.expired:  # what an interrupted statement raised, for one
                    raise OutOfTime from error
                raise
            finally:
                self._over = True  # from here on nobody raises, save what is on its way already
                try:
                    self._finish(watchdog)
                except OutOfTime:
                    self._finish(watchdog)
        if self.expired:
            raise OutOfTime
        return result

    def _finish(self, watchdog: threading.Thread) -> None:
        self._done.set()
        watchdog.join()  # once it has ended, nothing new can be on its way
        _opened.pop(self._thread, None)
        if not self._by_signal:
            _raise_in(self._thread, None)

    @contextlib.contextmanager
    def _alarm(self) -> Iterator[None]:
        if not self._by_signal:
            yield
            return
        before = signal.signal(signal.SIGALRM, self._on_alarm)
        # An outer limit of somebody else's goes on afterwards, shortened by what was used up.
        outer, repeat = signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)
        began = time.monotonic()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if outer:
                signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (time.monotonic() - began)), repeat)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        self.expired = True
        # In this module, before the function begins and after it ended, there is nothing to stop: it would escape.
        if not self._over and (frame is None or frame.f_globals.get("__name__") != __name__):
            raise OutOfTime

    def _watch(self) -> None:
        if self._done.wait(self.seconds):
            return
        self.expired = True
        while not self._done.wait(AGAIN) and not self._over:
            for connection in list(_opened.get(self._thread, ())):
                with contextlib.suppress(sqlite3.Error):
                    connection.interrupt()
            if not self._by_signal and not self._over:
                _raise_in(self._thread, OutOfTime)


def _note_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect/handle" and (opened := _opened.get(threading.get_ident())) is not None:
        opened.append(arguments[0])


sys.addaudithook(_note_connection)  # Python cannot take a hook back; outside a run this one does nothing


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise in another thread at its next bytecode; None takes back what was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)


@contextlib.contextmanager
def threads_ended(filename: str) -> Iterator[list[str]]:
    """End new threads that still run code of `filename`; yields a list that then names those that would not end."""
    before = set(threading.enumerate())
    stubborn: list[str] = []
    try:
        yield stubborn
    finally:
        left = [thread for thread in threading.enumerate() if thread not in before and _runs(thread, filename)]
        if left:
            stubborn += _end(left)


def _end(threads: list[threading.Thread]) -> list[str]:
    """Raise SystemExit in these threads, again and again; the names of those that outlive our patience."""
    deadline = time.monotonic() + THREADS_TIMEOUT
    hook, threading.excepthook = threading.excepthook, lambda _: None  # a hook of pytest's reports SystemExit, too
    try:
        while threads and time.monotonic() < deadline:
            for thread in threads:
                _raise_in(thread.ident or 0, SystemExit)
            threads[0].join(AGAIN)
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


@contextlib.contextmanager
def library_restored() -> Iterator[list[str]]:
    """Undo what the block patches in this package and in a few modules it relies on; yields what was patched."""
    holders = list(_holders())
    before = [(holder, dict(vars(holder))) for holder in holders]
    patched: list[str] = []
    try:
        yield patched
    finally:
        for holder, names in before:
            patched += [f"{holder.__name__}.{name}" for name in _restore(holder, names)]


def _holders() -> Iterator[Any]:
    """The modules and classes whose attributes are watched."""
    package = __name__.partition(".")[0]
    watched = ("builtins", "json", "random", "sqlite3", "threading", "time", "sqlmodel.orm.session")
    for name, module in list(sys.modules.items()):
        ours = name == package or name.startswith(f"{package}.")
        if module is not None and (ours or name in watched):
            yield module
            if ours or name == "sqlmodel.orm.session":
                yield from (
                    kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == name
                )


def _restore(holder: Any, names: dict[str, Any]) -> list[str]:
    """Set back what is no longer the same object; what is new stays, because lazy imports and mappers add names."""
    now = dict(vars(holder))
    restored = []
    for name, value in names.items():
        if now.get(name, holder) is not value and _is_patch(holder, name, value):
            # Past a metaclass: SQLModel's would map the attribute anew.
            set_back = type.__setattr__ if isinstance(holder, type) else setattr
            with contextlib.suppress(AttributeError, TypeError):
                set_back(holder, name, value)
                restored.append(name)
    return restored


def _is_patch(holder: Any, name: str, value: Any) -> bool:
    """A module replaces its own state, a class what is private; functions, classes and constants neither does."""
    fixed = not name.startswith("_") if isinstance(holder, type) else name.isupper()
    return name not in FILLED_IN and (fixed or callable(value))
