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
from .database_backoff import Backoff

# Without it, Python prints warnings to stderr if no logging is configured; in a notebook they appear in another cell.
logger = logging.getLogger("taskref_edu.worker")
logging.getLogger("taskref_edu").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class AttemptProblem:
    """What went wrong in an attempt: the error itself, and the text that a status shows."""

    error: BaseException
    text: str


# Errors of a database that is locked, lost, full or read-only for a while. Recording the outcome is retried, because
# the result of a finished handler must not be lost.
WAITED_OUT = (
    DatabaseError,
    sqlalchemy_errors.OperationalError,
    sqlalchemy_errors.InternalError,
    sqlalchemy_errors.InterfaceError,
)
Record = Callable[[Session], None]
Complete = Callable[[RunningTask], AttemptProblem | None]
Blocked = Callable[[str], None]


def run_attempt(queue: TaskQueue, task: RunningTask, complete: Complete, blocked: Blocked) -> AttemptProblem | None:
    """Run the handler and record the outcome; return what went wrong, None if nothing did.

    complete: records the success, unless the handler has done so itself.
    blocked: called with the reason why the outcome cannot be recorded yet.

    Catches whatever a handler raises, SystemExit included, except KeyboardInterrupt, which is meant for the program.
    Raises the database's error if the outcome cannot be recorded within a lease.
    """
    try:
        _call(queue.handlers.of(task.type), task)
    except TaskCancelled as error:
        stale = _record_with_retries(queue, lambda session: queue.stop(session, task), blocked)
        return stale and _failed(queue, task, error, blocked)  # perhaps nobody asked it to stop
    except BaseException as error:
        problem = _failed(queue, task, error, blocked)
        if isinstance(error, KeyboardInterrupt):
            raise
        return problem
    return None if task.completed else complete(task)


def complete_alone(queue: TaskQueue, task: RunningTask, blocked: Blocked) -> AttemptProblem | None:
    """Record success in a transaction of its own, with retries for up to a lease; return what went wrong, or None."""
    return _record_with_retries(queue, lambda session: queue.complete(session, task), blocked)


def describe(error: BaseException) -> str:
    """`ValueError: no such card`, for any error, even if its __str__() fails."""
    try:
        text = str(error)
    except BaseException as second:
        text = f"(its text raised {type(second).__name__})"
    return clean(f"{type(error).__name__}: {text}")


def _call(handler: Handler, task: RunningTask) -> None:
    """Run the handler. A child process that it forked ends here: it must not become a second worker with this lease."""
    depth = forks.depth
    try:
        result = handler(task)
    except BaseException as error:
        if forks.depth != depth:
            _end_child(error)
        raise
    if forks.depth != depth:
        _end_child(None)
    if result is not None:  # the usual case; the check and its text take longer than running most statements
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
    os._exit(code)  # no clean-up: files and connections belong to the parent


def _failed(queue: TaskQueue, task: RunningTask, error: BaseException, blocked: Blocked) -> AttemptProblem:
    text, retry = describe(error), not isinstance(error, PermanentFailure)
    if isinstance(error, TaskCancelled):
        text = "TaskCancelled: raised by the handler, though nobody asked the task to stop"
    again = retry and task.attempt < task.max_attempts and not task.completed
    stale = None
    try:
        logger.log(
            logging.WARNING if again else logging.ERROR,
            "task %d (%s): attempt %d of %d raised %s",
            *(task.id, task.type, task.attempt, task.max_attempts, text),
            exc_info=error,
        )
    finally:  # whatever a log handler raises, the outcome is recorded
        if not task.completed:
            stale = _record_with_retries(queue, lambda session: queue.fail(session, task, text, retry=retry), blocked)
    if task.completed:
        return AttemptProblem(error, f"task {task.id} was completed, then its handler raised {text}")
    return stale or AttemptProblem(error, text)


def _record_with_retries(queue: TaskQueue, record: Record, blocked: Blocked) -> AttemptProblem | None:
    """Record the outcome; retry while the database is locked, for up to a lease."""
    until, backoff = time.monotonic() + queue.lease, Backoff()
    while True:
        try:
            with writing(queue.engine) as session:
                record(session)
            return None
        except StaleLease as error:
            return AttemptProblem(error, describe(error))
        except WAITED_OUT as error:
            if time.monotonic() > until:
                raise
            blocked(describe(error))
            time.sleep(backoff.delay_after(error))
