"""How an idle worker learns at once that there is work, at almost no cost while there is none.

Commits of this process set an event (`commit_signal.py`); on PostgreSQL, so do those of other processes
(`postgresql_listener.py`). On SQLite, `PRAGMA data_version` is polled for commits of other processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..database.commit_signal import commit_signal
from ..database.file_watch import version_reader
from ..database.observed_connection import ObservedConnection
from ..database.postgresql_engine import can_listen
from ..database.sqlite_engine import expect_same_file, file_of
from ..database.transactions import reading
from ..queue.task_queue import TaskQueue
from .postgresql_listener import FAST_POLL, Listener, listener_of

IDLE_FILE_INTERVAL = 0.5  # seconds between two checks of the file
SHORTEST_IN_VAIN, LONGEST_IN_VAIN = 0.01, 0.25  # seconds between two claims while the due tasks are locked
LONGEST_WAIT = 60.0  # seconds after which the tasks are read even if nothing seems to have changed


class WakeUp:
    """Waits for work on one queue. For one thread only, except `signal`, which any thread may set."""

    def __init__(self, queue: TaskQueue, poll: float) -> None:
        self.signal = commit_signal(queue.engine)
        self._queue = queue
        self._is_file = file_of(queue.engine) is not None
        self._listens = can_listen(queue.engine)
        self._poll = poll
        self._probe: Any = None  # on SQLite: the connection that polls the file's version
        self._listener: Listener | None = None
        self._checked_file = 0.0
        self._in_vain = 0  # how many times in a row a task was due and could not be claimed

    def wait(self, interrupted: Callable[[], bool]) -> None:
        """Return when a task may be due, a lease may have expired, or `interrupted()` is true.

        Raises DatabaseGone if the file was deleted or replaced.
        """
        self.signal.clear()  # before checking interrupted(): the other order can lose a stop()
        while not interrupted():
            version = self._version()  # before reading the tasks, so that no commit falls between the two
            remaining = self._seconds_until_next()
            if remaining <= 0:
                self._wait_in_vain()
                return
            self._in_vain = 0
            if self._waited(version, time.monotonic() + remaining):
                return  # the claim that follows reads the tasks anyway

    def check_file(self) -> None:
        """Raise DatabaseGone if the file is no longer the one that was opened; checks at most twice a second."""
        if not self._is_file or time.monotonic() - self._checked_file < IDLE_FILE_INTERVAL:
            return
        expect_same_file(self._queue.engine, self._connected())
        self._checked_file = time.monotonic()

    def close(self) -> None:
        """Release the polling connection and the listener."""
        if self._listener is not None:
            self._listener.release()
            self._listener = None
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _wait_in_vain(self) -> None:
        """Wait after a claim that found nothing although a task is due; longer each time.

        The first time, the task has just become due, so the next claim follows at once. After that, on a server,
        another transaction holds a lock on the task's row, perhaps for long.
        """
        if self._in_vain:
            self.signal.wait(min(LONGEST_IN_VAIN, SHORTEST_IN_VAIN * 2**self._in_vain))
        self._in_vain += 1

    def _waited(self, version: int | None, until: float) -> bool:
        """Wait for the signal, a commit of another process, or the time `until`; whether it was the signal."""
        while not self.signal.wait(min(self._interval(), max(0.0, until - time.monotonic()))):
            self.check_file()
            if time.monotonic() >= until or self._version() != version or version is None:
                return False
        return True

    def _interval(self) -> float:
        """Seconds between two polls of the database."""
        if self._is_file:
            return self._poll
        if not self._listens:
            return FAST_POLL
        if self._listener is None:
            self._listener = listener_of(self._queue.engine)
        return self._listener.interval

    def _version(self) -> int | None:
        if not self._is_file:
            return None
        self._connected()
        return self._read_version()

    def _connected(self) -> ObservedConnection:
        if self._probe is None:
            self._probe = self._queue.engine.raw_connection()
            self._read_version = version_reader(self._probe.driver_connection)
        return self._probe.driver_connection

    def _seconds_until_next(self) -> float:
        with reading(self._queue.engine) as session:
            when = self._queue.next_due(session)
        if when is None:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, (when - self._queue.now()).total_seconds())
