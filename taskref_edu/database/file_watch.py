"""Watches an engine's file: is it still the file that a connection opened, and has anybody committed?

A connection goes on reading and writing a file that was deleted or replaced, and its writes are lost without an error.
So the file's identity is compared at the start of each transaction, and while a worker waits; between the tasks of a
busy worker, every few milliseconds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ..errors import DatabaseGone

Identity = tuple[int, int]
DESCRIPTORS = "/proc/self/fd"
LOG_HEAD = 32  # bytes at the start of a write-ahead log; they differ from log to log


class Opened(Protocol):
    """A connection that remembers the identity of the files that it opened."""

    identity: Identity | None
    log_identity: Identity | None


def identity_of(file: str | os.PathLike[str]) -> Identity | None:
    """What distinguishes a file from another one of the same name; None if there is no file."""
    try:
        found = os.stat(file)  # noqa: PTH116 - at each transaction: a Path would double the time
    except OSError:
        return None
    return found.st_dev, found.st_ino


def version_reader(connection: sqlite3.Connection) -> Callable[[], int]:
    """A function whose result changes with each commit of another connection or process.

    It takes no lock. Inside a transaction the number does not change. It reuses one cursor of the driver's own class:
    workers call it a hundred times a second, so each layer in between would be noticeable.
    """
    execute = sqlite3.Cursor(connection).execute
    return lambda: execute("PRAGMA data_version").fetchall()[0][0]


class WatchedFile:
    """The file of one engine, and the files that its connections opened.

    A file that was put back next to its predecessor's write-ahead log must not be opened: SQLite would write the old
    log into the new file and damage it. Only a process that used the predecessor can know; a new process cannot.
    """

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._log = f"{path}-wal"
        self._foreign_log: tuple[Identity | None, bytes] | None = None  # its identity and its first bytes
        self._owner: Identity | None = None  # the file that this log belongs to
        self._kept: ExitStack = ExitStack()

    def expect_its_own_log(self) -> None:
        """Raise DatabaseGone while the predecessor's log is next to the file; to be called before connecting."""
        if self._foreign_log is not None:
            found = identity_of(self._file)
            if found not in (None, self._owner) and self._foreign_log == self._log_found():
                raise self._error()
            if found is not None:
                self._foreign_log = None
                self._kept.close()

    def opened(self, connection: Opened) -> None:
        """Record which file and which log this connection has opened."""
        connection.identity = identity_of(self._file)
        connection.log_identity = identity_of(self._log)

    def expect_same(self, connection: Opened, dispose: Callable[[], object]) -> None:
        """Raise DatabaseGone, after dispose(), if this connection's file is no longer the one under its name."""
        if connection.identity != identity_of(self._file):
            # Before dispose(): while our connections hold the old log open, no other file can have its identity. A
            # connection opened before there was a log cannot tell whose log it is, so it assumes the predecessor's.
            if connection.log_identity in (None, identity_of(self._log)):
                self._foreign_log, self._owner = self._log_found(), connection.identity
                self._kept.enter_context(_no_other_gets(connection.identity))
            dispose()  # all connections of the engine have the lost file open
            raise self._error()

    def _log_found(self) -> tuple[Identity | None, bytes] | None:
        try:
            with Path(self._log).open("rb") as log:
                head = log.read(LOG_HEAD)
        except OSError:
            return None
        return (identity_of(self._log), head) if head else None  # an empty log can do no harm

    def _error(self) -> DatabaseGone:
        if identity_of(self._file) is None:
            return DatabaseGone(
                f"{self._file} was deleted: put it back, or open another database. Before you put a backup back, stop "
                f"what uses the file, and remove {self._log} and {self._file}-shm"
            )
        if self._foreign_log is not None:
            return DatabaseGone(
                f"{self._file} was replaced by another file, and {self._log} is the old one's: SQLite would write it "
                f"into the new file. Stop what uses the file, remove {self._log} and {self._file}-shm, put the "
                "new file there again, then restart it"
            )
        return DatabaseGone(f"{self._file} was replaced by another file: the next transaction uses the new one")


@contextmanager
def _no_other_gets(identity: Identity | None) -> Iterator[None]:
    """Keep Linux from reusing the identity of a deleted file for the next file that is created.

    It keeps an O_PATH handle, because closing any other handle would release SQLite's locks on the file.
    """
    handle = None
    with suppress(OSError):  # other systems lack this folder, but do not reuse identities at once either
        for name in os.listdir(DESCRIPTORS):  # noqa: PTH208
            if identity_of(f"{DESCRIPTORS}/{name}") == identity:
                handle = os.open(f"{DESCRIPTORS}/{name}", os.O_PATH)
                break
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
