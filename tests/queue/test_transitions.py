"""Each verb moves a task as the table of transitions says, or is refused by name."""

from __future__ import annotations

import pytest

from taskref_edu import Order, TaskQueue, TaskStatus, errors, reading, writing
from taskref_edu.models import TRANSITIONS
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import Clock, claim, enqueue, in_transaction, new_orders, row


def _bring_to(queue: TaskQueue, clock: Clock, status: TaskStatus) -> RunningTask:
    """A task of `status`, and the lease that was the last one on it (of a claim that never was, if none)."""
    created = enqueue(queue)
    if status is TaskStatus.PENDING:
        return RunningTask(created.id or 0, "work", None, 1, 1, queue)
    task = claim(queue)
    if status is TaskStatus.SUCCEEDED:
        in_transaction(queue.engine, lambda session: queue.complete(session, task))
    elif status is TaskStatus.FAILED:
        in_transaction(queue.engine, lambda session: queue.fail(session, task, "no", retry=False))
    elif status is TaskStatus.CANCELLED:
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
        in_transaction(queue.engine, lambda session: queue.stop(session, task))
    return task


def _try(queue: TaskQueue, task: RunningTask, verb: str) -> None:
    with writing(queue.engine) as session:
        if verb in ("heartbeat", "complete", "stop"):
            getattr(queue, verb)(session, task)
        elif verb == "fail":
            queue.fail(session, task, "no")
        elif verb == "cancel":
            assert queue.cancel(session, task.id), "refused by returning False"
        elif verb in ("claim", "reclaim"):
            assert getattr(queue, verb)(session), "nothing to do"


@pytest.mark.parametrize("status", list(TaskStatus))
@pytest.mark.parametrize("verb", ["claim", "heartbeat", "complete", "fail", "stop", "cancel", "reclaim"])
def test_every_move_is_one_of_the_table_or_refused(
    queue: TaskQueue, clock: Clock, status: TaskStatus, verb: str
) -> None:
    task = _bring_to(queue, clock, status)
    if verb == "reclaim":
        clock.advance(queue.lease)
    before = row(queue, task.id)
    targets = {target for target, verbs in TRANSITIONS[status].items() if verb in verbs}
    asks_only = (status, verb) in {(TaskStatus.RUNNING, "cancel"), (TaskStatus.RUNNING, "heartbeat")}
    legal = bool(targets) or asks_only
    if verb == "stop" and status is TaskStatus.RUNNING:
        in_transaction(queue.engine, lambda session: queue.cancel(session, task.id))
    if legal:
        _try(queue, task, verb)
        assert row(queue, task.id).status in (targets or {status})
    else:
        with pytest.raises((errors.StaleLease, AssertionError), match=r"drop this result|refused|nothing to do"):
            _try(queue, task, verb)
        assert row(queue, task.id) == before


@pytest.mark.parametrize("verb", ["heartbeat", "complete", "fail", "stop"])
def test_a_stale_holder_is_told_which_token_holds(queue: TaskQueue, clock: Clock, verb: str) -> None:
    enqueue(queue)
    stale = claim(queue)
    clock.advance(queue.lease)
    in_transaction(queue.engine, queue.reclaim)
    with pytest.raises(errors.StaleLease, match="it is pending, not running"):
        _try(queue, stale, verb)
    holder = claim(queue)
    with pytest.raises(errors.StaleLease, match="lease token 1 is stale, 2 was given out since; drop this result"):
        _try(queue, stale, verb)
    _try(queue, holder, "complete")
    with pytest.raises(errors.StaleLease, match="lease token 1 is stale"):
        _try(queue, stale, verb)


def test_a_stale_holders_writes_are_rolled_back(queue: TaskQueue, clock: Clock) -> None:
    (order,) = new_orders(queue.engine, 1)
    enqueue(queue)
    stale = claim(queue)
    clock.advance(queue.lease)
    in_transaction(queue.engine, queue.reclaim)
    with pytest.raises(errors.StaleLease), writing(queue.engine) as session:
        session.get_one(Order, order.id).status = "paid"
        session.flush()
        queue.complete(session, stale)
    with reading(queue.engine) as session:
        assert session.get_one(Order, order.id).status == "new"
