"""A failed attempt leaves one record, with its traceback; and nothing on stderr where nobody configured logging."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from taskref_edu import Task, TaskQueue, TaskStatus, Worker, errors, reading, writing
from taskref_edu.queue import RunningTask
from tests.conftest import Clock, claim


def run(engine: Engine, handler: object, max_attempts: int | None = None) -> TaskQueue:
    queue = TaskQueue(engine, backoff=0)
    queue.handler("work")(handler)  # type: ignore[type-var]
    with writing(engine) as session:
        queue.enqueue(session, "work", max_attempts=max_attempts)
    Worker(queue).run_until_idle()
    return queue


def broken(task: RunningTask) -> None:
    raise ValueError("no such card")


def hopeless(task: RunningTask) -> None:
    raise errors.PermanentFailure("never")


def cancelled(task: RunningTask) -> None:
    raise errors.TaskCancelled("without being asked")


def without_a_text(task: RunningTask) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise SystemExit

    raise Unspeakable


def late(task: RunningTask) -> None:
    with task.completing():
        pass
    raise ValueError("after the end")


def test_one_record_for_each_attempt__a_warning_while_there_are_more(
    sqlite: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    run(sqlite, broken, max_attempts=3)
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("taskref_edu.worker", "WARNING"),
        ("taskref_edu.worker", "WARNING"),
        ("taskref_edu.worker", "ERROR"),
    ]
    assert caplog.records[0].getMessage() == "task 1 (work): attempt 1 of 3 raised ValueError: no such card"
    assert "in broken" in caplog.text, "with the handler's own line"


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (hopeless, "PermanentFailure: never"),
        (late, "ValueError: after the end"),
        (cancelled, "TaskCancelled: raised by the handler, though nobody asked"),
        (without_a_text, "Unspeakable: (its text raised SystemExit)"),
    ],
)
def test_what_is_not_tried_again_is_an_error(
    sqlite: Engine, caplog: pytest.LogCaptureFixture, handler: object, said: str
) -> None:
    run(sqlite, handler, max_attempts=1)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert said in record.getMessage()


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit])
def test_a_log_handler_that_fails_does_not_lose_the_outcome(sqlite: Engine, raised: type[BaseException]) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise raised

    logger, failing = logging.getLogger("taskref_edu.worker"), Failing()
    logger.addHandler(failing)
    try:
        with pytest.raises(raised):
            run(sqlite, broken, max_attempts=1)
    finally:
        logger.removeHandler(failing)
    with reading(sqlite) as session:
        task = session.exec(select(Task)).one()
    assert (task.status, task.error) == (TaskStatus.FAILED, "ValueError: no such card")


def test_an_attempt_whose_worker_died_leaves_one__by_whoever_puts_the_task_back(
    sqlite: Engine, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    queue = TaskQueue(sqlite, now=clock)
    queue.handler("work")(lambda task: None)
    with writing(sqlite) as session:
        queue.enqueue(session, "work")
    claim(queue)
    clock.advance(queue.lease)
    assert Worker(queue).run_until_idle() == 1
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("taskref_edu.worker", "WARNING")
    assert record.getMessage().startswith("1 task with the lease over: its worker died")


def test_a_success_leaves_none(sqlite: Engine, caplog: pytest.LogCaptureFixture) -> None:
    run(sqlite, lambda task: None)
    assert caplog.records == []


def test_a_handler_knows_whether_this_is_its_last_attempt(sqlite: Engine) -> None:
    seen: list[tuple[int, int]] = []

    def handler(task: RunningTask) -> None:
        seen.append((task.attempt, task.max_attempts))
        raise ValueError

    run(sqlite, handler, max_attempts=2)
    assert seen == [(1, 2), (2, 2)]


def test_without_logging_configured_nothing_is_printed() -> None:
    """In a notebook, what a worker's thread prints lands in whichever cell ran last."""
    program = (
        "from taskref_edu import *; queue = TaskQueue(open_database(), max_attempts=1)\n"
        "queue.handler('work')(lambda task: 1 / 0)\n"
        "with writing(queue.engine) as session: queue.enqueue(session, 'work')\n"
        "print(Worker(queue).run_until_idle())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")
