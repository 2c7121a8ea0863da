"""A session that reads first and writes later: SQLite does not let it wait, and the error says what to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, TaskReference, errors, inverted, open_database, writing
from taskref_edu.queue.repair import repair
from tests.conftest import new_orders

WHAT_TO_DO = r"read before it wrote.*begin with `with writing\(engine\) as session`"
PAYMENTS = TaskReference[Order](Order.processing_task_id, "process_payment")
Verb = Callable[[Session, TaskQueue, Order], object]
VERBS: dict[str, Verb] = {
    "enqueue": lambda session, queue, order: queue.enqueue(session, "work"),
    "enqueue_many": lambda session, queue, order: queue.enqueue_many(session, "work", [1, 2]),
    "claim": lambda session, queue, order: queue.claim(session),
    "inverted": inverted.enqueue_payment_once,
    "reference": PAYMENTS.enqueue_once,
    "cancel": lambda session, queue, order: queue.cancel(session, 1),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("other", ["writes now", "has written"])
def test_the_error_of_a_verb_says_so(sqlite: Engine, verb: str, other: str) -> None:
    queue, (order, *_) = TaskQueue(sqlite), new_orders(sqlite)
    with Session(sqlite) as session:
        session.get(Order, order.id)
        with writing(sqlite) as writer:
            queue.enqueue(writer, "work")
            if other == "writes now":
                with pytest.raises(errors.DatabaseLocked, match=WHAT_TO_DO):
                    VERBS[verb](session, queue, order)
        if other == "has written":
            with pytest.raises(errors.DatabaseLocked, match=WHAT_TO_DO):
                VERBS[verb](session, queue, order)


def test_the_traceback_of_a_statement_of_ones_own_says_so(sqlite: Engine) -> None:
    (order, *_) = new_orders(sqlite)
    with Session(sqlite) as session, writing(sqlite) as writer:
        session.get_one(Order, order.id).amount = 7
        writer.get_one(Order, order.id).amount = 8
        writer.flush()
        with pytest.raises(OperationalError) as caught:
            session.flush()
        assert "begin with `with writing(engine) as session`" in "".join(traceback.format_exception(caught.value))


def test_with_writing_the_same_waits_its_turn(sqlite: Engine) -> None:
    queue, (order, *_) = TaskQueue(sqlite), new_orders(sqlite)
    with writing(sqlite) as session:
        found = session.get_one(Order, order.id)
        assert PAYMENTS.enqueue_once(session, queue, found)
        assert repair(queue, session).count == 0


def test_a_session_that_has_read_nothing_may_have_waited_in_vain(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "tasks.db", timeout=0.01)
    queue = TaskQueue(engine)
    with Session(engine) as session, writing(engine):
        with pytest.raises(errors.DatabaseLocked, match=r"if it has read nothing, it has waited in vain"):
            queue.enqueue(session, "work")
    engine.dispose()
