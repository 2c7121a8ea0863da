"""The queue's verbs on both databases: what each does, and what it refuses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, update
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, errors, reading, writing
from tests.conftest import Clock, claim, enqueue, in_transaction, new_orders, row


class TestEnqueue:
    def test_the_task_that_is_returned_is_the_row(self, queue: TaskQueue) -> None:
        task = enqueue(queue, "work", {"order_id": 1, "lines": [1, 2.5, None, "ä"]})
        assert row(queue, task.id).model_dump() == task.model_dump()
        assert task.status is TaskStatus.PENDING

    def test_rolled_back_with_the_callers_transaction(self, queue: TaskQueue) -> None:
        with pytest.raises(ZeroDivisionError), writing(queue.engine) as session:
            queue.enqueue(session, "work")
            raise ZeroDivisionError("the caller's own error")
        assert in_transaction(queue.engine, queue.counts)[TaskStatus.PENDING] == 0

    @pytest.mark.parametrize(
        "payload", [{1, 2}, float("nan"), {"a": float("inf")}, "\x00", {"k\x00": 1}, "\ud800", object(), b"x"]
    )
    def test_what_is_not_json_is_refused_and_leaves_no_row(self, queue: TaskQueue, payload: object) -> None:
        with pytest.raises(errors.PayloadError):
            enqueue(queue, payload=payload)
        with pytest.raises(errors.PayloadError), writing(queue.engine) as session:
            queue.enqueue_many(session, "work", [1, payload])
        assert sum(in_transaction(queue.engine, queue.counts).values()) == 0

    def test_a_payload_over_the_limit_is_refused(self, engine: Engine) -> None:
        queue = TaskQueue(engine, max_payload=10)
        assert enqueue(queue, payload="12345678").payload == "12345678"
        with pytest.raises(errors.PayloadError, match="11 bytes, 10 are allowed"):
            enqueue(queue, payload="123456789")

    def test_a_backslash_u0000_that_is_only_text_is_kept(self, queue: TaskQueue) -> None:
        assert row(queue, enqueue(queue, payload="\\u0000").id).payload == "\\u0000"

    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"type": ""}, "type '' found, a name of 1 to 255 characters"),
            ({"type": 7}, "type 7 found, a name as text"),
            ({"type": "a\x00"}, "holds NUL"),
            ({"available_at": datetime(2026, 1, 1)}, "no time zone"),
            ({"max_attempts": 0}, "max_attempts 0 found, from 1 to"),
            ({"max_attempts": 2.5}, "max_attempts 2.5 found, a whole number"),
        ],
    )
    def test_careless_arguments_are_refused_at_the_call(
        self, queue: TaskQueue, keywords: dict[str, object], message: str
    ) -> None:
        with pytest.raises((TypeError, ValueError), match=message):
            enqueue(queue, **{"type": "work"} | keywords)  # type: ignore[arg-type]

    def test_many_are_one_transaction(self, queue: TaskQueue) -> None:
        assert in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", [1, None, "a"])) == 3
        assert [claim(queue).payload for _ in range(3)] == [1, None, "a"]

    def test_inside_reading_it_is_refused_by_name(self, queue: TaskQueue) -> None:
        with reading(queue.engine) as session:
            with pytest.raises(errors.ReadOnlySession, match="use `with writing"):
                queue.enqueue(session, "work")
            with pytest.raises(errors.ReadOnlySession):
                queue.claim(session)
            with pytest.raises(errors.ReadOnlySession):
                queue.cancel(session, 1)


class TestClaim:
    def test_none_where_nothing_is_due(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue, available_at=clock() + timedelta(seconds=1))
        assert in_transaction(queue.engine, queue.claim) is None
        clock.advance(1)
        assert claim(queue).id == 1

    def test_the_oldest_due_first(self, queue: TaskQueue, clock: Clock) -> None:
        late = enqueue(queue, available_at=clock() + timedelta(seconds=5))
        first, second = enqueue(queue), enqueue(queue)
        clock.advance(10)
        assert [claim(queue).id for _ in range(3)] == [first.id, second.id, late.id]

    def test_in_the_order_of_their_ids_where_all_are_due_at_once(self, queue: TaskQueue) -> None:
        in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", range(50)))
        assert [claim(queue).payload for _ in range(50)] == [*range(50)]

    def test_what_was_claimed_is_frozen(self, queue: TaskQueue) -> None:
        enqueue(queue, payload=[1])
        task = claim(queue)
        with pytest.raises(FrozenInstanceError):
            task.token = 2  # type: ignore[misc]
        assert str(task) == f"RunningTask(id={task.id}, type='work', payload=[1], attempt=1, token=1)"

    def test_each_claim_gets_a_higher_token(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        tokens = []
        for _ in range(3):
            tokens.append(claim(queue).token)
            clock.advance(queue.lease)
            in_transaction(queue.engine, queue.reclaim)
        assert tokens == [1, 2, 3]


class TestEnds:
    def test_complete(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.complete(session, task))
        found = row(queue, task.id)
        assert (found.status, found.finished_at, found.lease_expires_at) == (TaskStatus.SUCCEEDED, clock(), None)

    def test_fail_retries_after_a_doubling_delay_and_then_fails_for_good(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue, max_attempts=3)
        for delay in (1, 2):
            task = claim(queue)
            in_transaction(queue.engine, lambda session, task=task: queue.fail(session, task, "no card"))
            found = row(queue, task.id)
            assert (found.status, found.error) == (TaskStatus.PENDING, "no card")
            assert found.available_at == clock() + timedelta(seconds=delay)
            clock.advance(delay)
        last = claim(queue)
        in_transaction(queue.engine, lambda session: queue.fail(session, last, "card\x00refused"))
        assert (row(queue, 1).status, row(queue, 1).error) == (TaskStatus.FAILED, "card?refused")

    def test_a_failure_that_is_permanent_is_not_tried_again(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.fail(session, task, "typo", retry=False))
        assert row(queue, 1).status is TaskStatus.FAILED

    def test_the_delay_is_bounded(self, engine: Engine) -> None:
        queue = TaskQueue(engine, backoff=2, max_backoff=60, jitter=lambda: 0.5)
        assert [queue.delay(attempt) for attempt in (1, 2, 3, 10, 10_000)] == [1, 2, 4, 30, 30]

    def test_an_error_text_is_cut(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.fail(session, task, "x" * 1_000_000))
        assert len(row(queue, 1).error or "") == 2_000


class TestCancel:
    def test_pending_is_final(self, queue: TaskQueue) -> None:
        task = enqueue(queue)
        assert in_transaction(queue.engine, lambda session: queue.cancel(session, task.id or 0)) is True
        assert row(queue, task.id).status is TaskStatus.CANCELLED
        assert in_transaction(queue.engine, queue.claim) is None

    def test_running_is_asked_to_stop(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        task.checkpoint()
        assert in_transaction(queue.engine, lambda session: queue.cancel(session, task.id)) is True
        assert row(queue, task.id).status is TaskStatus.RUNNING
        with pytest.raises(errors.TaskCancelled):
            task.checkpoint()
        in_transaction(queue.engine, lambda session: queue.stop(session, task))
        assert row(queue, task.id).status is TaskStatus.CANCELLED

    def test_a_completion_beats_the_request(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
        in_transaction(queue.engine, lambda session: queue.complete(session, task))
        assert row(queue, task.id).status is TaskStatus.SUCCEEDED

    def test_a_failure_after_the_request_is_not_tried_again(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
        in_transaction(queue.engine, lambda session: queue.fail(session, task, "broke off"))
        assert (row(queue, 1).status, row(queue, 1).error) == (TaskStatus.CANCELLED, "broke off")

    def test_ended_is_false(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.complete(session, task))
        assert in_transaction(queue.engine, lambda session: queue.cancel(session, task.id)) is False
        assert row(queue, task.id).status is TaskStatus.SUCCEEDED

    def test_a_task_that_never_was_is_named(self, queue: TaskQueue) -> None:
        with pytest.raises(errors.TaskNotFound, match="task 99 not found"), writing(queue.engine) as session:
            queue.cancel(session, 99)

    def test_stop_without_a_request_is_refused(self, queue: TaskQueue) -> None:
        enqueue(queue)
        task = claim(queue)
        with pytest.raises(errors.StaleLease, match="nobody asked it to stop"), writing(queue.engine) as session:
            queue.stop(session, task)


class TestReclaim:
    def test_an_expired_lease_returns_the_task(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        claim(queue)
        clock.advance(queue.lease - 0.001)
        assert in_transaction(queue.engine, queue.reclaim) == 0
        clock.advance(0.001)
        assert in_transaction(queue.engine, queue.reclaim) == 1
        assert "the lease ran out" in (row(queue, 1).error or "")
        assert claim(queue).attempt == 2

    def test_the_claims_own_lease_counts__not_that_of_the_next_worker(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        claim(queue)
        hasty = TaskQueue(queue.engine, lease=0.3, now=clock)
        clock.advance(queue.lease - 1)
        assert in_transaction(queue.engine, hasty.reclaim) == 0
        clock.advance(1)
        assert in_transaction(queue.engine, hasty.reclaim) == 1

    def test_a_heartbeat_keeps_it(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        task = claim(queue)
        clock.advance(queue.lease - 1)
        in_transaction(queue.engine, lambda session: queue.heartbeat(session, task))
        clock.advance(queue.lease - 1)
        assert in_transaction(queue.engine, queue.reclaim) == 0

    def test_attempts_are_bounded(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue, max_attempts=2)
        for _ in range(2):
            claim(queue)
            clock.advance(queue.lease)
            in_transaction(queue.engine, queue.reclaim)
        assert row(queue, 1).status is TaskStatus.FAILED

    def test_one_that_was_asked_to_stop_is_cancelled(self, queue: TaskQueue, clock: Clock) -> None:
        enqueue(queue)
        task = claim(queue)
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
        clock.advance(queue.lease)
        in_transaction(queue.engine, queue.reclaim)
        assert row(queue, 1).status is TaskStatus.CANCELLED


# Every status, and what each verb of the holder meets there. What is not in TRANSITIONS is refused by name.


class TestPrune:
    def test_deletes_only_what_ended_long_enough_ago_and_at_most_the_limit(
        self, queue: TaskQueue, clock: Clock
    ) -> None:
        for _ in range(4):
            enqueue(queue)
            task = claim(queue)
            in_transaction(queue.engine, lambda session, task=task: queue.complete(session, task))
        clock.advance(60)
        live = enqueue(queue)
        done = enqueue(queue)
        in_transaction(queue.engine, lambda session: queue.cancel(session, done.id or 0))
        prune = lambda limit: in_transaction(  # noqa: E731 - a short name for a short test
            queue.engine, lambda session: queue.prune(session, timedelta(seconds=30), limit=limit)
        )
        assert [prune(3), prune(3), prune(3)] == [3, 1, 0]
        with reading(queue.engine) as session:
            assert session.exec(select(Task.id).order_by(col(Task.id))).all() == [live.id, done.id]

    def test_never_deletes_or_blocks_an_order(self, queue: TaskQueue, clock: Clock) -> None:
        (order,) = new_orders(queue.engine, 1)
        task = enqueue(queue)
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id or 0))
        with writing(queue.engine) as session:  # a reference that somebody set by hand to a task that has ended
            session.execute(update(Order).where(col(Order.id) == order.id).values(processing_task_id=task.id))
        clock.advance(1)
        assert in_transaction(queue.engine, lambda session: queue.prune(session, timedelta(0))) == 1
        with reading(queue.engine) as session:
            assert session.get_one(Order, order.id).processing_task_id is None

    def test_ids_are_never_used_again(self, queue: TaskQueue, clock: Clock) -> None:
        pruned = enqueue(queue)
        in_transaction(queue.engine, lambda session: session.execute(delete(Task)))
        assert (enqueue(queue).id or 0) > (pruned.id or 0)


def test_a_copy_that_the_session_holds_is_read_again_after_a_move(queue: TaskQueue) -> None:
    task_id = enqueue(queue).id
    with writing(queue.engine) as session:
        held = session.get_one(Task, task_id)
        queue.cancel(session, task_id or 0)
        assert held.status is TaskStatus.CANCELLED


def test_next_due_is_the_earlier_of_a_due_time_and_the_end_of_a_lease(queue: TaskQueue, clock: Clock) -> None:
    due = lambda: in_transaction(queue.engine, queue.next_due)  # noqa: E731
    assert due() is None
    enqueue(queue, available_at=clock() + timedelta(seconds=100))
    assert due() == clock() + timedelta(seconds=100)
    enqueue(queue)
    claim(queue)
    assert due() == clock() + timedelta(seconds=queue.lease)


@pytest.mark.parametrize("keywords", [{"lease": 0}, {"max_attempts": 0}, {"backoff": -1}])
def test_a_queue_with_senseless_settings_is_refused(sqlite: Engine, keywords: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TaskQueue(sqlite, **keywords)  # type: ignore[arg-type]


def test_a_plain_session_of_the_caller_will_do(engine: Engine) -> None:
    queue = TaskQueue(engine)
    with Session(engine) as session:
        queue.enqueue(session, "work")
        session.commit()
    assert claim(queue).type == "work"
