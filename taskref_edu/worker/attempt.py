"""One attempt: run the handler of a claimed task, and record how it ended.

Not covered: claiming (`claims.py`), the lease while the handler runs (`heartbeat.py`).
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from ..database import forks
from ..database.transactions import writing
from ..errors import DatabaseError, PermanentFailure, StaleLease, TaskCancelled
from ..queue.handlers import Handler, expect_ran
from ..queue.payload import clean
from ..queue.running_task import RunningTask
from ..queue.task_queue import TaskQueue
from .backoff import Backoff

# Nobody who configures no logging shall see records on stderr: in a notebook they would land in some other cell.
logger = logging.getLogger("taskref_edu.worker")
logging.getLogger("taskref_edu").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Problem:
    """What went wrong with an attempt: the error itself, and the text that a status shows."""

    error: BaseException
    text: str


# A database that is locked, lost, full or read-only for a while: a finished handler's result must not be dropped.
WAITED_OUT = (
    DatabaseError,
    sqlalchemy_errors.OperationalError,
    sqlalchemy_errors.InternalError,
    sqlalchemy_errors.InterfaceError,
)
Record = Callable[[Session], None]
Complete = Callable[[RunningTask], Problem | None]
Blocked = Callable[[str], None]


def run_attempt(queue: TaskQueue, task: RunningTask, complete: Complete, blocked: Blocked) -> Problem | None:
    """Run the handler and record the outcome; return what went wrong, None if nothing did.

    complete: records the success of a task that has not recorded it itself.
    blocked: is told why the outcome cannot be recorded yet.

    Nothing that a handler raises gets out, SystemExit included, except a KeyboardInterrupt: that one is
    meant for the program. Raises a database's error if the outcome cannot be recorded within a lease.
    """
    try:
        _call(queue.handlers.of(task.type), task)
    except TaskCancelled:
        return _record_with_retries(queue, lambda session: _stopped(queue, session, task), blocked)
    except BaseException as error:
        problem = _failed(queue, task, error, blocked)
        if isinstance(error, KeyboardInterrupt):
            raise
        return problem
    if task.completed:
        return None
    return complete(task)


def complete_alone(queue: TaskQueue, task: RunningTask, blocked: Blocked) -> Problem | None:
    """Record success in a transaction of its own, however long that takes; return what went wrong, or None."""
    return _record_with_retries(queue, lambda session: queue.complete(session, task), blocked)


def describe(error: BaseException) -> str:
    """`ValueError: no such card`, for any error, also one whose own text cannot be had."""
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text raised {type(second).__name__})"
    return clean(f"{type(error).__name__}: {text}")


def _call(handler: Handler, task: RunningTask) -> None:
    """Run the handler. A child that it has forked ends here: it must not go on as a second worker with this lease."""
    depth = forks.depth
    try:
        result = handler(task)
    except BaseException as error:
        if forks.depth != depth:
            _end_child(error)
        raise
    if forks.depth != depth:
        _end_child(None)
    expect_ran(result, f"the handler of type {task.type!r}")


def _end_child(error: BaseException | None) -> NoReturn:
    code = int(error is not None)
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        code = error.code or 0
    elif error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)  # no cleaning up: files and connections are the parent's


def _failed(queue: TaskQueue, task: RunningTask, error: BaseException, blocked: Blocked) -> Problem:
    text, retry = describe(error), not isinstance(error, PermanentFailure)
    again = retry and task.attempt < task.max_attempts and not task.completed
    logger.log(
        logging.WARNING if again else logging.ERROR,
        "task %d (%s): attempt %d of %d raised %s",
        *(task.id, task.type, task.attempt, task.max_attempts, text),
        exc_info=error,
    )
    if task.completed:
        return Problem(error, f"task {task.id} was completed, then its handler raised {text}")
    stale = _record_with_retries(queue, lambda session: queue.fail(session, task, text, retry=retry), blocked)
    return stale or Problem(error, text)


def _stopped(queue: TaskQueue, session: Session, task: RunningTask) -> None:
    try:
        queue.stop(session, task)
    except StaleLease:  # or nobody had asked: then raising TaskCancelled is a failure as any other
        queue.fail(session, task, "TaskCancelled: raised by the handler, though nobody asked the task to stop")


def _record_with_retries(queue: TaskQueue, record: Record, blocked: Blocked) -> Problem | None:
    """Record the outcome, however long the database is locked, as long as the lease can hold."""
    until, backoff = time.monotonic() + queue.lease, Backoff()
    while True:
        try:
            with writing(queue.engine) as session:
                record(session)
            return None
        except StaleLease as error:
            return Problem(error, describe(error))
        except WAITED_OUT as error:
            if time.monotonic() > until:
                raise
            blocked(describe(error))
            time.sleep(backoff.delay_after(error))
