"""Keeps a forked child from using what it inherited: open connections, and locks that it can never release.

Two processes on one connection corrupt a database, so a child opens its own. SQLite also keeps locks in the process's
memory: a transaction that another thread had open at the fork stays open in the child for good, where each write would
fail as locked, or hang. The child gets ForkedWhileWriting for such a file.

A module of its own because fork hooks belong to the process, not to an engine. Not covered: a fork at the very moment
when another thread reads, which may leave one of SQLite's mutexes locked; changes by other connections of the driver.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from sqlalchemy import Engine, Pool

from ..errors import ForkedWhileWriting
from .file_watch import Identity, identity_of
from .observed_connection import LeftToParent, ObservedConnection

depth = 0  # how many forks lie between the process that imported this and the present one; os.getpid() is slower
_FORKED: weakref.WeakSet[Engine] = weakref.WeakSet()
_CONNECTIONS: weakref.WeakSet[ObservedConnection] = weakref.WeakSet()
_parents: list[Pool | ObservedConnection] = []  # the child never drops them: closing them would end the parent's
_locked: set[Identity | None] = set()  # the files whose write lock this child can never get


def open_anew_after_fork(engine: Engine) -> None:
    """From now on a forked child opens new connections on this engine, and leaves the inherited ones alone."""
    _FORKED.add(engine)


def watch_over_forks(connection: ObservedConnection) -> None:
    """From now on a child that is forked while this connection writes refuses to open its file."""
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
