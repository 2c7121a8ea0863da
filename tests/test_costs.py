"""What each verb costs SQLite, exactly: a regression shows here on every machine, however busy it is.

Statements and changed rows are the same on every version of SQLite. VM steps differ between versions; that they do not
grow with the tables is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, classic, inverted, open_database, writing
from taskref_edu.lab import measure
from taskref_edu.lab.cost import Cost
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import Clock, claim

Act = Callable[[Session], Any]


class Shop:
    """`count` orders, a third of them in process by each approach, and as many tasks again that have ended."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.queue = TaskQueue(engine, now=Clock(), jitter=lambda: 1.0)
        self.free, self.by_classic, self.by_inverted = (
            Order(id=number, customer="x", amount=1) for number in (100_001, 100_002, 100_003)
        )
        with writing(engine) as session:
            session.add_all([Order(id=101 + number, customer="x", amount=1) for number in range(count)])
            session.add_all([self.free, self.by_classic, self.by_inverted])
            for _ in range(3):
                self.queue.enqueue(session, "work")
        self.running = claim(self.queue)
        self.asked_to_stop = claim(self.queue)
        ended = claim(self.queue)
        with writing(engine) as session:
            self.queue.complete(session, ended)
            self.queue.cancel(session, self.asked_to_stop.id)
            self.in_classic = classic.enqueue_payment(session, self.queue, self.by_classic)
            self.in_inverted = inverted.enqueue_payment(session, self.queue, self.by_inverted)
            self._fill(session, count)
        self.referenced = RunningTask(self.in_inverted.id or 0, "process_payment", None, 1, 1, self.queue)

    def _fill(self, session: Session, count: int) -> None:
        for number in range(0, count, 3):
            classic.enqueue_payment(session, self.queue, Order(id=101 + number, customer="x", amount=1))
            inverted.enqueue_payment(session, self.queue, Order(id=102 + number, customer="x", amount=1))
            cancelled = self.queue.enqueue(session, "work")
            self.queue.cancel(session, cancelled.id or 0)

    def start_the_referenced(self, session: Session) -> None:
        """Claim until the task that `by_inverted` references runs; two tasks are due before it."""
        while (task := self.queue.claim(session)) and task.id != self.referenced.id:
            pass

    def cost(self, act: Act, before: Act = lambda session: None) -> Cost:
        whole = measure(self.queue.engine, lambda session: (before(session), act(session)))
        start = measure(self.queue.engine, before)
        return Cost(
            whole.statements - start.statements,
            whole.vm_steps - start.vm_steps,
            whole.rows - start.rows,
            whole.changes - start.changes,
            whole.plan[len(start.plan) :],
            whole.sql,
        )


def costs(shop: Shop) -> dict[str, Cost]:
    """Each verb by name."""
    queue, lease = shop.queue, timedelta(seconds=shop.queue.lease)
    late = TaskQueue(queue.engine, now=lambda: queue.now() + lease)
    begin = shop.start_the_referenced
    return {
        "enqueue": shop.cost(lambda s: queue.enqueue(s, "work", {"order_id": 1})),
        "claim": shop.cost(queue.claim),
        "heartbeat": shop.cost(lambda s: queue.heartbeat(s, shop.running)),
        "check": shop.cost(lambda s: queue.check(s, shop.running)),
        "complete": shop.cost(lambda s: queue.complete(s, shop.running)),
        "complete, referenced": shop.cost(lambda s: queue.complete(s, shop.referenced), begin),
        "fail": shop.cost(lambda s: queue.fail(s, shop.running, "no")),
        "stop": shop.cost(lambda s: queue.stop(s, shop.asked_to_stop)),
        "cancel a pending task": shop.cost(lambda s: queue.cancel(s, shop.in_classic.id or 0)),
        "cancel a running task": shop.cost(lambda s: queue.cancel(s, shop.running.id)),
        "reclaim nothing": shop.cost(queue.reclaim),
        "reclaim two": shop.cost(late.reclaim),
        "next due": shop.cost(queue.next_due),
        "classic enqueue": shop.cost(lambda s: classic.enqueue_payment(s, queue, shop.free)),
        "inverted enqueue": shop.cost(lambda s: inverted.enqueue_payment(s, queue, shop.free)),
        "classic once, free": shop.cost(lambda s: classic.enqueue_payment_once(s, queue, shop.free)),
        "inverted once, free": shop.cost(lambda s: inverted.enqueue_payment_once(s, queue, shop.free)),
        "classic once, taken": shop.cost(lambda s: classic.enqueue_payment_once(s, queue, shop.by_classic)),
        "inverted once, taken": shop.cost(lambda s: inverted.enqueue_payment_once(s, queue, shop.by_inverted)),
        "classic cancel": shop.cost(lambda s: classic.cancel_payment(s, queue, shop.by_classic)),
        "inverted cancel": shop.cost(lambda s: inverted.cancel_payment(s, queue, shop.by_inverted)),
    }


# verb: statements, changed rows
EXPECTED = {
    "enqueue": (1, 1),
    "claim": (1, 1),
    "heartbeat": (1, 1),
    "check": (1, 0),
    "complete": (1, 1),
    "complete, referenced": (1, 2),
    "fail": (1, 1),
    "stop": (1, 1),
    "cancel a pending task": (1, 1),
    "cancel a running task": (1, 1),
    "reclaim nothing": (1, 0),
    "reclaim two": (1, 2),
    "next due": (1, 0),
    "classic enqueue": (1, 1),
    "inverted enqueue": (2, 2),
    "classic once, free": (3, 1),
    "inverted once, free": (4, 2),
    "classic once, taken": (4, 0),
    "inverted once, taken": (4, 1),
    "classic cancel": (2, 1),
    "inverted cancel": (2, 2),
}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[dict[str, Cost]]:
    engine = open_database(tmp_path / "small.db")
    yield costs(Shop(engine, 3))
    engine.dispose()


def test_statements_and_changed_rows(small: dict[str, Cost]) -> None:
    found = {verb: (cost.statements, cost.changes) for verb, cost in small.items()}
    assert found == EXPECTED


def test_no_verb_grows_with_the_tables(small: dict[str, Cost], sqlite: Engine) -> None:
    large = costs(Shop(sqlite, 900))
    assert {verb: cost.vm_steps for verb, cost in large.items()} == {
        verb: cost.vm_steps for verb, cost in small.items()
    }


@pytest.mark.parametrize("approach", [classic, inverted])
def test_the_list_grows_with_its_result_and_with_nothing_else(sqlite: Engine, approach: ModuleType) -> None:
    queue = TaskQueue(sqlite)

    def steps(more_in_process: int, more_at_rest: int) -> int:
        with writing(sqlite) as session:
            new = [Order(customer="x", amount=1) for _ in range(more_in_process + more_at_rest)]
            session.add_all(new)
            for order in new[:more_in_process]:
                approach.enqueue_payment(session, queue, order)
            for _ in range(more_at_rest):
                queue.cancel(session, queue.enqueue(session, "work").id or 0)
        return measure(sqlite, approach.orders_in_process).vm_steps

    first, second, third = steps(10, 0), steps(10, 0), steps(10, 0)
    assert second - first == pytest.approx(third - second, abs=10)
    assert steps(0, 500) == third


def test_a_workers_turn_writes_two_pages(tmp_path: Path) -> None:
    """To the log: the one of both rows, and the one of the index that the second leaves and enters."""
    engine = open_database(tmp_path / "pages.db")
    queue = TaskQueue(engine, now=Clock())
    with writing(engine) as session:
        queue.enqueue_many(session, "work", [None] * 500)  # several pages of index: the order matters
    running = claim(queue)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        page = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with writing(engine) as session:
            assert queue.complete_and_claim(session, running)
        assert (tmp_path / "pages.db-wal").stat().st_size == 32 + 2 * (24 + page)  # a header, and one for each page
    engine.dispose()
