"""What a forked child must not inherit: open connections, and locks that nobody in it can release.

Two processes on one connection ruin a database, so a child opens connections of its own. SQLite also keeps its locks in
the process's memory: a transaction that another thread has open at a fork stays open in the child for good, and each
write there would be refused as locked, or hang. Such a file is refused there by name.

The hooks are the process's, not an engine's, so they have one home. Not covered: a fork in the very moment in which
another thread reads, which may leave one of SQLite's mutexes taken; and changes by the driver's own connections.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from sqlalchemy import Engine, Pool

from ..errors import ForkedWhileWriting
from .file_watch import Identity, identity_of
from .observed_connection import Connection, LeftToParent

depth = 0  # forks between the process that imported this and the one that asks; os.getpid() asks the system
_FORKED: weakref.WeakSet[Engine] = weakref.WeakSet()
_CONNECTIONS: weakref.WeakSet[Connection] = weakref.WeakSet()
_parents: list[Pool | Connection] = []  # kept by the child, for ever: to close its connections would end the parent's
_locked: set[Identity | None] = set()  # the files whose write lock this child can never get


def open_anew_after_fork(engine: Engine) -> None:
    """From now on a forked child gets new connections of this engine; those that it inherited stay untouched."""
    _FORKED.add(engine)


def watch_over_forks(connection: Connection) -> None:
    """From now on a child that is forked while this connection writes refuses its file."""
    _CONNECTIONS.add(connection)


def expect_unlocked(path: Path) -> None:
    """Raise ForkedWhileWriting in a child that was forked while a thread was writing to this file."""
    if _locked and identity_of(path) in _locked:
        raise ForkedWhileWriting(
            f"{path}: this process was forked while a thread of its parent was inside a transaction that writes; "
            "SQLite's locks of that moment can never be released here. Fork while no thread writes, or start the child"
            " with subprocess, or with multiprocessing's spawn"
        )


def _after_fork() -> None:
    global depth
    depth += 1
    for engine in _FORKED:
        _parents.append(engine.pool)
        engine.dispose(close=False)
    for connection in _CONNECTIONS:
        if connection.is_writing():
            _locked.add(connection.identity)
            _parents.append(connection)
            connection.__class__ = LeftToParent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
