"""8.5: a handler that ends a naive worker, and does not end the library's. The learner attacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import getsource
from typing import Any

from sqlalchemy import Engine
from sqlmodel import select

from taskref_edu import Task, TaskQueue, Worker, open_database, reading, writing
from taskref_edu.database.transactions import Transaction
from taskref_edu.exercises.exercise import Exercise, Wrong
from taskref_edu.exercises.process_guard import process_kept
from taskref_edu.queue.running_task import RunningTask

Handler = Callable[[Any], Any]
ENOUGH = 0.4  # seconds for which a handler may hold its worker
LONGEST = 3.0  # seconds until we stop waiting, whatever happens


def naive_worker(queue):  # type: ignore[no-untyped-def]
    while True:
        with writing(queue.engine) as session:
            task = queue.claim(session)
        if task is None:
            return
        try:
            queue.handlers.of(task.type)(task)
            with writing(queue.engine) as session:
                queue.complete(session, task)
        except Exception as error:
            with writing(queue.engine) as session:
                queue.fail(session, task, str(error), retry=False)


LISTED = getsource(naive_worker).replace("  # type: ignore[no-untyped-def]", "")


class EndsTheProcess(Exception):
    """Raised in place of a call that would end this kernel, and every worker in it."""


class ClosingQueue(TaskQueue):
    """A queue that gives out nothing once it is closed, so that a worker left over comes to its end."""

    closed = False

    def claim(self, session: Transaction) -> RunningTask | None:
        """As the library's, until it is closed."""
        return None if self.closed else super().claim(session)


@dataclass
class Attack:
    """One run of the handler: since when it runs, what it raised, and what became of the worker.

    came: to the next task. killed: the naive worker, by an error.
    """

    handler: Handler
    since: float | None = None
    ended: bool = False
    error: BaseException | None = None
    came: bool = False
    killed: bool = False

    def run(self, task: Any) -> Any:
        """The handler, watched."""
        self.since = time.monotonic()
        try:
            return self.handler(task)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended = True

    def next(self, task: Any) -> None:
        """The handler of the next task."""
        self.came = True

    def wait(self, over: Callable[[], bool]) -> None:
        """Until it is over, or the handler holds its worker for long."""
        until = time.monotonic() + LONGEST
        while not self.came and not over() and time.monotonic() < until:
            if self.since and not self.ended and time.monotonic() - self.since > ENOUGH:
                return
            time.sleep(0.002)
        if isinstance(self.error, EndsTheProcess):
            raise AssertionError(
                "That ends the whole process, and the library's worker with it: no thread survives its process. "
                "End the worker, not the world."
            )


@contextmanager
def two_tasks(attack: Attack) -> Iterator[TaskQueue]:
    """A queue with a task for the handler and one after it."""
    engine = open_database(timeout=ENOUGH / 2)
    queue = ClosingQueue(engine, lease=5.0, max_attempts=1)
    queue.handler("yours")(attack.run)
    queue.handler("next")(attack.next)
    try:
        with writing(engine) as session:
            queue.enqueue(session, "yours")
            queue.enqueue(session, "next")
        with process_kept(EndsTheProcess):
            yield queue
    finally:
        queue.closed = True
        engine.dispose()


def check_the_naive_worker_stops(handler: Handler) -> None:
    """The naive worker never comes to the task after yours."""
    attack = Attack(handler)
    with two_tasks(attack) as queue:
        thread = threading.Thread(target=_until_it_dies, args=[queue, attack], name="the naive worker", daemon=True)
        thread.start()
        attack.wait(lambda: not thread.is_alive())
        if attack.error is None:
            assert not attack.came, "The next task ran: your handler returned, and the naive worker went on."
        kind = type(attack.error).__name__
        assert not attack.came, f"The next task ran: `except Exception` catches `{kind}`, and the naive worker went on."
        assert attack.killed or not attack.ended, (
            f"Nothing ended the naive worker; it only found no task that it could claim: {_why(queue.engine, attack)}."
        )


def check_the_librarys_worker_goes_on(handler: Handler) -> None:
    """The library's worker meets your handler, and runs the task after it."""
    attack = Attack(handler)
    with two_tasks(attack) as queue:
        worker = Worker(queue, name="the library's worker")
        worker.start()
        try:
            attack.wait(lambda: attack.ended and not _can_be_read(queue.engine))
        finally:
            worker.stop(timeout=1.0 if attack.came else 0.0)
        why = "" if attack.came else _why(queue.engine, attack)
        assert attack.came, f"The library's worker did not come to the next task either: {why}."


def _until_it_dies(queue: TaskQueue, attack: Attack) -> None:
    try:
        naive_worker(queue)
    except BaseException:  # its death is what is wanted: nothing is to be printed about it
        attack.killed = True


def _can_be_read(engine: Engine) -> bool:
    """Whether the tasks are still there, to end the wait early where they are not."""
    try:
        with reading(engine) as session:
            return len(session.exec(select(Task.id)).all()) > 0
    except Exception:
        return False


def _why(engine: Engine, attack: Attack) -> str:
    if not _can_be_read(engine):
        return "the tasks are gone, so there is nothing to come to"
    with reading(engine) as session:
        status = dict(session.exec(select(Task.type, Task.status)).all())
    if status.get("yours") == "running" and attack.ended:
        return "your handler ended, and its end could not be stored: did it leave a transaction open that writes?"
    if status.get("yours") == "running":
        return f"your handler holds it for more than {ENOUGH:g} s, and a worker runs one task at a time"
    return f"yours is {status.get('yours', 'gone')}, the next one is {status.get('next', 'gone')}"


EXERCISE = Exercise(
    id="8.5",
    title="Break the worker",
    objective="8-survive",
    goal=f"""
This worker looks careful, and one bad handler ends it. Write that handler: after it, the naive worker never comes to
the next task, while the library's worker does, and the process lives on. Each worker meets your handler afresh, in a
process of its own, so nothing that it does can end this kernel.

```python
{LISTED}```
""",
    stub='''
def handler(task):
    """Ends the naive worker, and not the library's."""
    ...
''',
    checks=[check_the_naive_worker_stops, check_the_librarys_worker_goes_on],
    apart=True,
    hints=[
        "Read the naive worker's last three lines. Which errors do they not catch? What do they themselves call, and "
        "can that fail?",
        "Not every error is an `Exception`: look at the top of Python's tree of errors, or at `errors.py` of this "
        "package. And `str(error)` runs code of the error's own class.",
        """
What does `sys.exit()` raise, and what is its base class?

```python
raise SystemExit
```
""",
    ],
    solution='''
def handler(task):
    """Ends the naive worker, and not the library's."""
    raise SystemExit("somebody called sys.exit() deep inside a library")
''',
    discussion="""
There are many ways: a `BaseException`; an error whose own text cannot be had; a handler that deletes its task, so
that recording the failure fails. The best one is a *good* handler: `with task.completing(): ...` records its own
success, so the naive worker's `complete` is refused, and so is its `fail`.

The library's worker records every ending in one place, guards that record, too, and goes on. Against a handler that
never returns, no worker of one thread helps; you can only see it (`worker.status`) and let another one take over.
""",
    wrong_answers=[
        Wrong('def handler(task):\n    raise ValueError("no such card")', "`except Exception` catches `ValueError`"),
        Wrong("def handler(task):\n    pass", "your handler returned, and the naive worker went on"),
        Wrong(
            "import time\n\ndef handler(task):\n    time.sleep(3)",
            "your handler holds it for more than 0.4 s",
        ),
        Wrong("def handler(task):\n    while True:\n        pass", "your handler holds it for more than 0.4 s"),
        Wrong("import os\n\ndef handler(task):\n    os._exit(1)", "End the worker, not the world"),
        Wrong("from os import _exit\n\ndef handler(task):\n    _exit(1)", "End the worker, not the world"),
        Wrong(
            """
from sqlalchemy import text
from taskref_edu import writing

def handler(task):
    with writing(task.queue.engine) as session:
        session.execute(text("DROP TABLE task"))
""",
            "the tasks are gone",
        ),
        Wrong("def handler(task):\n    task.payload['order_id']", "`except Exception` catches `TypeError`"),
    ],
)
