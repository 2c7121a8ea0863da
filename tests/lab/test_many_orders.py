"""The bulk-made orders look to both approaches as orders that were enqueued one by one."""

from __future__ import annotations

import pytest
from sqlmodel import Session, col, func, select

from taskref_edu import Order, Task, TaskQueue, classic, inverted, writing
from taskref_edu.lab.many_orders import add_orders, many_orders
from taskref_edu.models import LIVE


@pytest.mark.parametrize("schema", ["as_written", "both"])
def test_both_approaches_find_the_orders_in_process(schema) -> None:
    engine = many_orders(50, 7, schema)
    with Session(engine) as session:
        listed = [order.id for order in inverted.orders_in_process(session)]
        assert listed == [order.id for order in classic.orders_in_process(session)] == list(range(44, 51))
        statuses = session.exec(select(Task.status, func.count()).group_by(col(Task.status))).all()
    assert {str(status): count for status, count in statuses} == {"succeeded": 43, "pending": 4, "running": 3}


def test_more_orders_are_appended() -> None:
    engine = many_orders(0, 0)
    with writing(engine) as session:
        add_orders(session, 2, live=True)
        add_orders(session, 0, live=True)
        add_orders(session, 3, live=False)
        assert [order.id for order in inverted.orders_in_process(session)] == [1, 2]
        assert session.exec(select(func.count()).select_from(Order)).one() == 5
        assert TaskQueue(engine).enqueue(session, "process_payment").id == 6


def test_a_live_one_can_be_cancelled() -> None:
    engine = many_orders(10, 4, "both")
    with writing(engine) as session:
        assert inverted.cancel_payment(session, TaskQueue(engine), session.get_one(Order, 8)) == 1
        live = session.exec(select(Task.id).where(col(Task.status).in_(LIVE))).all()
    assert list(live) == [7, 9, 10]


@pytest.mark.parametrize(("count", "live"), [(1, 2), (1, -1)])
def test_more_live_than_there_are_is_refused(count: int, live: int) -> None:
    with pytest.raises(ValueError, match="live of"):
        many_orders(count, live)
