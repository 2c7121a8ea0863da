"""Each claim's experiment is run where the claim is false, and says so: an experiment that cannot fail shows nothing.

`docs/document-map.md` names these tests, one for each claim of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, as_written, classic, inverted, open_database, reading, writing
from taskref_edu.exercises.exercise import find
from taskref_edu.exercises.loader import Attempt, load
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.shop import Shop, add_orders, code_lines, live_payments

Invariant = Callable[[Session], list[str]]


@pytest.fixture(scope="module")
def invariant() -> Invariant:
    """The one of exercise 6.1, which the notebooks use."""
    return load(Attempt("6.1", find("6.1").cell(find("6.1").solution)))


@contextmanager
def shop(how: str, side: str) -> Iterator[Shop]:
    opened = Shop(how, side)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()


def names_order(session: Session) -> list[str]:
    """Classic's invariant of the verdict: each live payment names an order that exists."""
    orders = set(session.exec(select(Order.id)))
    named = [(session.get_one(Task, id).payload or {}).get("order_id") for id in live_payments(session)]
    return [f"order {id} does not exist" for id in named if id not in orders]


def test_fewer_lines_can_be_the_other_sides() -> None:
    """Claims A and 2: classic at its best needs more lines for its enqueue than inverted as written."""
    assert code_lines(classic.enqueue_payment) > code_lines(as_written.inverted_enqueue_payment)
    assert code_lines(as_written.classic_enqueue_payment) < code_lines(as_written.inverted_enqueue_payment)
    assert code_lines(as_written.classic_process_payment) < code_lines(inverted.process_payment, inverted.order_for)


def test_a_table_without_the_column_lets_every_payload_in() -> None:
    """Validation: the door that refuses the typo is the column, and nothing else."""
    for schema, refused in (("classic", True), ("both", False)):
        queue = TaskQueue(open_database(schema=schema))  # type: ignore[arg-type]
        try:
            with writing(queue.engine) as session:
                queue.enqueue(session, "process_payment", {"orderid": 11})
            assert not refused
        except IntegrityError:
            assert refused
        finally:
            queue.engine.dispose()


def test_a_reference_to_nothing_is_stored_where_keys_are_not_enforced() -> None:
    """Claim 1: the refusal is the foreign key's. Without it, the reference is stored."""
    with shop("at their best", "inverted") as opened, opened.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        driver = connection.connection.driver_connection
        assert driver is not None
        connection.rollback()
        update = "UPDATE orders SET processing_task_id = 999 WHERE id = 11"
        with pytest.raises(Exception, match="FOREIGN KEY"):
            driver.execute(update)
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute(update)
        driver.execute("PRAGMA foreign_keys = ON")
        assert driver.execute("SELECT processing_task_id FROM orders WHERE id = 11").fetchone() == (999,)


def test_a_payment_without_an_order_is_noticed(invariant: Invariant) -> None:
    """Claim 1, the other direction: inverted stores it, and the invariant says so; classic's table refuses it."""
    with shop("at their best", "inverted") as opened:
        with writing(opened.engine) as session:
            opened.queue.enqueue(session, "process_payment")
        with reading(opened.engine) as session:
            assert invariant(session) == ["no order references task 1"]
    with shop("at their best", "classic") as opened, pytest.raises(IntegrityError), writing(opened.engine) as session:
        opened.queue.enqueue(session, "process_payment", {})


def test_without_the_trigger_the_list_keeps_ended_orders() -> None:
    """Claim 3: the list is right because somebody clears the reference."""
    for trigger, listed in ((True, [14, 15]), (False, [11, 12, 13, 14, 15])):
        with shop("at their best", "inverted") as opened:
            if not trigger:
                with writing(opened.engine) as session:
                    session.execute(text("DROP TRIGGER orders_processing_task_id_cleared"))
            for id, status in enumerate(("succeeded", "failed", "cancelled", "running", "pending"), 11):
                opened.pay_up_to(status, id)
            assert opened.in_process() == listed


def test_without_the_condition_two_clicks_break_the_invariant(invariant: Invariant) -> None:
    """Claim 4: the guard is the WHERE of one UPDATE. The same code without it breaks in every schedule."""

    def click(verb: Callable[..., object]) -> Callable[[Engine], None]:
        def clicks(engine: Engine) -> None:
            with writing(engine) as session:
                verb(session, TaskQueue(engine), Order(id=11, customer="Ann", amount=1))

        return clicks

    for verb, holds in ((inverted.enqueue_payment_once, True), (inverted.enqueue_payment, False)):
        found = explore([click(verb)] * 2, setup=add_orders, invariant=invariant, schema="inverted")
        assert found.holds == holds
        assert found.count > 0


def test_an_order_copied_into_the_payload_is_out_of_date() -> None:
    """Claim 5: the third design, which people use and are surprised by, fails the experiment that both sides pass."""
    with shop("at their best", "classic") as opened:
        with writing(opened.engine) as session:
            order = session.get_one(Order, 11)
            copied = opened.queue.enqueue(session, "charge", {"order": {"id": 11, "amount": order.amount}})
            by_id = opened.verb("enqueue_payment")(session, opened.queue, order)
        with writing(opened.engine) as session:
            session.get_one(Order, 11).amount = 1
        with reading(opened.engine) as session:
            assert opened.order_for(session, by_id).amount == 1
            assert copied.payload["order"]["amount"] != 1


def test_without_the_key_on_the_task_a_deleted_order_is_a_contradiction() -> None:
    """Claim B: classic is ahead because its table refuses the delete. Without the column it is not."""
    for schema, refused in (("classic", True), ("both", False)):
        engine = open_database(schema=schema)  # type: ignore[arg-type]
        add_orders(engine)
        try:
            with writing(engine) as session:
                classic.enqueue_payment(session, TaskQueue(engine), session.get_one(Order, 11))
            with writing(engine) as session:
                session.execute(text("DELETE FROM orders WHERE id = 11"))
        except IntegrityError:
            assert refused
        with reading(engine) as session:
            assert bool(names_order(session)) is not refused
        engine.dispose()


def test_a_click_without_its_atomic_is_torn_by_a_crash(invariant: Invariant) -> None:
    """Claim C: the crash row holds for the document's first snippet, and not for its later one."""
    order = Order(id=11, customer="Ann", amount=1)
    for click, holds in (
        (as_written.inverted_enqueue_payment, True),
        (as_written.inverted_enqueue_payment_once, False),
    ):
        lost = explore_crashes(
            lambda engine, click=click: click(engine, order), setup=add_orders, invariant=invariant, schema="as_written"
        )
        assert lost.holds == holds
