"""Odd clicks: in the middle of something else, twice, and with values that make no sense."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from taskref_edu.widgets.panel import side as sides
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]


@pytest.fixture
def held_storm(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A storm that begins only when the event is set."""
    go, strike = threading.Event(), sides.Side.storm
    monkeypatch.setattr(sides.Side, "storm", lambda side, *rest: go.wait(10) and strike(side, *rest))
    return go


def test_start_over_in_a_storm_waits_for_its_end(open_panel: OpenPanel, held_storm: threading.Event):
    hand = open_panel()
    hand.click("new_order")
    hand.click("storm")
    hand.click("start_over", "the clicks of a storm are under way")
    held_storm.set()
    hand.reads("8 live payments")
    hand.click("start_over", "the shop is as the cell made it")
    until(lambda: hand.orders() == hand.tasks() == ["none yet"])


def test_a_scenario_in_a_storm_waits_for_its_end(open_panel: OpenPanel, held_storm: threading.Event):
    hand = open_panel()
    hand.click("new_order")
    hand.click("storm")
    hand.panel.run("double click")
    hand.click("next", "not yet, it waits until storm over")
    held_storm.set()
    until(lambda: (hand.panel.controls.state["scenario"] or {}).get("asks"))
    until(lambda: hand.panel.status != "double click: not yet, it waits until storm over")
    assert "not yet" not in hand.panel.status
    hand.click("next")
    until(lambda: "Not so" in (found := hand.panel.controls.state["scenario"])["answer"] or found["right"] == [1])


def test_start_over_in_a_scenario_leaves_it(open_panel: OpenPanel):
    hand = open_panel(seconds=7)
    hand.panel.run("worker killed")
    hand.click("next")
    until(lambda: (hand.panel.controls.state["scenario"] or {}).get("choices"))
    hand.click("next")
    until(lambda: "running" in hand.tasks()[0])
    hand.click("start_over", "the shop is as the cell made it")
    until(lambda: hand.panel.controls.state["scenario"] is None)
    until(lambda: hand.tasks() == ["none yet"])
    assert hand.panel.controls.state["seconds"] == 2


def test_a_zombie_then_a_scenario(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "busy" in hand.worker())
    hand.click("zombie", "stands still")
    hand.panel.set(seconds=0)
    hand.panel.run("typo")
    hand.click("cancel_all")
    until(lambda: hand.panel.controls.state["scenario"]["asks"])
    assert hand.worker() == "■ stopped"


def test_of_two_workers_the_dead_one_can_be_replaced(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.panel.set(workers=2)
    hand.click("start")
    until(lambda: hand.worker() == "○ idle; ○ idle")
    hand.click("crash")
    until(lambda: "dead" in hand.worker())
    until(lambda: hand.panel.controls.state["toggle"] == "start")
    hand.click("start", "workers: started")
    until(lambda: hand.worker() == "○ idle; ○ idle")
    until(lambda: hand.panel.controls.state["toggle"] == "pause")


@pytest.mark.parametrize(
    ("found", "kept"),
    [(0, 0), (-3, 0), (1e9, 60), (float("nan"), 2), (float("inf"), 2), (True, 2), ("5", 2), (None, 2)],
)
def test_seconds_that_make_no_sense(open_panel: OpenPanel, found: object, kept: float):
    hand = open_panel(seconds=2)
    hand.panel.set(seconds=found)
    until(lambda: hand.panel.controls.state["seconds"] == kept)
