"""How much a panel sends and reads: nothing while nothing happens, and little while much does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from ipywidgets import Widget
from sqlalchemy import Engine

from taskref_edu import TaskQueue, writing
from taskref_edu.widgets.display import reader as reader
from taskref_edu.widgets.display.rows import differing
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every message of a widget to the browser: its class and what it sends."""
    messages: list[str] = []
    send = Widget._send

    def record(self: Widget, content: dict, buffers: object = None) -> None:
        messages.append(f"{type(self).__name__} {str(content)[:200]}")
        send(self, content, buffers)

    monkeypatch.setattr(Widget, "_send", record)
    return messages


@pytest.mark.parametrize("approach", [pytest.param("inverted", marks=pytest.mark.nightly), "both"])
def test_an_idle_panel_sends_and_reads_nothing(
    open_panel: OpenPanel, sent: list[str], monkeypatch: pytest.MonkeyPatch, approach: str
):
    hand = open_panel(approach)
    hand.load_page()
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "succeeded" in hand.tasks()[0] and hand.worker() == "○ idle")
    time.sleep(0.5)  # the last look is over
    reads: list[int] = []
    read = reader.read
    monkeypatch.setattr(reader, "read", lambda *its: reads.append(1) or read(*its))
    sent.clear()
    time.sleep(1.5)
    assert sent == []
    assert reads == []


def test_a_thousand_commits_are_few_messages(open_panel: OpenPanel, sent: list[str], database: Engine):
    queue = TaskQueue(database)
    hand = open_panel(queue=queue)
    hand.load_page()
    sent.clear()
    began = time.monotonic()
    for _ in range(1000):
        with writing(database) as session:
            queue.enqueue(session, "other")
    until(lambda: hand.panel.views[0].rows.task_count == 1000)
    seconds = time.monotonic() - began
    assert len(sent) <= 10 * seconds + 10


CALLS = """
import sys
from taskref_edu.widgets.display.events import Timeline
from taskref_edu.widgets.display.row_messages import RowDeltas
from taskref_edu.widgets.display.rows import Rows

def two_thousand(attempt, status):
    rest = ("process_payment", '{"order_id": 1}', status, attempt, 3, attempt, None, "2100-01-01 00:00:00", None, None)
    return {number: (number, *rest) for number in range(1, 2001)}

orders = {1: (1, "Ann", 100, "new", None)}
before, after = (
    Rows(orders, two_thousand(attempt, status), 1, 2000, named=frozenset([1]))
    for attempt, status in ((1, "pending"), (2, "running"))
)
timeline, deltas, calls = Timeline(), RowDeltas("classic"), []
timeline.look(Rows(), before)
deltas.everything(before)
sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_name) if event == "call" else None)
timeline.look(before, after)
told = deltas.changes(after)
sys.setprofile(None)
print(len(told["tasks"]), len(calls))
"""


def test_two_thousand_changed_tasks_take_few_calls():
    # In a process of its own: Python 3.11 may loop for ever in sys.setprofile() while another thread wants to run.
    told, calls = subprocess.check_output([sys.executable, "-c", CALLS], text=True).split()
    assert told == "2000"
    assert int(calls) < 200  # none for each row: ten looks a second must stay cheap


def test_rows_that_differ_are_new_or_changed():
    assert differing({1: (1, "a"), 2: (2, "b")}, {2: (2, "c"), 1: (1, "a"), 3: (3, "d")}) == [2, 3]
    assert differing({1: (1, "a")}, {}) == []
