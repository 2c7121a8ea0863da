"""A payment that takes long enough to be watched and cancelled. Read next: `side.py`, which registers it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import ModuleType

from ...errors import UnknownType
from ...queue.running_task import RunningTask
from ...queue.task_queue import TaskQueue

STEP = 0.1  # seconds between two looks whether somebody asked the task to stop


class SlowPayment:
    """The approach's `process_payment` with a slow part before it, as a call to a bank would be."""

    def __init__(self, approach: ModuleType, seconds: Callable[[], float], closed: threading.Event) -> None:
        self._approach = approach
        self._seconds = seconds
        self._closed = closed

    @classmethod
    def register(
        cls, queue: TaskQueue, approach: ModuleType, seconds: Callable[[], float], closed: threading.Event
    ) -> bool:
        """Handle the queue's payments, unless the learner has a handler for them; whether it does.

        A former panel's is replaced: its events belong to a panel that is stopped.
        """
        try:
            ours = isinstance(queue.handlers.of(approach.PAYMENT), cls)
        except UnknownType:
            ours = True
        if ours:
            queue.handler(approach.PAYMENT)(cls(approach, seconds, closed))
        return ours

    def __call__(self, task: RunningTask) -> None:
        with task.reading() as session:
            self._approach.order_for(session, task)  # what cannot be paid fails at once
        until = time.monotonic() + self._seconds()
        while (remaining := until - time.monotonic()) > 0 and not self._closed.wait(min(STEP, remaining)):
            task.checkpoint()
        self._approach.process_payment(task)
