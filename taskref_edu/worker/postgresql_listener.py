"""Wakes this process's workers when another process commits a task on PostgreSQL: one connection that LISTENs.

A trigger on `task` sends NOTIFY (`schema.py`), so a raw SQL client wakes the workers, too. A notification is only a
hint: the listener may be reconnecting, or a pooler may drop it. So workers also poll the database: rarely while the
listener is connected, often while it is not.

Not covered: waking a single worker. Each process gets each notification, and all its idle workers read.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import closing
from typing import Any

from sqlalchemy import Engine

from ..database.commit_signal import notify
from ..schema import CHANNEL
from .database_backoff import Backoff

logger = logging.getLogger(__name__)
TICK = 0.5  # seconds; the thread ends at most this long after its last user
SLOW_POLL, FAST_POLL = 5.0, 0.5  # seconds between an idle worker's polls, with the listener connected and without
_listeners: dict[tuple[str, int], Listener] = {}
_lock = threading.Lock()


class Listener:
    """Sets this process's commit signals for each commit that enqueued a task; on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._users = 0
        self._hears = False
        self._ended = threading.Event()

    @property
    def interval(self) -> float:
        """Seconds after which an idle worker polls the database."""
        return SLOW_POLL if self._hears else FAST_POLL

    def release(self) -> None:
        """One user fewer; without users, its thread ends."""
        with _lock:
            self._users -= 1
            if not self._users:
                self._ended.set()
                _listeners.pop(_key(self._engine), None)

    def _use(self) -> Listener:
        self._users += 1
        if self._users == 1:
            threading.Thread(target=self._loop, name="taskref-listener", daemon=True).start()
        return self

    def _loop(self) -> None:
        backoff = Backoff()
        while not self._ended.is_set():
            try:
                with closing(self._connect()) as connection:
                    backoff.reset()
                    self._listen(connection)
            except Exception as error:  # connection lost or refused: the workers only learn later of the next task
                self._hears = False
                notify(self._engine)  # notifications may have been lost with the connection
                pause = backoff.delay_after(error)
                logger.info("not listening, next try in %.1f s: %s", pause, error)
                self._ended.wait(pause)

    def _connect(self) -> Any:
        pooled = self._engine.raw_connection()
        driver = pooled.driver_connection
        pooled.detach()  # it is kept for long; the pool's connections are for transactions
        return driver

    def _listen(self, connection: Any) -> None:
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        self._hears = True
        notify(self._engine)  # for tasks committed before LISTEN
        while not self._ended.is_set():
            for _ in connection.notifies(timeout=TICK):
                notify(self._engine)


def listener_of(engine: Engine) -> Listener:
    """This process's listener for the engine's database; call release() when done."""
    with _lock:
        return _listeners.setdefault(_key(engine), Listener(engine))._use()


def _key(engine: Engine) -> tuple[str, int]:
    return str(engine.url), os.getpid()  # a forked child inherits the entry but not the thread
