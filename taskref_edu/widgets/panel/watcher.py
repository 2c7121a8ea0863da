"""The only thread that changes a panel's widgets."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

EVERY = 0.12  # seconds between two calls of `look` while nothing changes
TICK = 0.025  # seconds between two checks for changes
LIVELY = 5.0  # seconds after a change; later the checks are rarer, because each one costs time and wakes a core
RARE_TICK = 0.06
MOST = 10  # calls of `look` in one second because of changes, which also limits the messages to the browser


class Watcher:
    """Calls `look` every 0.12 s, and at once after hurry() or when has_changes() returns True.

    `last` is called once, at the end, on the same thread.
    """

    def __init__(
        self,
        look: Callable[[], None],
        last: Callable[[], None],
        name: str,
        has_changes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._look = look
        self._last = last
        self._has_changes = has_changes
        self._looks: deque[float] = deque(maxlen=MOST)
        self._hurry = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hurry(self) -> None:
        """Call `look` at once, as after a click."""
        self._hurry.set()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread after one last call. May be called twice, and from any thread."""
        self._ended.set()
        self._hurry.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._ended.is_set():
            self._look()
            if (self._has_waited() and self._has_changes()) or self._something_happens():
                self._looks.append(time.monotonic())
            self._hurry.clear()
        self._last()

    def _has_waited(self) -> bool:
        """Wait until MOST allows another call; meanwhile changes are not checked for, since each check costs."""
        wait = self._looks[0] + 1 - time.monotonic() if len(self._looks) == MOST else 0.0
        return wait > 0 and not self._ended.wait(wait)

    def _something_happens(self) -> bool:
        """Wait for a change or hurry(), at most EVERY seconds."""
        now = time.monotonic()
        tick = TICK if self._looks and now - self._looks[-1] < LIVELY else RARE_TICK
        while time.monotonic() < now + EVERY:
            if self._hurry.wait(tick) or self._has_changes():
                return True
        return False
