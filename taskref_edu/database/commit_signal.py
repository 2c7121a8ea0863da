"""Tells this process's workers that something was committed.

A hint only: a session joined to an outer transaction gives it before that one commits, and other processes never give
it. So a worker always reads the database, told or not. On PostgreSQL the listener speaks for other processes.

A module of its own because both ends need it and neither may know the other: the queue signals, the worker waits.
"""

from __future__ import annotations

import threading
import weakref

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_KEY = "taskref_notify"  # in Session.info: the database whose signals are set once the session commits
# By database, not by engine: a panel and a worker may each have opened the same file.
_signals: dict[str, weakref.WeakSet[threading.Event]] = {}
_lock = threading.Lock()


def commit_signal(engine: Engine) -> threading.Event:
    """A new event that is set after each commit that enqueued something in the engine's database."""
    signal = threading.Event()
    with _lock:
        _signals.setdefault(_name(engine), weakref.WeakSet()).add(signal)
    return signal


def notify(engine: Engine) -> None:
    """Set all signals of the engine's database in this process."""
    _set_all(_name(engine))


def notify_after_commit(session: Session) -> None:
    """Set them once `session` has committed."""
    if _KEY not in session.info:
        session.info[_KEY] = _name(session.get_bind().engine)


def _name(engine: Engine) -> str:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return file or engine.url.render_as_string()  # as a URL, a file's name would have to be text


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    name = session.info.pop(_KEY, None)
    if name in _signals:
        _set_all(name)


def _set_all(name: str) -> None:
    with _lock:
        signals = list(_signals.get(name, ()))
    for signal in signals:
        signal.set()
