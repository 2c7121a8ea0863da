"""The library under every schedule and every crash point: nothing breaks, and no caller sees an error.

Each pair of verbs is explored from every state of the payment that both work on. The counts are asserted, so that
an exploration that has become blind fails; where a verb gets a statement more or less, they change.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskStatus, Worker, classic, inverted, writing
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.models import LIVE
from taskref_edu.queue.running_task import RunningTask
from taskref_edu.schema import SchemaName
from tests.lab.explorer.verbs import APPROACHES, NOON, STATES, Verbs, queue_at, set_up, states_of

APPROACH = pytest.mark.parametrize("approach", APPROACHES)
# How many schedules there are, over all states: for classic, for inverted.
PAIRS = {
    ("enqueue", "enqueue"): (56, 60),
    ("enqueue", "cancel"): (46, 47),
    ("enqueue", "claim"): (5, 5),
    ("enqueue", "complete"): (75, 66),
    ("enqueue", "fail"): (16, 16),
    ("enqueue", "reclaim"): (10, 10),
    ("enqueue", "prune"): (5, 5),
    ("enqueue", "work"): (206, 206),
    ("cancel", "cancel"): (46, 46),
    ("cancel", "claim"): (5, 5),
    ("cancel", "complete"): (75, 65),
    ("cancel", "fail"): (16, 16),
    ("cancel", "reclaim"): (10, 10),
    ("cancel", "prune"): (5, 5),
    ("cancel", "work"): (206, 206),
    ("claim", "claim"): (2, 2),
    ("claim", "complete"): (32, 26),
    ("claim", "fail"): (6, 6),
    ("claim", "reclaim"): (6, 6),
    ("claim", "prune"): (4, 4),
    ("claim", "work"): (12, 12),
    ("complete", "complete"): (186, 182),
    ("complete", "fail"): (37, 27),
    ("complete", "reclaim"): (22, 22),
    ("complete", "prune"): (10, 4),
    ("complete", "work"): (331, 331),
    ("fail", "fail"): (6, 6),
    ("fail", "reclaim"): (4, 4),
    ("fail", "prune"): (2, 2),
    ("fail", "work"): (17, 17),
    ("reclaim", "reclaim"): (4, 4),
    ("reclaim", "prune"): (6, 6),
    ("reclaim", "work"): (12, 12),
    ("prune", "prune"): (2, 2),
    ("prune", "work"): (26, 26),
    ("work", "work"): (64, 64),
}
TRIPLES = {
    ("claim", "claim", "reclaim", "expired"): (6, 6),
    ("reclaim", "claim", "fail", "expired"): (6, 6),
    ("cancel", "reclaim", "fail", "expired"): (25, 25),
    ("complete", "reclaim", "claim", "expired"): (74, 74),
    ("enqueue", "enqueue", "enqueue", "no payment"): (300, 396),
    ("enqueue", "enqueue", "cancel", "pending"): (384, 396),
    ("enqueue", "cancel", "claim", "pending"): (102, 102),
    ("enqueue", "cancel", "prune", "ended long ago"): (90, 96),
    ("work", "cancel", "reclaim", "pending"): (931, 931),
}
CRASHES = {
    "enqueue": (23, 25),
    "cancel": (19, 19),
    "claim": (3, 3),
    "complete": (18, 17),
    "fail": (10, 10),
    "reclaim": (6, 6),
    "prune": (3, 3),
    "work": (25, 25),
}
MANY = 60  # schedules: from there on, in `make test-slow`


def cases(table: dict[Any, tuple[int, int]]) -> list[Any]:
    return [
        pytest.param(names, id="-".join(names), marks=[pytest.mark.nightly] if max(counts) >= MANY else [])
        for names, counts in table.items()
    ]


def schema(approach: str) -> SchemaName:
    return "classic" if approach == "classic" else "inverted"


def expected(counts: tuple[int, int], approach: str) -> int:
    return counts[list(APPROACHES).index(approach)]


@APPROACH
@pytest.mark.parametrize("pair", cases(PAIRS))
def test_every_pair_of_verbs(pair: tuple[str, str], approach: str) -> None:
    verbs = Verbs(APPROACHES[approach])
    count = 0
    for state in states_of(*pair):
        functions = [getattr(verbs, verb) for verb in pair]
        setup = set_up(verbs.approach, state)
        found = explore(functions, setup=setup, invariant=verbs.sound, schema=schema(approach))
        assert found.holds, f"{state}\n{found}"
        assert found.errors == [], f"{state}\n{found}"
        count += found.count
    assert count == expected(PAIRS[pair], approach)


def test_the_table_of_pairs_is_whole() -> None:
    verbs = list(STATES)
    assert set(PAIRS) == {(one, other) for place, one in enumerate(verbs) for other in verbs[place:]}
    assert set(CRASHES) == set(verbs)


@APPROACH
@pytest.mark.parametrize("triple", cases(TRIPLES))
def test_triples(triple: tuple[str, str, str, str], approach: str) -> None:
    verbs = Verbs(APPROACHES[approach])
    *names, state = triple
    functions = [getattr(verbs, name) for name in names]
    found = explore(functions, setup=set_up(verbs.approach, state), invariant=verbs.sound, schema=schema(approach))
    assert found.holds, str(found)
    assert found.errors == []
    assert found.count == expected(TRIPLES[triple], approach)


@APPROACH
@pytest.mark.parametrize("verb", STATES)
def test_every_crash_point(verb: str, approach: str) -> None:
    """An hour after the crash a new worker has settled everything: no task is left, no payment is half done."""
    verbs = Verbs(APPROACHES[approach])

    def settled(session: Session, errors: dict[str, BaseException], results: dict[str, Any]) -> list[str]:
        left = [f"task {task.id} is left {task.status}" for task in session.exec(select(Task)) if task.status in LIVE]
        return left + verbs.sound(session, errors, results)

    count = 0
    for state in STATES[verb]:
        lost = explore_crashes(
            getattr(verbs, verb),
            setup=set_up(verbs.approach, state),
            recover=verbs.recover,
            invariant=settled,
            schema=schema(approach),
        )
        assert lost.holds, f"{state}\n{lost}"
        assert lost.errors == []
        count += lost.count
    assert count == expected(CRASHES[verb], approach)


class TestEffectOnce:
    """A handler whose effect is in the same database has it once, although the handler may run twice."""

    @staticmethod
    def work(engine: Engine, time: datetime = NOON) -> bool:
        queue = queue_at(engine, time)

        @queue.handler("process_payment")
        def pay(task: RunningTask) -> None:
            with task.completing() as session:
                inverted.order_for(session, task).amount += 1

        return Worker(queue).step()

    @staticmethod
    def paid_once(session: Session) -> list[str]:
        amount = session.exec(select(Order.amount)).one()
        status = session.exec(select(Task.status)).one()
        return [] if (amount, status) == (1, TaskStatus.SUCCEEDED) else [f"paid {amount} times, the task {status}"]

    @staticmethod
    def recover(engine: Engine) -> None:
        TestEffectOnce.work(engine, NOON + timedelta(hours=1))

    def test_two_workers(self) -> None:
        found = explore([self.work] * 2, setup=set_up(inverted, "pending"), invariant=self.paid_once, schema="inverted")
        assert found.holds, str(found)
        assert found.errors == []

    def test_crashes(self) -> None:
        lost = explore_crashes(
            self.work,
            setup=set_up(inverted, "pending"),
            recover=self.recover,
            invariant=self.paid_once,
            schema="inverted",
        )
        assert lost.holds, str(lost)

    def test_the_invariant_tells_twice_and_never(self) -> None:
        def twice(engine: Engine) -> None:
            self.work(engine)
            with writing(engine) as session:
                session.exec(select(Order)).one().amount += 1

        setup = set_up(inverted, "pending")
        assert explore([twice], setup=setup, invariant=self.paid_once, schema="inverted").broken
        assert explore([lambda engine: None], setup=setup, invariant=self.paid_once, schema="inverted").broken


@APPROACH
def test_enqueue_once_in_a_deferred_transaction(approach: str) -> None:
    """Its first statement writes, so that it waits for its turn in any transaction; only `writing()` is promised."""
    verbs = Verbs(APPROACHES[approach])

    def click(engine: Engine) -> None:
        with Session(engine) as session:
            verbs.approach.enqueue_payment_once(session, queue_at(engine), Order(id=101, customer="Ada", amount=0))
            session.commit()

    found = explore(
        [click, click], setup=set_up(verbs.approach, "no payment"), invariant=verbs.sound, schema=schema(approach)
    )
    assert (found.holds, found.errors) == (True, []), str(found)


class TestTheInvariantIsAbleToFail:
    """Each of its sentences is false somewhere."""

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            ("INSERT INTO task SELECT 9, type, payload, status, attempt, max_attempts, lease_token, available_at,"
             " lease_expires_at, cancel_requested_at, created_at, started_at, finished_at, error FROM task",
             "2 live payments"),
            ("UPDATE orders SET processing_task_id = NULL", r"the order references \[\], alive is \[1\]"),
            ("UPDATE orders SET status = 'paid'", "the order is paid, its tasks are"),
        ],
        ids=["two", "no reference", "paid for nothing"],
    )  # fmt: skip
    def test_of_the_database(self, statement: str, problem: str) -> None:
        def breaks(engine: Engine) -> None:
            with engine.begin() as connection:
                connection.exec_driver_sql(statement)

        verbs = Verbs(inverted)
        found = explore([breaks], setup=set_up(inverted, "pending"), invariant=verbs.sound, schema="inverted")
        texts = [text for texts in found.problems.values() for text in texts]
        assert any(re.search(problem, text) for text in texts)

    def test_of_what_the_actors_return(self) -> None:
        verbs = Verbs(classic)
        found = explore(
            [lambda engine: (1, 1), lambda engine: (1, 1), lambda engine: "completed", lambda engine: "completed"],
            setup=set_up(classic, "pending"),
            invariant=verbs.sound,
            schema="classic",
        )
        assert found.problems[""] == (
            "claimed twice with one token: [(1, 1), (1, 1)]",
            "two holders completed one attempt",
        )
