"""The tables: what somebody wrote is shown as text, every state as a word, a cut is said."""

from __future__ import annotations

import html.parser
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from taskref_edu import Order, Task, TaskQueue, TaskStatus, writing
from taskref_edu.arguments import LARGEST_ID
from taskref_edu.models import utc_now
from taskref_edu.widgets.display.html_tables import LONGEST_TABLE, SHAPES
from taskref_edu.widgets.display.rows import order_in
from tests.conftest import until
from tests.widgets.conftest import Hand, text_of

OpenPanel = Callable[..., Hand]
HOSTILE = """<img src=x onerror="alert(1)"><script>alert('2')</script></td></table>&lt;&amp;"'`"""
OURS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "span", "bdi", "code"}


class Tags(html.parser.HTMLParser):
    """Collects the names of tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("approach", ["classic", "inverted"])
def test_nothing_from_the_database_becomes_a_tag(open_panel: OpenPanel, database: Engine, approach: str):
    queue = TaskQueue(database, max_attempts=1)
    with writing(database) as session:
        session.add(Order(customer=HOSTILE, amount=1, status=HOSTILE))
        queue.enqueue(session, HOSTILE, {HOSTILE: HOSTILE})
        queue.enqueue(session, "process_payment", {HOSTILE: HOSTILE})
    hand = open_panel(approach, queue=queue)
    hand.click("step")
    until(lambda: "failed" in hand.tasks()[0])  # its error names the type
    view, tags = hand.panel.views[0], Tags()
    tags.feed(view.static())
    assert tags.tags <= OURS | {"div"}
    assert tags.attributes <= {"class", "scope", "colspan", "aria-hidden"}
    assert HOSTILE.split()[0] in hand.orders()[0]


def test_a_payload_that_names_no_order_is_marked(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        session.add(Order(id=1, customer="Ada", amount=1))
        for payload in ({"orderid": 1}, {"order_id": 99}, {"order_id": 10**30}, {"order_id": True}, [1], None):
            queue.enqueue(session, "process_payment", payload)
        queue.enqueue(session, "send_receipt", {"order_id": 1})
    tasks = open_panel("classic", queue=queue).tasks()
    assert all("⚠ names no order" in task for task in tasks[:6])
    assert '{"orderid": 1}' in tasks[0]
    assert "→ order 1" in tasks[6]


def test_an_orphan_is_marked__a_finished_task_is_none(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        queue.cancel(session, queue.enqueue(session, "process_payment").id or 0)
        queue.enqueue(session, "process_payment")
    tasks = open_panel("inverted", queue=queue).tasks()
    assert "no order points here" not in tasks[0]
    assert "⚠ no order points here" in tasks[1]


def test_only_the_newest_rows_are_shown_and_it_says_so(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database)
    with writing(database) as session:
        session.add_all(Order(customer="Ada", amount=1) for _ in range(LONGEST_TABLE + 10))
        queue.enqueue_many(session, "other", [None] * (LONGEST_TABLE + 1))
    hand = open_panel(queue=queue)
    assert f"Orders (the newest {LONGEST_TABLE} of {LONGEST_TABLE + 10})" in text_of(hand.panel.views[0].static())
    assert f"Tasks (the newest {LONGEST_TABLE} of {LONGEST_TABLE + 1})" in text_of(hand.panel.views[0].static())
    assert hand.orders()[0].startswith("11 ")
    assert len(hand.tasks()) == LONGEST_TABLE


def test_a_retry_and_a_request_to_stop_are_said(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database, backoff=3600)
    with writing(database) as session:
        queue.enqueue_many(session, "other", [None, None])
        queue.fail(session, queue.claim(session), "again")  # type: ignore[arg-type]
        running = queue.claim(session)
        assert running is not None
        queue.cancel(session, running.id)
    tasks = open_panel(queue=queue).tasks()
    assert "○ pending, will be tried again" in tasks[0]
    assert "▶ running, asked to stop" in tasks[1]


def test_every_status_has_a_shape_of_its_own():
    shapes = [SHAPES[str(status)] for status in TaskStatus]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("payload", [None, [], 1, {}, {"order_id": "1"}, {"order_id": True}, {"order_id": 0}])
def test_order_in_a_payload__no(payload: object):
    assert order_in(json.dumps(payload)) is None


def test_order_in_a_payload__yes():
    assert order_in(json.dumps({"order_id": LARGEST_ID})) == LARGEST_ID
    assert order_in(json.dumps({"order_id": LARGEST_ID + 1})) is None


def test_the_static_copy_holds_the_rows_and_what_to_do(open_panel: OpenPanel, database: Engine):
    from taskref_edu.widgets.panel.side_view import static_copy

    with writing(database) as session:
        session.add(Order(customer=HOSTILE, amount=1))
        session.add(Task(type="other", available_at=utc_now() + timedelta(hours=1)))
    copy = static_copy(open_panel().panel.views, "re-run this cell to make it live")
    assert "re-run this cell to make it live" in copy
    assert "<script>" not in copy
    assert "○ pending" in text_of(copy)
