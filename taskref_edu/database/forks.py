"""A forked child opens connections of its own: two processes on one connection ruin a database."""

from __future__ import annotations

import os
import weakref

from sqlalchemy import Engine, Pool

depth = 0  # forks between the process that imported this and the one that asks; os.getpid() asks the system
_FORKED: weakref.WeakSet[Engine] = weakref.WeakSet()
_parents_pools: list[Pool] = []  # kept by the child, for ever: to close its connections would end the parent's


def open_anew_after_fork(engine: Engine) -> None:
    """From now on a forked child gets new connections of this engine; those that it inherited stay untouched."""
    _FORKED.add(engine)


def _after_fork() -> None:
    global depth
    depth += 1
    for engine in _FORKED:
        _parents_pools.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
