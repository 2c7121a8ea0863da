"""What a page is told of the rows: everything when it asks, then what has changed; details of opened rows only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskref_edu import Order, TaskQueue, classic, inverted, writing
from taskref_edu.widgets.display import picture, rows
from taskref_edu.widgets.display.details import seconds_until
from taskref_edu.widgets.display.row_messages import SAFE
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]


class Page:
    """A page that draws one side, as far as it keeps what it is told: the same as `picture.js` does."""

    def __init__(self, hand: Hand, monkeypatch: pytest.MonkeyPatch, side: int = 0) -> None:
        self.picture = hand.panel.views[side].picture
        self.messages: list[dict[str, Any]] = []
        self.orders: dict[int, list[Any]] = {}
        self.tasks: dict[int, list[Any]] = {}
        self.words: list[str] = []
        self.events: list[str] = []
        self.details: dict[str, Any] = {}
        send = self.picture.send
        monkeypatch.setattr(
            self.picture, "send", lambda content, buffers: (self._hear(content, buffers), send(content, buffers))
        )

    def load(self) -> None:
        """Ask for everything, as a page does that is loaded."""
        count = len(self.messages)
        self._say({"hello": True})
        until(lambda: len(self.messages) > count)

    def open(self, orders: list[int], tasks: list[int]) -> None:
        self._say({"page": "p", "orders": orders, "tasks": tasks})

    def status(self, task: int) -> str:
        return self.words[self.tasks[task][1]] + self.words[self.tasks[task][2]] if task in self.tasks else "gone"

    def mark(self, task: int) -> str:
        return self.words[self.tasks[task][7]]

    def _say(self, content: dict[str, Any]) -> None:
        self.picture._handle_custom_msg(content, [])

    def _hear(self, content: dict[str, str], buffers: list[bytes]) -> None:
        told = json.loads(buffers[0])
        if content["kind"] == "everything":
            self.orders, self.tasks, self.words, self.events = {}, {}, [], []
        elif self.messages:
            assert told["number"] == self.messages[-1]["number"] + 1
        self.words += told.get("words", [])
        self.events += [event for _, event, _ in told.get("events", [])]
        self.details = told.get("details", self.details)
        for mine, name in ((self.orders, "orders"), (self.tasks, "tasks")):
            mine |= {row[0]: row for row in told.get(name, [])}
            for number in told.get(f"gone_{name}", []):
                del mine[number]
        self.messages.append(told)


@pytest.fixture
def open_page(open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Hand, Page]]:
    def open_one(*arguments: Any, **keywords: Any) -> tuple[Hand, Page]:
        hand = open_panel(*arguments, **keywords)
        page = Page(hand, monkeypatch)
        page.load()
        return hand, page

    return open_one


@pytest.mark.parametrize("approach", ["classic", "inverted"])
def test_a_page_that_is_told_changes_knows_what_one_knows_that_is_loaded_later(open_page, approach: str):
    hand, page = open_page(approach)
    hand.pay_new_orders(3)
    hand.click("cancel")
    hand.click("start")
    until(lambda: [page.status(task) for task in (1, 2, 3)] == ["succeeded", "succeeded", "cancelled"])
    until(lambda: hand.worker() == "○ idle")
    told = page.orders, {task: page.status(task) for task in page.tasks}, page.events
    page.load()
    assert [row[3] for row in page.orders.values()] == [row[3] for row in told[0].values()]
    assert {task: page.status(task) for task in page.tasks} == told[1]
    assert page.events == told[2]


def test_a_stopped_panel_still_answers_a_page_that_is_loaded(open_page):
    hand, page = open_page()
    hand.pay_new_orders(1)
    hand.panel.stop()
    count = len(page.messages)
    page.load()
    assert len(page.messages) > count
    assert page.status(1) == "pending"


def test_what_a_page_counts_begins_when_it_did__for_a_page_that_is_loaded_later_too(open_page):
    hand, page = open_page(seconds=60)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "busy" in hand.worker())
    time.sleep(0.5)
    page.load()
    told = page.messages[-1]
    assert told["now"] - told["workers"][0]["began"] >= 0.4
    assert "ended" not in told
    hand.panel.stop()
    ended = page.messages[-1]
    assert ended["ended"]
    page.load()
    assert page.messages[-1]["now"] == ended["now"]  # nothing goes on counting


def test_a_page_that_cannot_ask_yet_gets_a_state_to_begin_with(open_panel: OpenPanel):
    hand = open_panel()
    hand.pay_new_orders(1)
    first = hand.panel.views[0].picture
    until(lambda: first.first and len(json.loads(first.first)["tasks"]) == 1)
    hand.load_page()
    until(lambda: first.first == "")  # it would only grow old


def test_only_what_changed_is_told(open_page, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        queue.enqueue_many(session, "other", [None] * 500)
    _, page = open_page(queue=queue)
    count = len(page.messages)
    with writing(database) as session:
        queue.cancel(session, 7)
    until(lambda: page.status(7) == "cancelled")
    assert [[row[0] for row in told.get("tasks", [])] for told in page.messages[count:]] == [[7]]


def test_two_thousand_changes_stay_far_below_what_a_server_lets_through(open_page, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        queue.enqueue_many(session, "process_payment", [{"order_id": number} for number in range(2000)])
    _, page = open_page("classic", queue=queue)
    with writing(database) as session:
        session.execute(text("UPDATE task SET attempt = 7"))
    until(lambda: page.tasks[1][3] == 7)
    assert len(json.dumps(page.messages[-1])) < 90_000  # ten of them a second are less than a megabyte


def test_dangling_references_and_orphans_are_marked(open_page, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        session.add(Order(customer="Ada", amount=1))
        queue.enqueue(session, "process_payment", {"order_id": 1})
        queue.enqueue(session, "process_payment", {"order_id": 99})
        queue.enqueue(session, "process_payment", {"oder_id": 1})
        queue.enqueue(session, "send_receipt", {"order_id": 99})
    _, page = open_page("classic", queue=queue)
    assert [page.mark(task) for task in page.tasks] == ["", "dangling", "dangling", ""]
    assert [page.tasks[task][6] for task in page.tasks] == [1, 99, None, None]
    with writing(database) as session:
        session.execute(text("DELETE FROM orders"))
    until(lambda: page.mark(1) == "dangling")


def test_an_orphan__until_an_order_points_at_it(open_page, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        session.add(Order(customer="Ada", amount=1))
        queue.enqueue(session, "process_payment")
    _, page = open_page("inverted", queue=queue)
    assert page.mark(1) == "orphan"
    with writing(database) as session:
        session.execute(text("UPDATE orders SET processing_task_id = 1"))
    until(lambda: page.mark(1) == "")
    assert page.orders[1][4] == 1


def test_details_are_told_of_opened_rows_only(open_page, database: Engine):
    queue = TaskQueue(database)
    hand, page = open_page("inverted", seconds=60, queue=queue)
    hand.pay_new_orders(2)
    until(lambda: len(page.tasks) == 2)
    assert not any("details" in told for told in page.messages)
    page.open([2], [1])
    until(lambda: "1" in page.details.get("tasks", {}))
    assert ["processing_task_id", "2"] in page.details["orders"]["2"]
    hand.click("start")
    until(lambda: any(label == "lease" for label, *_ in page.details["tasks"]["1"]))
    lease = next(line for line in page.details["tasks"]["1"] if line[0] == "lease")
    assert 0 < lease[2] <= queue.lease
    page.open([], [])
    until(lambda: page.details["tasks"] == {})


@pytest.mark.parametrize(
    "content", [None, [], "hello", {"hello": 1}, {"page": 1}, {"page": "p", "tasks": [None, "x", {}]}]
)
def test_nonsense_from_a_page_is_not_heard(open_page, content: object):
    hand, page = open_page()
    page.picture._handle_custom_msg(content, [])
    hand.click("new_order", "order 1: new")
    until(lambda: len(page.orders) == 1)


def test_of_too_many_rows_the_newest_are_told_and_how_many_there_are(
    open_page, database: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rows, "ROWS", 3)
    for name in ("READ_ORDERS", "READ_TASKS"):
        monkeypatch.setattr(rows, name, getattr(rows, name).replace("2500", "3"))
    queue = TaskQueue(database)
    with writing(database) as session:
        orders = [Order(customer="Ada", amount=1) for _ in range(5)]
        session.add_all(orders)
        session.flush()
        for order in orders:
            classic.enqueue_payment(session, queue, order)
        inverted.enqueue_payment(session, queue, orders[4])
    _, page = open_page("classic", queue=queue)
    assert list(page.tasks) == [4, 5, 6]
    assert page.messages[-1]["counts"] == [5, 6]
    assert page.mark(4) == ""  # its order exists, though it is not shown


def test_a_number_too_large_for_a_browser_is_told_as_text(open_page, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        queue.enqueue(session, "process_payment", {"order_id": SAFE + 1})
    _, page = open_page("classic", queue=queue)
    assert page.tasks[1][6] == str(SAFE + 1)


def test_text_that_is_no_json_and_no_number_is_shown_as_it_is(open_page, database: Engine):
    with writing(database) as session:
        session.execute(text("INSERT INTO orders (customer, amount, status) VALUES ('Ada', 'much', 'odd')"))
    hand, page = open_page()
    assert page.orders[1][3] == "much"
    assert "much" in hand.orders()[0]


def test_a_note_that_is_no_text_is_told_all_the_same(open_page):
    hand, page = open_page()
    hand.panel.views[0].side.note("half a pair: \ud800")
    until(lambda: "half a pair: ?" in page.events)


@pytest.mark.parametrize("moment", [None, "soon", 3])
def test_seconds_until_what_is_no_time(moment: object):
    assert seconds_until(moment) is None


def test_the_script_needs_no_network_and_writes_no_html():
    script = Path(picture.__file__).with_name("picture.js").read_text(encoding="utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "import ",
        "import(",
        "fetch(",
    ):
        assert word not in script
    assert script.count("http") == script.count("http://www.w3.org/2000/svg")
