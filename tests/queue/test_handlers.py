"""Registering handlers, and functions whose arguments travel in the payload."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from taskref_edu import TaskQueue, Worker, errors, writing
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import claim


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


def test_parameters_may_have_any_name(queue: TaskQueue) -> None:
    seen: list[object] = []

    @queue.task
    def show(self: int, session: int) -> None:
        seen.append((self, session))

    with writing(queue.engine) as session:
        show.run_in_background(session, self=1, session=2)
    Worker(queue).run_until_idle()
    show(self=3, session=4)
    assert seen == [(1, 2), (3, 4)]


def test_two_functions_of_one_name_are_refused__the_same_one_again_is_not(queue: TaskQueue) -> None:
    def define(value: str) -> Callable[[], str]:
        def send() -> str:
            return value

        return send

    def other() -> Callable[[], None]:
        def send() -> None: ...

        return send

    queue.task(define("first"))
    assert queue.task(define("a cell that is run again"))() == "a cell that is run again"
    with pytest.raises(ValueError, match=r"define.*send handles it, .*other.*send found; one function for each name"):
        queue.task(other())


def test_a_lambda_is_no_type(queue: TaskQueue) -> None:
    with pytest.raises(TypeError, match="a function with a name of its own expected: use def"):
        queue.task(lambda: None)
