"""Where the two approaches differ on purpose."""

from __future__ import annotations

import pytest
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy import text

from taskref_edu import Order, TaskQueue, TaskStatus, Worker, classic, errors, inverted, reading, writing
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import OpenDatabase, claim, in_transaction, new_orders


@pytest.fixture
def queue(open_any: OpenDatabase) -> TaskQueue:
    return TaskQueue(open_any())


class TestClassic:
    def test_the_payload_names_the_order(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        task = in_transaction(queue.engine, lambda session: classic.enqueue_payment(session, queue, order))
        assert task.payload == {"order_id": order.id}

    def test_a_second_plain_enqueue_is_refused_by_the_database(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        in_transaction(queue.engine, lambda session: classic.enqueue_payment(session, queue, order))
        with pytest.raises(sqlalchemy_errors.IntegrityError), writing(queue.engine) as session:
            classic.enqueue_payment(session, queue, order)

    @pytest.mark.parametrize(
        "payload",
        [None, {}, {"orderid": 101}, {"order_id": "101"}, {"order_id": True}, {"order_id": 101, "more": 1}, 101],
    )
    def test_a_payload_of_the_wrong_shape_names_both(self, queue: TaskQueue, payload: object) -> None:
        new_orders(queue.engine, 1)
        task = RunningTask(1, "process_payment", payload, 1, 1, queue)
        with (
            reading(queue.engine) as session,
            pytest.raises(errors.PayloadError, match=r"found, \{'order_id': <int>\}"),
        ):
            classic.order_for(session, task)

    @pytest.mark.parametrize("payload", [{"orderid": 101}, {}, {"order_id": 99}, None])
    def test_its_own_schema_refuses_a_wrong_payload_at_the_insert(
        self, open_any: OpenDatabase, payload: object
    ) -> None:
        queue = TaskQueue(open_any(schema="classic"))
        new_orders(queue.engine, 1)
        with pytest.raises(sqlalchemy_errors.IntegrityError), writing(queue.engine) as session:
            queue.enqueue(session, "process_payment", payload)

    def test_its_own_schema_leaves_other_types_alone(self, open_any: OpenDatabase) -> None:
        queue = TaskQueue(open_any(schema="classic"))
        with writing(queue.engine) as session:
            assert queue.enqueue_many(session, "another type", [None, {}, {"to": "Ann"}]) == 3

    def test_another_reason_for_a_refusal_is_not_taken_for_a_duplicate(self, open_any: OpenDatabase) -> None:
        queue = TaskQueue(open_any(schema="classic"))
        with pytest.raises(sqlalchemy_errors.IntegrityError), writing(queue.engine) as session:
            classic.enqueue_payment_once(session, queue, Order(id=99, customer="deleted", amount=1))

    def test_an_order_may_have_tasks_of_other_types(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        with writing(queue.engine) as session:
            classic.enqueue_payment(session, queue, order)
            queue.enqueue(session, "send_receipt", {"order_id": order.id})
            assert classic.cancel_payment(session, queue, order) == 1
        assert in_transaction(queue.engine, queue.counts)[TaskStatus.PENDING] == 1


class TestInverted:
    def test_the_order_names_the_task_and_there_is_no_payload(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        task = in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, order))
        assert (order.processing_task_id, task.payload) == (task.id, None)

    def test_a_second_plain_enqueue_points_the_order_away_from_the_first(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        queue.handler("process_payment")(inverted.process_payment)
        for _ in range(2):
            in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, order))
        assert Worker(queue).run_until_idle() == 2
        counts = in_transaction(queue.engine, queue.counts)
        assert (counts[TaskStatus.FAILED], counts[TaskStatus.SUCCEEDED]) == (1, 1), "a fence for free"

    def test_two_orders_cannot_share_a_task(self, queue: TaskQueue) -> None:
        first, second = new_orders(queue.engine, 2)
        task = in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, first))
        with pytest.raises(sqlalchemy_errors.IntegrityError), writing(queue.engine) as session:
            session.get_one(Order, second.id).processing_task_id = task.id

    def test_a_reference_to_no_task_is_refused(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        with pytest.raises(sqlalchemy_errors.IntegrityError), writing(queue.engine) as session:
            session.get_one(Order, order.id).processing_task_id = 99

    def test_the_database_clears_the_reference_even_for_raw_sql(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, order))
        by_hand = text("UPDATE task SET status = 'cancelled', finished_at = CURRENT_TIMESTAMP")
        in_transaction(queue.engine, lambda session: session.execute(by_hand))
        with reading(queue.engine) as session:
            assert session.get_one(Order, order.id).processing_task_id is None

    def test_only_the_reference_to_the_ended_task_is_cleared(self, queue: TaskQueue) -> None:
        first, second = new_orders(queue.engine, 2)
        for order in (first, second):
            in_transaction(queue.engine, lambda session, order=order: inverted.enqueue_payment(session, queue, order))
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.complete(session, task))
        with reading(queue.engine) as session:
            assert [order.id for order in inverted.orders_in_process(session)] == [second.id]
