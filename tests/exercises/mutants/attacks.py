"""8.5's attack once more, in processes that nothing protects: to which task does each worker come?"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from taskref_edu import TaskQueue, Worker, open_database, writing
from taskref_edu.exercises.catalog.e8_5_break_the_worker import naive_worker

Handler = Callable[[Any], Any]
LONGEST = 3.0  # seconds for one worker


def attacked(answer: Handler) -> Iterator[Any]:
    """Whether the naive worker, and then the library's, came to the task after the handler's."""
    yield _comes_to_the_next(naive_worker, answer)
    yield _comes_to_the_next(_librarys, answer)


def _librarys(queue: TaskQueue) -> None:
    Worker(queue).start()
    time.sleep(LONGEST)


def _comes_to_the_next(work: Callable[[TaskQueue], None], answer: Handler) -> bool:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reached = Path(folder, "reached")
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                os.setsid()
                for stream in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
                _both_tasks(Path(folder), work, answer, reached)
            os.kill(os.getpid(), signal.SIGKILL)
        _wait(child, reached)
        return reached.exists()


def _both_tasks(folder: Path, work: Callable[[TaskQueue], None], answer: Handler, reached: Path) -> None:
    engine = open_database(folder / "tasks.db", timeout=0.2)
    queue = TaskQueue(engine, max_attempts=1)
    queue.handler("yours")(answer)
    queue.handler("next")(lambda task: reached.touch())
    with writing(engine) as session:
        queue.enqueue(session, "yours")
        queue.enqueue(session, "next")
    work(queue)


def _wait(child: int, reached: Path) -> None:
    """Until the process has ended, or the next task was reached, or for long enough."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and not reached.exists() and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.02)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
