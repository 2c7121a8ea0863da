"""How an idle worker learns at once that there is work, and costs next to nothing while there is none.

In this process the bell rings, and on PostgreSQL for other processes, too (see `listener.py`). For those on SQLite
`PRAGMA data_version` is polled: it changes when somebody else commits, and reading it takes no lock. It goes on
answering after the file was deleted, so the file itself is looked at, too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..database.commit_signal import commit_signal
from ..database.error_names import file_gone_error, identity_of
from ..database.sqlite_engine import file_of
from ..database.transactions import reading
from ..queue.task_queue import TaskQueue
from .postgresql_listener import Listener, listener_of

LOOK_AT_FILE = 0.5  # seconds between two looks at the file
LONGEST_WAIT = 60.0  # seconds after which the database is looked at even if nothing seems to have changed


class WakeUp:
    """Waits for work on one queue. Not shared between threads, but for `bell`, which anybody may set."""

    def __init__(self, queue: TaskQueue, poll: float) -> None:
        self.bell = commit_signal(queue.engine)
        self._queue = queue
        self._poll = poll
        self._probe: Any = None
        self._listener: Listener | None = None
        self._file = file_of(queue.engine)
        self._identity = self._file and identity_of(self._file)
        self._looked = time.monotonic()

    def wait(self, interrupted: Callable[[], bool]) -> None:
        """Return when a task may be due, a lease may have run out, or `interrupted()`.

        Raises DatabaseGone if the file was deleted or replaced.
        """
        self.bell.clear()  # always before the look at `interrupted`: cleared after it, a stop() would go unheard
        while not interrupted():
            version = self._version()  # before the look at the tasks, so that no commit falls between the two
            remaining = self._seconds_until_next()
            if remaining <= 0:
                return
            if self._doze(version, time.monotonic() + remaining):
                return  # rung: the claim that follows looks at the tasks anyway

    def check_file(self) -> None:
        """Raise DatabaseGone if the file is not the one it was; looks every half second while it is."""
        if self._file is None or time.monotonic() - self._looked < LOOK_AT_FILE:
            return
        found, expected = identity_of(self._file), self._identity
        if found == expected:
            self._looked = time.monotonic()
            return
        self._queue.engine.dispose()  # its connections hold the file that is gone
        self._identity = found or expected
        raise file_gone_error(self._file)

    def close(self) -> None:
        """Give back the connection that watches, or listens."""
        if self._listener is not None:
            self._listener.release()
            self._listener = None
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _doze(self, version: int | None, until: float) -> bool:
        """Wait for the bell, a commit of somebody else, or the time; whether the bell rang."""
        while not self.bell.wait(min(self._interval(), max(0.0, until - time.monotonic()))):
            self.check_file()
            if time.monotonic() >= until or self._version() != version or version is None:
                return False
        return True

    def _interval(self) -> float:
        """Seconds between two looks."""
        if self._file is not None:
            return self._poll
        if self._listener is None:
            self._listener = listener_of(self._queue.engine)
        return self._listener.interval

    def _version(self) -> int | None:
        if self._file is None:
            return None
        if self._probe is None:
            self._probe = self._queue.engine.raw_connection()
            # The driver's own cursor, kept: a hundred times a second, each layer in between would count.
            self._ask = sqlite3.Cursor(self._probe.driver_connection).execute
        return self._ask("PRAGMA data_version").fetchall()[0][0]

    def _seconds_until_next(self) -> float:
        with reading(self._queue.engine) as session:
            when = self._queue.next_due(session)
        return LONGEST_WAIT if when is None else min(LONGEST_WAIT, _seconds(when, self._queue.now()))


def _seconds(when: datetime, now: datetime) -> float:
    return (when - now).total_seconds()
