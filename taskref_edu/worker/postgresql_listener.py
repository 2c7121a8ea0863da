"""Notifies this process's workers of commits by others on PostgreSQL: one connection to a database that LISTENs.

A trigger on `task` NOTIFYs (see `schema.py`), so that a raw SQL client wakes the workers, too. A notification is a
hint: the listener may be reconnecting, or a pooler in between may swallow it. So a worker reads by itself as well,
seldom while the listener hears, often while it does not.

Not covered: waking one worker alone. Each process is told of each commit, and its idle workers all read.
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
from .backoff import Backoff

logger = logging.getLogger(__name__)
TICK = 0.5  # seconds for which the thread may outlive its last user
SELDOM, OFTEN = 5.0, 0.5  # seconds between two reads of an idle worker: while the listener hears, while it does not
_listeners: dict[tuple[str, int], Listener] = {}
_lock = threading.Lock()


class Listener:
    """Sets the commit signals of this process for commits that enqueued something; on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._users = 0
        self._hears = False
        self._ended = threading.Event()

    @property
    def interval(self) -> float:
        """Seconds after which an idle worker reads by itself."""
        return SELDOM if self._hears else OFTEN

    def release(self) -> None:
        """Give it back; the last one to do so ends it."""
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
            except Exception as error:  # lost, or not given: nothing depends on it but the time to the next task
                self._hears = False
                notify(self._engine)  # what was lost for the listener may be lost for the workers
                pause = backoff.delay_after(error)
                logger.info("not listening, next try in %.1f s: %s", pause, error)
                self._ended.wait(pause)

    def _connect(self) -> Any:
        pooled = self._engine.raw_connection()
        driver = pooled.driver_connection
        pooled.detach()  # it stays out for long, and the pool is for transactions
        return driver

    def _listen(self, connection: Any) -> None:
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        self._hears = True
        notify(self._engine)  # for what was committed before
        while not self._ended.is_set():
            for _ in connection.notifies(timeout=TICK):
                notify(self._engine)


def listener_of(engine: Engine) -> Listener:
    """The listener of this process for the engine's database, to be given back with release()."""
    with _lock:
        return _listeners.setdefault(_key(engine), Listener(engine))._use()


def _key(engine: Engine) -> tuple[str, int]:
    return str(engine.url), os.getpid()  # a forked child inherits the entry, and not the thread
