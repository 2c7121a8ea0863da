"""Refuses what the explorer could not observe: other connections and engines, and code that runs later or never.

An audit hook sees every `sqlite3.connect` of the process, a pool event every connection that a pool hands out. Python
cannot remove an audit hook, so there is one of each, added at the first exploration; between explorations they do
nothing.

Not covered: connections checked out, and threads started, before the exploration.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from typing import Any, Protocol

from greenlet import getcurrent, greenlet
from sqlalchemy import event
from sqlalchemy.pool import Pool

from .errors import ActorKilled, PastTheExplorer

LATER = {
    inspect.isawaitable: "a coroutine",
    inspect.isgenerator: "a generator",
    inspect.isasyncgen: "an asynchronous generator",
}
_guarding = 0  # explorations that are running, on any thread
_installed = False
_lock = threading.Lock()
_original_start = threading.Thread.start


class Guarded(Protocol):
    """An actor."""

    def connects(self) -> None:
        """Called before this actor's code opens any connection."""
        ...

    def borrows(self, pool: Any, connection: Any) -> None:
        """Called before its code uses a connection of any pool."""
        ...


def begin_guarding() -> None:
    """From now on, refuse connections that an actor gets other than from its engine."""
    global _guarding, _installed
    with _lock:
        _guarding += 1
        threading.Thread.start = _start_thread
        if not _installed:
            sys.addaudithook(_on_audit)
            event.listen(Pool, "checkout", _on_checkout)
            logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(_is_news)
            _installed = True


def end_guarding() -> None:
    """One exploration has ended."""
    global _guarding
    with _lock:
        _guarding -= 1
        if not _guarding:
            threading.Thread.start = _original_start


def refuse_later(who: str, value: Any) -> None:
    """Raise PastTheExplorer if a result is code that has not run yet, such as a generator."""
    kind = next((kind for is_one, kind in LATER.items() if is_one(value)), None)
    if kind is not None:
        if inspect.isgenerator(value) or inspect.iscoroutine(value):
            value.close()
        raise PastTheExplorer(
            f"{who} returned {kind}: its code has not run; give explore() a function that does its work before it"
            " returns (the explorer cannot step through async code)"
        )


def _on_audit(name: str, _arguments: tuple[Any, ...]) -> None:
    if name == "sqlite3.connect" and _guarding and (actor := _running_actor()) is not None:
        actor.connects()


def _start_thread(self: threading.Thread) -> None:
    """In place of Thread.start() during an exploration: a thread started by an actor belongs to that actor."""
    if (actor := _running_actor()) is not None:
        self.actor = actor  # type: ignore[attr-defined]
    _original_start(self)


def _on_checkout(connection: Any, _record: Any, proxy: Any) -> None:
    if _guarding and (actor := _running_actor()) is not None:
        actor.borrows(proxy._pool, connection)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the pool's complaint that a killed actor's connection could not be rolled back: that is intended."""
    return record.exc_info is None or not isinstance(record.exc_info[1], ActorKilled)


def _running_actor() -> Guarded | None:
    if (actor := getattr(threading.current_thread(), "actor", None)) is not None:
        return actor
    current: greenlet | None = getcurrent()
    while current is not None:
        if (actor := getattr(current, "actor", None)) is not None:
            return actor
        current = current.parent
    return None
