"""Keeps the process as it was while a learner's code is checked: its output, its settings, this package, its life.

Not covered: what ends the process from C code, such as a bad pointer of `ctypes`; files and sockets that are closed.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ..clone import FIRST_NOTEBOOK, root
from ..models import Base

PACKAGE = __name__.partition(".")[0]
# Attributes that Python, pydantic and SQLAlchemy themselves replace.
FILLED_IN = frozenset({"_", "__doc__", "__annotations__", "__abstractmethods__", "__warningregistry__", "_abc_impl"})
PRINTED_LINES, PRINTED_WIDTH = 50, 500
# Calls that end the process that makes them; `os.execl` and its kind call these. `sys.exit()` only raises SystemExit.
ENDING = (
    *((os, name) for name in ("_exit", "abort", "execv", "execve", "kill", "killpg")),
    *((signal, name) for name in ("pthread_kill", "raise_signal")),
)
BY_PROCESS = ("os.kill", "os.killpg")  # of these, only a signal for this process
_errors: list[Callable[[str], BaseException]] = []  # what the open blocks of process_kept() raise, innermost last


@contextlib.contextmanager
def process_kept(error: Callable[[str], BaseException]) -> Iterator[None]:
    """Calls in the block that would end this process, or the one that runs it, raise `error("os._exit")` instead.

    Child processes may end themselves; the time limit, and the kernel when Jupyter has ended, may make such calls.
    """
    process = os.getpid()

    def guarded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def instead(*arguments: Any, **named: Any) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
            free = not _errors or os.getpid() != process or caller in (PACKAGE, "ipykernel")
            if free or (name in BY_PROCESS and not _is_for_us(*arguments)):
                return call(*arguments, **named)
            raise _errors[-1](name)

        return instead

    known = [(module, name, getattr(module, name)) for module, name in ENDING if hasattr(module, name)]
    _errors.append(error)
    try:
        for module, name, call in known:
            setattr(module, name, guarded(f"{module.__name__}.{name}", call))
        yield
    finally:
        _errors.pop()
        for module, name, call in known:
            setattr(module, name, call)


def _is_for_us(target: int, number: int) -> bool:
    """Whether a signal goes to this process or its parent, or to a group of one of them; 0 only asks."""
    group = getattr(os, "getpgrp", os.getpid)()
    return number != 0 and abs(target) in (0, 1, os.getpid(), os.getppid(), group)


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
    contained, folder, path = Contained(), _working_directory(), list(sys.path)
    streams, before = (sys.stdout, sys.stderr, sys.stdin), [read() for _, read, _ in SETTINGS]
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
        for (what, read, write), value in zip(SETTINGS, before, strict=True):
            if value is not None and read() != value:
                contained.notes.append(f"The code changed the {what} put back.")
                write(value)


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


def _change_directory(folder: Path) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder)


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


# Settings of the process: what is said if it was changed, how it is read, and how it is set.
SETTINGS: list[tuple[str, Callable[[], Any], Callable[[Any], None]]] = [
    ("recursion limit; it was", sys.getrecursionlimit, sys.setrecursionlimit),
    ("environment variables; they were", lambda: dict(os.environ), _set_environment),
    ("working directory; it was", _working_directory, _change_directory),
]


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
