"""The file under an engine: whether it is still the one that a connection opened, and whether somebody has committed.

A connection goes on reading and writing a file that was deleted or replaced, and what it writes is lost without an
error. So the file's identity is compared at the beginning of each transaction, and while a worker waits.
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
LOG_HEAD = 32  # bytes; they differ from log to log


class Opened(Protocol):
    """A connection that keeps what it found when it was opened."""

    identity: Identity | None
    log_identity: Identity | None


def identity_of(file: str | os.PathLike[str]) -> Identity | None:
    """What tells a file from another one under its name; None if there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - at each transaction: a Path would double the time
    except OSError:
        return None
    return found.st_dev, found.st_ino


def version_reader(connection: sqlite3.Connection) -> Callable[[], int]:
    """A function that returns a number that changes with each commit of another connection or process.

    It takes no lock. Inside a transaction the number stands still. The cursor is kept and is the driver's own: with a
    hundred calls a second, each layer in between would count.
    """
    execute = sqlite3.Cursor(connection).execute
    return lambda: execute("PRAGMA data_version").fetchall()[0][0]


class WatchedFile:
    """The file of one engine, and what its connections found when they opened it.

    A file that was put back beside the write-ahead log of its predecessor must not be opened: SQLite would write the
    old log into the new file, and damage it. Who has used the predecessor can know; who opens it afresh cannot.
    """

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._log = f"{path}-wal"
        self._foreign_log: tuple[Identity | None, bytes] | None = None  # its identity and its first bytes
        self._owner: Identity | None = None  # the file that this log belongs to
        self._kept: ExitStack = ExitStack()

    def expect_its_own_log(self) -> None:
        """Raise DatabaseGone while the log of the file's predecessor lies beside it; call it before connecting."""
        if self._foreign_log is not None:
            found = identity_of(self._file)
            if found not in (None, self._owner) and self._foreign_log == self._log_found():
                raise self._error()
            if found is not None:
                self._foreign_log = None
                self._kept.close()

    def opened(self, connection: Opened) -> None:
        """Note which file, and which log, this connection has opened."""
        connection.identity = identity_of(self._file)
        connection.log_identity = identity_of(self._log)

    def expect_same(self, connection: Opened, dispose: Callable[[], object]) -> None:
        """Raise DatabaseGone, after dispose(), if this connection's file is no longer the one under its name."""
        if connection.identity != identity_of(self._file):
            # Before dispose(): while our connections hold the old log, no other file can have its identity. A
            # connection that was opened before there was a log cannot tell whose it is: nobody writes then.
            if connection.log_identity in (None, identity_of(self._log)):
                self._foreign_log, self._owner = self._log_found(), connection.identity
                self._kept.enter_context(_no_other_gets(connection.identity))
            dispose()  # all the engine's connections hold the file that is gone
            raise self._error()

    def _log_found(self) -> tuple[Identity | None, bytes] | None:
        try:
            with Path(self._log).open("rb") as log:
                head = log.read(LOG_HEAD)
        except OSError:
            return None
        return (identity_of(self._log), head) if head else None  # SQLite writes nothing of an empty log anywhere

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
                "new file there once more, then start again"
            )
        return DatabaseGone(f"{self._file} was replaced by another file: the next transaction uses the new one")


@contextmanager
def _no_other_gets(identity: Identity | None) -> Iterator[None]:
    """Keep Linux from giving the identity of a deleted file to the next one that is created.

    By a handle that allows nothing (O_PATH), since closing any other one would end SQLite's locks on the file.
    """
    handle = None
    with suppress(OSError):  # other systems do not have this folder, nor reuse identities at once
        for name in os.listdir(DESCRIPTORS):  # noqa: PTH208
            if identity_of(f"{DESCRIPTORS}/{name}") == identity:
                handle = os.open(f"{DESCRIPTORS}/{name}", os.O_PATH)
                break
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
