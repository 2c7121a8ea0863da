"""The bell that wakes this process's workers when something was committed.

A hint only: a session joined to an outer transaction rings it before that one commits, and other processes
never ring it. A worker therefore always looks at the database, rung or not. On PostgreSQL `listener.py` rings for
other processes.
"""

from __future__ import annotations

import threading
import weakref

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_KEY = "taskref_ring"  # in Session.info: the database to ring for once the session commits
# By database, not by engine: a panel and a worker may each have opened the same file.
_bells: dict[str, weakref.WeakSet[threading.Event]] = {}
_lock = threading.Lock()


def commit_signal(engine: Engine) -> threading.Event:
    """A new event that is set after each commit that enqueued something in the engine's database."""
    bell = threading.Event()
    with _lock:
        _bells.setdefault(_name(engine), weakref.WeakSet()).add(bell)
    return bell


def notify(engine: Engine) -> None:
    """Ring all bells of the engine's database in this process."""
    _ring_all(_name(engine))


def notify_after_commit(session: Session) -> None:
    """Ring once `session` has committed."""
    if _KEY not in session.info:
        session.info[_KEY] = _name(session.get_bind().engine)


def _name(engine: Engine) -> str:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return file or engine.url.render_as_string()  # as a URL, a file's name would have to be text


@event.listens_for(Session, "after_commit")
def _ring(session: Session) -> None:
    name = session.info.pop(_KEY, None)
    if name in _bells:
        _ring_all(name)


def _ring_all(name: str) -> None:
    with _lock:
        bells = list(_bells.get(name, ()))
    for bell in bells:
        bell.set()
