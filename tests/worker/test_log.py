"""A failed attempt leaves one record, with its traceback; and nothing on stderr where nobody configured logging."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, Worker, errors, writing
from taskref_edu.queue import RunningTask


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


@pytest.mark.parametrize(("handler", "said"), [(hopeless, "never"), (late, "after the end")])
def test_what_is_not_tried_again_is_an_error(
    sqlite: Engine, caplog: pytest.LogCaptureFixture, handler: object, said: str
) -> None:
    run(sqlite, handler)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert said in str(record.exc_info[1])


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
