"""How long to wait before a database that did not answer is asked again.

A locked file concerns one worker: a short, constant delay. A server that is down concerns all its workers: the delay
doubles, up to a bound, with jitter, so that they do not come back all at once.

Apart from the worker's loop because the PostgreSQL listener reconnects by the same delays.
"""

from __future__ import annotations

import random

from ..errors import ServerNotReached

SHORTEST, LONGEST = 0.25, 8.0  # seconds


class Backoff:
    """The delays of one caller that tries again."""

    def __init__(self) -> None:
        self._next = SHORTEST

    def delay_after(self, error: BaseException) -> float:
        """Seconds to wait after this error."""
        if not isinstance(error, ServerNotReached):
            self.reset()
            return SHORTEST
        pause, self._next = self._next, min(LONGEST, 2 * self._next)
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It has answered."""
        self._next = SHORTEST
