"""A handler that takes long holds up nobody, also if it computes: threads switch often while a worker runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, TaskStatus, Worker, inverted, reading
from tests.conftest import OpenDatabase, enqueue, in_transaction, new_orders, until

COMPUTING = "end = time.monotonic() + 2\nwhile time.monotonic() < end: sum(range(1000))"


def test_threads_switch_often_while_a_worker_runs_and_as_before_afterwards(sqlite: Engine) -> None:
    """What a clock shows only on a quiet machine: the handler of the test below computes for 1 ms at a time."""
    before = sys.getswitchinterval()
    first, second = Worker(TaskQueue(sqlite)), Worker(TaskQueue(sqlite))
    try:
        for found, expected in ((0.005, 0.001), (0.0005, 0.0005)):
            sys.setswitchinterval(found)
            first.start()
            second.start()
            until(lambda: {first.status.state, second.status.state} == {"idle"})
            first.stop()
            assert sys.getswitchinterval() == pytest.approx(expected), "the second one still runs"
            second.stop()
            assert sys.getswitchinterval() == pytest.approx(found)
        with Worker(TaskQueue(sqlite)):
            sys.setswitchinterval(0.02)
        assert sys.getswitchinterval() == pytest.approx(0.02), "somebody else's is left alone"
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("how", [pytest.param("sleeping", marks=pytest.mark.nightly), "computing"])
def test_a_handler_that_takes_long_holds_up_nobody(open_any: OpenDatabase, how: str) -> None:
    """Enqueue, cancel and read beside it, half of them within 100 ms: other tests run, too, and machines are slow.

    A handler that computes would hold them up for longer, each of them, without worker.start()'s switch interval.
    """
    engine = open_any()
    queue, worker = TaskQueue(engine), Worker(TaskQueue(engine))
    program = "time.sleep(2)" if how == "sleeping" else COMPUTING
    worker.queue.handler("slow")(lambda task: exec(program, {"time": time}))
    enqueue(queue, "slow")
    (order,) = new_orders(engine, 1)

    def milliseconds(act: Callable[[], object]) -> float:
        begun = time.perf_counter()
        act()
        return (time.perf_counter() - begun) * 1000

    def read() -> int:
        with reading(engine) as session:
            return len(inverted.orders_in_process(session))

    acts: dict[str, Callable[[], object]] = {
        "enqueue": lambda: in_transaction(engine, lambda session: inverted.enqueue_payment(session, queue, order)),
        "cancel": lambda: in_transaction(engine, lambda session: inverted.cancel_payment(session, queue, order)),
        "read": read,
    }
    with worker:  # stopped whatever happens: on PostgreSQL it would take the tasks of the next tests
        until(lambda: worker.status.state == "busy")
        times = {name: sorted(milliseconds(act) for _ in range(15)) for name, act in acts.items()}
        assert worker.status.state == "busy", "the handler must still run while the others are measured"
        assert {name: measured for name, measured in times.items() if measured[7] > 100 or measured[-1] > 1000} == {}
        until(lambda: in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED])
