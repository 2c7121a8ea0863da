"""The SQL lens: the statements of the latest click, their steps and plans, and nobody's capture disturbed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, inverted, writing
from taskref_edu.lab import capture_sql, measure
from taskref_edu.models import Order
from taskref_edu.widgets.panel import sql_lens as lens
from tests.conftest import until
from tests.widgets.conftest import Hand, text_of

OpenPanel = Callable[..., Hand]


def shown(hand: Hand, side: int = 0) -> str:
    """The text of one column, its head first."""
    cells = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", hand.panel.controls.lens)
    ]
    return " ".join(text_of(row[side]) for row in cells)


def test_the_latest_click_is_shown_for_both_sides(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.panel.set(lens=True)
    hand.pay_new_orders(1)
    until(lambda: shown(hand, 0).startswith("Classic, Pay, order 1: ") and "Inverted, Pay" in shown(hand, 1))
    assert """INSERT INTO task""" in shown(hand, 0)
    assert """'{"order_id": 1}'""" in shown(hand, 0)
    assert "UPDATE orders SET processing_task_id=1 WHERE" in shown(hand, 1)
    assert "SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)" in shown(hand, 1)
    assert shown(hand, 1).index("BEGIN IMMEDIATE") < shown(hand, 1).index("SAVEPOINT") < shown(hand, 1).index("COMMIT")
    hand.click("cancel")
    until(lambda: shown(hand, 0).startswith("Classic, Cancel payment, order 1: "))


def test_its_steps_are_those_that_measure_counts(open_panel: OpenPanel, database: Engine):
    hand = open_panel("inverted")
    hand.click("new_order")
    order = Order(id=1, customer="as read elsewhere", amount=1)
    cost = measure(database, lambda session: inverted.enqueue_payment_once(session, TaskQueue(database), order))
    hand.click("pay", "payment enqueued")
    lines = {line.sql.split()[0]: line for line in hand.panel.views[0].side.seen.lines}
    verbs = [lines[word].steps for word in ("SAVEPOINT", "INSERT", "UPDATE")]
    assert 0 < sum(verbs) <= cost.vm_steps  # measure() counts the RELEASE, too
    assert cost.vm_steps - sum(verbs) <= lines["RELEASE"].steps
    assert lines["BEGIN"].steps == lines["COMMIT"].steps == 0  # measure() leaves them out, too


def test_a_refusal_is_shown(open_panel: OpenPanel):
    hand = open_panel("classic")
    hand.panel.set(lens=True)
    hand.pay_new_orders(1)
    hand.click("pay", "in process already")
    until(lambda: "refused: UNIQUE constraint failed" in shown(hand))


def test_a_storm_numbers_its_clicks(open_panel: OpenPanel):
    hand = open_panel("inverted")
    hand.panel.set(lens=True)
    hand.panel.set(clicks=3)
    hand.click("new_order")
    hand.click("storm", "3 clicks as written: 3 live payments")
    until(lambda: shown(hand).startswith("Inverted, Click storm, as written: "))
    assert {line.click for line in hand.panel.views[0].side.seen.lines} == {1, 2, 3}  # our own read is no click
    assert "click 3" in shown(hand)
    assert "click 4" not in shown(hand)
    assert shown(hand).count("INSERT INTO task") == 3


def test_while_it_is_closed_nobody_asks_for_plans(open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    as_it_is = lens.plan_of
    monkeypatch.setattr(lens, "plan_of", lambda connection, sql, parameters: asked.append(sql) or as_it_is(
        connection, sql, parameters))  # fmt: skip
    hand = open_panel("inverted")
    hand.click("new_order", "order 1: new")
    assert hand.panel.controls.lens == ""
    assert asked == []
    hand.panel.set(lens=True)
    until(lambda: shown(hand).startswith("Inverted, New order: "))
    assert any("INSERT INTO orders" in sql for sql in asked)


def test_text_from_the_database_is_shown_as_text(open_panel: OpenPanel, database: Engine):
    with writing(database) as session:
        session.add(Order(customer="<img src=x>", amount=1))
    hand = open_panel("classic")
    hand.panel.set(lens=True)
    until(lambda: hand.panel.selected == 1)
    hand.click("pay", "payment enqueued")
    until(lambda: "Pay, order 1" in shown(hand))
    assert "<img" not in hand.panel.controls.lens


def test_a_capture_of_the_learners_sees_no_click__and_is_seen_by_none(open_panel: OpenPanel, database: Engine):
    hand = open_panel("inverted")
    with capture_sql(database, all_threads=True) as statements:
        hand.pay_new_orders(1)
        hand.reads("payment enqueued")
        with writing(database) as session:
            session.add(Order(customer="the learner's", amount=1))
    assert [statement.sql.split()[0] for statement in statements] == ["BEGIN", "INSERT", "COMMIT"]
    assert not any("the learner" in str(line.parameters) for line in hand.panel.views[0].side.seen.lines)


def test_the_same_verbs_stand_level__and_a_guard_is_marked(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.panel.set(lens=True)
    hand.pay_new_orders(1)
    until(lambda: "Inverted, Pay" in hand.panel.controls.lens)
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", hand.panel.controls.lens)[1:]]
    both = [row for row in rows if all(row)]
    assert [text_of(left).split()[0] for left, _ in both] == [text_of(right).split()[0] for _, right in both]
    (left, right) = next(row for row in rows if "UPDATE orders" in row[1])
    assert left == ""
    assert "<mark>WHERE orders.id = 1 AND orders.processing_task_id IS NULL</mark>" in right
    assert "1 row changed" in text_of(right)
