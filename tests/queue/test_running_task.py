"""The task as its handler sees it: the effect and the completion are one."""

from __future__ import annotations

import pytest

from taskref_edu import TaskQueue, errors
from tests.conftest import Clock, claim, enqueue, in_transaction


def test_completing_refuses_a_stale_holder_before_its_effect(queue: TaskQueue, clock: Clock) -> None:
    enqueue(queue)
    stale = claim(queue)
    clock.advance(queue.lease)
    in_transaction(queue.engine, queue.reclaim)
    with pytest.raises(errors.StaleLease), stale.completing():
        pytest.fail("the effect must not be reached")


def test_completing_twice_is_refused(queue: TaskQueue) -> None:
    enqueue(queue)
    task = claim(queue)
    with task.completing():
        pass
    with pytest.raises(errors.StaleLease, match="succeeded, not running"), task.completing():
        pass
