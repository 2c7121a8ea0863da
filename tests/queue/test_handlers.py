"""Registering handlers, and functions whose arguments travel in the payload."""

from __future__ import annotations

import pytest

from taskref_edu import Task, TaskQueue, errors, writing
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import claim


def enqueue(queue: TaskQueue, type: str = "work", payload: object = None, **keywords: object) -> Task:
    with writing(queue.engine) as session:
        return queue.enqueue(session, type, payload, **keywords)  # type: ignore[arg-type]


def test_the_sugar_checks_names_at_the_call_and_payloads_at_the_run(queue: TaskQueue) -> None:
    received = []

    @queue.task
    def send_receipt(order_id: int, copy: bool = False) -> None:
        received.append((order_id, copy))

    send_receipt(1)
    with writing(queue.engine) as session:
        send_receipt.run_in_background(session, order_id=7)
        send_receipt.run_in_background(session, 8, copy=True)
        for wrong in ({"orderid": 7}, {}, {"order_id": 7, "more": 1}):
            with pytest.raises(TypeError):
                send_receipt.run_in_background(session, **wrong)
    for _ in range(2):
        task = claim(queue)
        queue.handlers.of(task.type)(task)
    assert received == [(1, False), (7, False), (8, True)]
    broken = RunningTask(9, "send_receipt", {"orderid": 7}, 1, 1, queue)
    with pytest.raises(errors.PayloadError, match=r"task 9: payload {'orderid': 7} does not fit send_receipt"):
        send_receipt.handle(broken)
    with pytest.raises(errors.PayloadError):
        send_receipt.handle(RunningTask(9, "send_receipt", [7], 1, 1, queue))


def test_an_unknown_type_names_the_known_ones(queue: TaskQueue) -> None:
    queue.handler("work")(lambda task: None)
    with pytest.raises(errors.UnknownType, match=r"no handler for type 'wrok' \(known: work\)"):
        queue.handlers.of("wrok")
