"""One contract for both approaches, on both databases: the same verbs promise the same."""

from __future__ import annotations

from datetime import timedelta
from inspect import isfunction
from types import ModuleType, SimpleNamespace

import pytest
from sqlalchemy import delete, inspect
from sqlmodel import Session, col

from taskref_edu import (
    Order,
    Task,
    TaskQueue,
    TaskReference,
    TaskStatus,
    Worker,
    classic,
    errors,
    inverted,
    reading,
    writing,
)
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import Clock, OpenDatabase, claim, in_transaction, new_orders

PAYMENT = "process_payment"


def with_the_verbs_of_a_payment(reference: TaskReference[Order]) -> SimpleNamespace:
    """A TaskReference under the verbs' names, so that it stands the same tests."""

    def process_payment(task: RunningTask) -> None:
        with task.reading() as session:
            reference.row_for(session, task)
        task.checkpoint()
        with task.completing() as session:
            reference.row_for(session, task).status = "paid"

    return SimpleNamespace(
        __name__="inverted",  # the schema that it needs
        enqueue_payment=reference.enqueue,
        order_for=reference.row_for,
        enqueue_payment_once=reference.enqueue_once,
        cancel_payment=reference.cancel,
        orders_in_process=reference.in_process,
        process_payment=process_payment,
    )


REUSABLE = with_the_verbs_of_a_payment(TaskReference(Order.processing_task_id, PAYMENT))


@pytest.fixture(params=[classic, inverted, REUSABLE], ids=["classic", "inverted", "TaskReference"])
def approach(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(params=["both", "own"])
def queue(request: pytest.FixtureRequest, approach: ModuleType, open_any: OpenDatabase, clock: Clock) -> TaskQueue:
    """A queue on the schema of both, and on the one that only this approach uses."""
    name = request.param if request.param == "both" else approach.__name__.rsplit(".", 1)[-1]
    queue = TaskQueue(open_any(schema=name), now=clock, jitter=lambda: 1.0)
    queue.handler(PAYMENT)(approach.process_payment)
    return queue


def in_process(approach: ModuleType, queue: TaskQueue) -> list[int]:
    with reading(queue.engine) as session:
        return [order.id for order in approach.orders_in_process(session)]


def order(queue: TaskQueue, order_id: int | None) -> Order:
    with reading(queue.engine) as session:
        return session.get_one(Order, order_id)


def test_enqueue_returns_the_task_and_the_order_is_in_process(approach: ModuleType, queue: TaskQueue) -> None:
    first, second, _ = new_orders(queue.engine)
    with writing(queue.engine) as session:
        task = approach.enqueue_payment(session, queue, second)
    assert (task.type, task.status) == (PAYMENT, TaskStatus.PENDING)
    assert in_process(approach, queue) == [second.id]
    with reading(queue.engine) as session:
        assert approach.order_for(session, task).id == second.id
    assert first.id not in in_process(approach, queue)


def test_enqueue_takes_an_order_of_the_same_transaction(approach: ModuleType, queue: TaskQueue) -> None:
    with writing(queue.engine) as session:
        new = Order(customer="Ann", amount=100)
        session.add(new)
        approach.enqueue_payment(session, queue, new)
    assert in_process(approach, queue) == [new.id]


def test_order_and_task_commit_together_or_not_at_all(approach: ModuleType, queue: TaskQueue) -> None:
    (known,) = new_orders(queue.engine, 1)
    with pytest.raises(ZeroDivisionError), writing(queue.engine) as session:
        approach.enqueue_payment(session, queue, known)
        raise ZeroDivisionError("the caller's own error")
    assert in_process(approach, queue) == []
    assert sum(in_transaction(queue.engine, queue.counts).values()) == 0


@pytest.mark.parametrize("verb", ["enqueue_payment", "enqueue_payment_once"])
def test_an_order_that_is_not_in_the_database_is_refused(approach: ModuleType, queue: TaskQueue, verb: str) -> None:
    with pytest.raises(errors.PermanentFailure, match="add it to the session"), writing(queue.engine) as session:
        getattr(approach, verb)(session, queue, Order(customer="Nobody", amount=1))
    assert sum(in_transaction(queue.engine, queue.counts).values()) == 0


def test_once_means_one_live_task(approach: ModuleType, queue: TaskQueue) -> None:
    (known,) = new_orders(queue.engine, 1)
    with writing(queue.engine) as session:
        assert approach.enqueue_payment_once(session, queue, known) is not None
        assert approach.enqueue_payment_once(session, queue, known) is None
    with writing(queue.engine) as session:
        assert approach.enqueue_payment_once(session, queue, known) is None
    claim(queue)
    with writing(queue.engine) as session:
        assert approach.enqueue_payment_once(session, queue, known) is None, "a running payment counts, too"
        assert sum(queue.counts(session).values()) == 1, "the loser leaves no task behind"


def test_once_leaves_the_callers_other_work_alone(approach: ModuleType, queue: TaskQueue) -> None:
    first, second = new_orders(queue.engine, 2)
    with writing(queue.engine) as session:
        approach.enqueue_payment_once(session, queue, first)
    with writing(queue.engine) as session:
        session.get_one(Order, second.id).amount = 7
        assert approach.enqueue_payment_once(session, queue, first) is None
        assert approach.enqueue_payment_once(session, queue, second) is not None
    assert order(queue, second.id).amount == 7


@pytest.mark.parametrize("end", ["success", "failure", "cancellation"])
def test_payable_again_after_each_end(approach: ModuleType, queue: TaskQueue, end: str) -> None:
    (known,) = new_orders(queue.engine, 1)
    in_transaction(queue.engine, lambda session: approach.enqueue_payment_once(session, queue, known))
    if end == "cancellation":
        in_transaction(queue.engine, lambda session: approach.cancel_payment(session, queue, known))
    else:
        task = claim(queue)
        with writing(queue.engine) as session:
            if end == "success":
                queue.complete(session, task)
            else:
                queue.fail(session, task, "no card", retry=False)
    assert in_process(approach, queue) == []
    assert in_transaction(queue.engine, lambda session: approach.enqueue_payment_once(session, queue, known))


def test_a_retry_keeps_the_order_in_process(approach: ModuleType, queue: TaskQueue, clock: Clock) -> None:
    (known,) = new_orders(queue.engine, 1)
    in_transaction(queue.engine, lambda session: approach.enqueue_payment(session, queue, known))
    task = claim(queue)
    in_transaction(queue.engine, lambda session: queue.fail(session, task, "try again"))
    assert in_process(approach, queue) == [known.id]
    clock.advance(10)
    assert Worker(queue).run_until_idle() == 1
    assert order(queue, known.id).status == "paid"


def test_cancel_counts_what_it_cancelled(approach: ModuleType, queue: TaskQueue) -> None:
    first, second, third = new_orders(queue.engine)
    cancel = lambda which: in_transaction(  # noqa: E731 - a short name for a short test
        queue.engine, lambda session: approach.cancel_payment(session, queue, which)
    )
    for which in (first, second):
        in_transaction(queue.engine, lambda session, which=which: approach.enqueue_payment(session, queue, which))
    assert [cancel(first), cancel(first), cancel(third)] == [1, 0, 0]
    running = claim(queue)
    assert cancel(second) == 1, "a running one is asked to stop"
    assert in_process(approach, queue) == [second.id], "and stays in process until it has stopped"
    with pytest.raises(errors.TaskCancelled):
        running.checkpoint()


def test_cancel_works_with_an_order_that_was_read_before_the_payment(approach: ModuleType, queue: TaskQueue) -> None:
    (known,) = new_orders(queue.engine, 1)
    stale = order(queue, known.id)
    in_transaction(queue.engine, lambda session: approach.enqueue_payment(session, queue, known))
    assert in_transaction(queue.engine, lambda session: approach.cancel_payment(session, queue, stale)) == 1


def test_cancel_in_the_transaction_of_the_enqueue(approach: ModuleType, queue: TaskQueue) -> None:
    (known,) = new_orders(queue.engine, 1)
    with writing(queue.engine) as session:
        attached = session.get_one(Order, known.id)
        approach.enqueue_payment(session, queue, attached)
        assert approach.cancel_payment(session, queue, attached) == 1
        assert approach.enqueue_payment_once(session, queue, attached) is not None


def test_the_worker_pays_each_order_once(approach: ModuleType, queue: TaskQueue) -> None:
    orders = new_orders(queue.engine, 5)
    for which in orders:
        in_transaction(queue.engine, lambda session, which=which: approach.enqueue_payment(session, queue, which))
    in_transaction(queue.engine, lambda session: approach.cancel_payment(session, queue, orders[2]))
    assert Worker(queue).run_until_idle() == 4
    assert [order(queue, which.id).status for which in orders] == ["paid", "paid", "new", "paid", "paid"]
    assert in_process(approach, queue) == []


def test_a_stale_holder_does_not_pay(approach: ModuleType, queue: TaskQueue, clock: Clock) -> None:
    (known,) = new_orders(queue.engine, 1)
    in_transaction(queue.engine, lambda session: approach.enqueue_payment(session, queue, known))
    stale = claim(queue)
    clock.advance(queue.lease)
    in_transaction(queue.engine, queue.reclaim)
    with pytest.raises(errors.StaleLease):
        approach.process_payment(stale)
    assert order(queue, known.id).status == "new"


def test_pruning_leaves_the_orders(approach: ModuleType, queue: TaskQueue, clock: Clock) -> None:
    orders = new_orders(queue.engine, 3)
    for which in orders:
        in_transaction(queue.engine, lambda session, which=which: approach.enqueue_payment(session, queue, which))
    Worker(queue).run_until_idle()
    clock.advance(1)
    assert in_transaction(queue.engine, lambda session: queue.prune(session, timedelta(0))) == 3
    assert [order(queue, which.id).status for which in orders] == ["paid"] * 3


def test_a_task_without_its_order_fails_by_name_and_the_next_one_runs(approach: ModuleType, queue: TaskQueue) -> None:
    gone, kept = new_orders(queue.engine, 2)
    if approach is classic and "order_id" in _task_columns(queue):
        pytest.skip("classic's own schema has a foreign key: the order cannot go")
    for which in (gone, kept):
        in_transaction(queue.engine, lambda session, which=which: approach.enqueue_payment(session, queue, which))
    in_transaction(queue.engine, lambda session: session.execute(delete(Order).where(col(Order.id) == gone.id)))
    assert Worker(queue).run_until_idle() == 2
    with reading(queue.engine) as session:
        failed = session.get_one(Task, 1)
    assert (failed.status, failed.attempt) == (TaskStatus.FAILED, 1)
    assert (failed.error or "").startswith(("PayloadError: task 1: order", "OrphanTask: task 1: no order"))
    assert order(queue, kept.id).status == "paid"


def _task_columns(queue: TaskQueue) -> set[str]:
    return {column["name"] for column in inspect(queue.engine).get_columns("task")}


def test_the_verbs_stand_in_the_same_order() -> None:
    def verbs(module: ModuleType) -> list[str]:
        functions = [item for item in vars(module).values() if isfunction(item) and item.__module__ == module.__name__]
        return [function.__name__ for function in functions if not function.__name__.startswith("_")]

    assert (
        verbs(classic)
        == verbs(inverted)
        == [
            "enqueue_payment",
            "order_for",
            "enqueue_payment_once",
            "cancel_payment",
            "orders_in_process",
            "process_payment",
        ]
    )


def test_sessions_of_the_caller_work_too(approach: ModuleType, queue: TaskQueue) -> None:
    (known,) = new_orders(queue.engine, 1)
    with Session(queue.engine) as session:
        approach.enqueue_payment_once(session, queue, known)
        session.commit()
    assert in_process(approach, queue) == [known.id]
