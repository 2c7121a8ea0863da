"""Runs a function within a time limit, and restores the process afterwards. This is what stops a learner's code.

The explorer's watchdog stops the function, and interrupts SQL on the connections that the run has opened.

Not covered: a long call into C code other than SQLite's; a sleep on another thread than the main one; `os._exit`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ..clone import FIRST_NOTEBOOK, root
from ..lab.explorer.watchdog import RETRY_EVERY, Watchdog, raise_in_thread
from ..models import Base

T = TypeVar("T")
# Attributes that Python, pydantic and SQLAlchemy themselves replace.
FILLED_IN = frozenset({"_", "__doc__", "__annotations__", "__abstractmethods__", "__warningregistry__", "_abc_impl"})
PACKAGE = __name__.partition(".")[0]
PRINTED_LINES, PRINTED_WIDTH = 50, 500
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


class Printed(io.TextIOBase):
    """Keeps the first lines written to it, each shortened: a loop that prints must not fill the notebook."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> int:
        """Keep the text as far as there is room."""
        if self._text.count("\n") < PRINTED_LINES:
            self._text += text[: PRINTED_LINES * PRINTED_WIDTH]
        return len(text)

    @property
    def lines(self) -> list[str]:
        """The lines that were kept."""
        return [line[:PRINTED_WIDTH] for line in self._text.splitlines()[:PRINTED_LINES]]


@dataclass
class Contained:
    """What a contained block printed, and what it changed in the process, a sentence for each change."""

    printed: Printed = field(default_factory=Printed)
    notes: list[str] = field(default_factory=list)


@contextlib.contextmanager
def process_restored() -> Iterator[Contained]:
    """Capture what the block prints, and restore the working directory, environment, output and import path.

    Inside, files beside the notebook cannot be imported, because a terminal or a grader would find other ones. Warnings
    are ignored, because in some environments they are errors.
    """
    contained = Contained()
    folder, environment, path = _working_directory(), dict(os.environ), list(sys.path)
    streams, depth = (sys.stdout, sys.stderr, sys.stdin), sys.getrecursionlimit()
    beside = _modules_beside_the_notebook(folder)
    indexes = {table: set(table.indexes) for table in Base.metadata.tables.values()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.stdout = sys.stderr = contained.printed
            yield contained
    finally:
        for table, known in indexes.items():  # an `Index(…)` on one of our columns would be in every later database
            table.indexes.intersection_update(known)
        sys.modules.update(beside)
        sys.path[:] = path
        if sys.stdout is not contained.printed or sys.stderr is not contained.printed or sys.stdin is not streams[2]:
            contained.notes.append("The code replaced `sys.stdout`, `sys.stderr` or `sys.stdin`; it was put back.")
        sys.stdout, sys.stderr, sys.stdin = streams
        if sys.getrecursionlimit() != depth:
            contained.notes.append("The code changed the recursion limit; it was put back.")
            sys.setrecursionlimit(depth)
        if os.environ != environment:
            contained.notes.append("The code changed the environment variables; they were put back.")
            os.environ.clear()
            os.environ.update(environment)
        if _working_directory() != folder and folder is not None:
            contained.notes.append("The code changed the working directory; it was put back.")
            with contextlib.suppress(OSError):
                os.chdir(folder)


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


def _modules_beside_the_notebook(folder: Path | None) -> dict[str, ModuleType]:
    """Make modules in the learner's own folders unimportable; returns those that were loaded."""
    clone = root()
    folders = {folder, clone, clone / FIRST_NOTEBOOK.parent}
    sys.path[:] = [place for place in sys.path if (Path(place).absolute() if place else folder) not in folders]
    own = {
        name
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None)) and "." not in name and name not in ("__main__", PACKAGE)
        if (Path(file).parent.parent if Path(file).stem == "__init__" else Path(file).parent) in folders
    }
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in own}


@contextlib.contextmanager
def library_restored() -> Iterator[list[str]]:
    """Undo the block's patches to this package and to a few modules it relies on; yields a list of what was patched."""
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
    watched = ("builtins", "json", "random", "sqlite3", "threading", "time", "sqlmodel.orm.session")
    for name, module in list(sys.modules.items()):
        ours = name == PACKAGE or name.startswith(f"{PACKAGE}.")
        if module is not None and (ours or name in watched):
            yield module
            if ours or name == "sqlmodel.orm.session":
                yield from (
                    kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == name
                )


def _restore(holder: Any, names: dict[str, Any]) -> list[str]:
    """Restore attributes that were replaced; new ones stay, because lazy imports and mappers add names."""
    now = dict(vars(holder))
    restored = []
    for name, value in names.items():
        if now.get(name, holder) is not value and _is_patch(holder, name, value):
            # Bypasses the metaclass: SQLModel's would map the attribute again.
            set_back = type.__setattr__ if isinstance(holder, type) else setattr
            with contextlib.suppress(AttributeError, TypeError):
                set_back(holder, name, value)
                restored.append(name)
    return restored


def _is_patch(holder: Any, name: str, value: Any) -> bool:
    """Whether the change is a patch. Modules change their own state, classes their private attributes; but neither
    replaces functions, classes or constants.
    """
    fixed = not name.startswith("_") if isinstance(holder, type) else name.isupper()
    return name not in FILLED_IN and (fixed or callable(value))
