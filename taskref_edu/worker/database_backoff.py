"""How long to wait before trying a database again that did not answer.

Not covered: how long a failed task waits for its next attempt (`TaskQueue.delay`).

A locked file concerns one worker: a short, constant delay. A server that is down concerns all its workers: the delay
doubles, up to a limit, with jitter, so that they do not all reconnect at once.

Apart from the worker's loop because the PostgreSQL listener reconnects with the same delays.
"""

from __future__ import annotations

import random

from ..errors import ServerNotReached

SHORTEST_DELAY, LONGEST_DELAY = 0.25, 8.0  # seconds


class Backoff:
    """The delays between one caller's attempts."""

    def __init__(self) -> None:
        self._next = SHORTEST_DELAY

    def delay_after(self, error: BaseException) -> float:
        """Seconds to wait after this error."""
        if not isinstance(error, ServerNotReached):
            self.reset()
            return SHORTEST_DELAY
        pause, self._next = self._next, min(LONGEST_DELAY, 2 * self._next)
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start with the shortest delay again: the database has answered."""
        self._next = SHORTEST_DELAY
