"""Tells this process's workers that a task was committed.

Only a hint: a session joined to an outer transaction sends it before that one commits, and commits of other processes
send none. So workers also read the database without it. On PostgreSQL the listener adds commits of other processes.

A module of its own because the queue sends and the worker waits, and neither may import the other.
"""

from __future__ import annotations

import threading
import weakref

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_KEY = "taskref_notify"  # in Session.info: the database whose signals are set when the session commits
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
    """Set them as soon as `session` has committed."""
    if _KEY not in session.info:
        session.info[_KEY] = _name(session.get_bind().engine)


def _name(engine: Engine) -> str:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return file or engine.url.render_as_string()  # not for a file: its name need not be valid text


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
