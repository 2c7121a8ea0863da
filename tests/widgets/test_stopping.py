"""A panel that ends leaves nothing behind, and a new one takes the place of the right old ones."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue
from taskref_edu.lab.player.notebook_cell import Cell
from taskref_edu.widgets import Panel
from tests.conftest import until

from .conftest import Hand

OpenPanel = Callable[..., Hand]


@pytest.mark.parametrize("approach", ["classic", "inverted", "both"])
def test_stop_leaves_no_thread_and_may_be_called_twice(open_panel: OpenPanel, approach: str):
    before = set(threading.enumerate())
    hand = open_panel(approach, seconds=60)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "busy" in hand.worker())
    hand.panel.stop()
    hand.panel.stop()
    until(lambda: set(threading.enumerate()) <= before, seconds=3)  # a heartbeat ends within its tick of 0.5 s
    assert hand.worker() == "■ stopped"


def test_a_stopped_panel_says_so_and_takes_no_clicks(open_panel: OpenPanel):
    hand = open_panel()
    hand.panel.stop()
    assert hand.panel.status == "stopped: re-run this cell to make it live"
    assert set(hand.panel.controls.state["offers"].values()) == {hand.panel.status}
    hand.click("new_order")
    assert hand.orders() == ["none yet"]


def test_stop_from_several_threads_at_once(open_panel: OpenPanel):
    before = set(threading.enumerate())
    hand = open_panel(seconds=60)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "busy" in hand.worker())
    stoppers = [threading.Thread(target=hand.panel.stop) for _ in range(4)]
    for thread in stoppers:
        thread.start()
    for thread in stoppers:
        thread.join(10)
    until(lambda: set(threading.enumerate()) <= before, seconds=3)


def test_a_new_panel_on_the_same_file_and_approach_replaces_the_old_one(open_panel: OpenPanel):
    old, new = open_panel("inverted"), open_panel("inverted")
    assert old.panel.status.startswith("replaced by a newer panel")
    new.click("new_order", "order 1: new")


def test_two_panels_on_one_file_show_the_same_and_do_not_disturb_each_other(open_panel: OpenPanel, database: Engine):
    one = open_panel("inverted", queue=TaskQueue(database))
    other = open_panel("classic", queue=TaskQueue(database))
    one.click("new_order", "order 1: new")
    until(lambda: other.orders() == ["1 □ new Grace 40.00"])
    other.click("new_order", "order 2: new")
    other.panel.stop()
    until(lambda: len(one.orders()) == 2)
    one.click("pay", "payment enqueued")
    one.click("start")
    until(lambda: "succeeded" in one.tasks()[0])


def all_models() -> dict[str, object]:
    """ipywidgets keeps every widget that is not closed, and sends them all to a page that is loaded again."""
    return sys.modules["ipywidgets.widgets.widget"]._instances


def in_cell(monkeypatch: pytest.MonkeyPatch, name: str, run: str) -> None:
    monkeypatch.setattr("taskref_edu.widgets.panel.panel.current_cell", lambda: Cell(name, run))


def test_a_cell_run_again_takes_its_old_panel_away(
    monkeypatch: pytest.MonkeyPatch, open_panel: OpenPanel, database: Engine, sqlite: Engine
):
    in_cell(monkeypatch, "cell-1", "run-1")
    old = open_panel(queue=TaskQueue(database))
    models = len(all_models())
    in_cell(monkeypatch, "cell-1", "run-2")
    open_panel(queue=TaskQueue(sqlite))  # another database: only the cell tells that they belong together
    assert old.panel.box.comm is None
    assert len(all_models()) <= models


def test_two_panels_of_one_run_stand_side_by_side(
    monkeypatch: pytest.MonkeyPatch, open_panel: OpenPanel, database: Engine
):
    in_cell(monkeypatch, "cell-1", "run-1")
    one = open_panel("inverted", queue=TaskQueue(database))
    open_panel("classic", queue=TaskQueue(database))
    one.click("new_order", "order 1: new")


def test_a_panel_that_cannot_begin_stops_nothing_but_its_former(database: Engine, open_panel: OpenPanel):
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="approach"):
        Panel(TaskQueue(database), "neither")  # type: ignore[arg-type]
    assert set(threading.enumerate()) <= before


def test_the_package_imports_no_widgets():
    code = "import sys, taskref_edu; print([m for m in ('ipywidgets', 'IPython', 'anywidget') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
