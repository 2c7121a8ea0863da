"""One side of a panel: an approach on a queue, its workers, and what each click does there.

Every click is one short transaction, or sets an event, and returns a sentence for the status line. Knows no widgets,
and may be called on any thread. Read next: `clicks.py` (orders), `crew.py` (workers), `lens.py` (the SQL of a click).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Literal

from ..approaches import classic, inverted
from ..database import reading
from ..models import TaskStatus
from ..queue import TaskQueue
from ..running import RunningTask
from . import storm as storms
from .clicks import CLICKS, new_order
from .crew import Crew
from .lens import Lens
from .mortal import MortalWorker
from .short import own_engine, short_writing
from .slow import SlowPayment

Name = Literal["classic", "inverted"]
APPROACHES: dict[str, ModuleType] = {"classic": classic, "inverted": inverted}


class Side:
    """An approach on a queue. `seconds()` is how long the slow part of a payment takes, `say` the status line.

    note(text): an event that only the worker knows; the panel sets it once there is a view to show it.
    """

    def __init__(self, name: Name, queue: TaskQueue, seconds: Callable[[], float], say: Callable[[str], None]) -> None:
        self.name = name
        self.queue = queue
        self.approach = APPROACHES[name]
        self.lens = Lens()
        self.crew = Crew(name, queue, say, self._refused)
        self.note: Callable[[str], None] = lambda text: None
        self.storming = False  # set by the panel, before the storm's thread starts
        self._say = say
        self._closed = threading.Event()
        self.paced = SlowPayment.register(queue, self.approach, seconds, self._closed)

    @property
    def workers(self) -> list[MortalWorker]:
        """One or two."""
        return self.crew.workers

    @property
    def worker(self) -> MortalWorker:
        """The first one."""
        return self.crew.workers[0]

    def new_order(self) -> int:
        """Create an order; its id."""
        with (
            own_engine(self.queue) as engine,
            self.lens.watching("New order", engine),
            short_writing(engine) as session,
        ):
            return new_order(session).id or 0

    def click(self, name: str, title: str, order_id: int) -> str:
        """Do one of clicks.CLICKS in a transaction of its own."""
        with own_engine(self.queue) as engine, self.lens.watching(title, engine), short_writing(engine) as session:
            return CLICKS[name](session, self.queue, self.approach, order_id)

    def storm(self, order_id: int, clicks: int, how: storms.How) -> str:
        """Pay the order from many threads at once. Takes as long as they take: not on the thread of a click."""
        with own_engine(self.queue, storms.PATIENCE) as engine, self.lens.watching(f"Click storm, {how}", engine):
            return storms.storm(engine, self.queue, self.approach, order_id, clicks, how)

    def counts(self) -> dict[TaskStatus, int]:
        """How many tasks have each status."""
        with own_engine(self.queue) as engine, reading(engine) as session:
            return self.queue.counts(session)

    def close(self, timeout: float = 5.0) -> None:
        """End every thread of this side; a slow payment is done at once. May be called twice."""
        self._closed.set()
        self.crew.close(timeout)

    def _refused(self, task: RunningTask, error: str) -> None:
        """A result came too late: somebody else was given the task."""
        text = f"task {task.id}, attempt {task.attempt}: refused as stale"
        self.note(text)
        self._say(f"{self.name} worker: came back too late; {error}")
