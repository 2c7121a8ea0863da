"""Panels without a browser: their buttons are clicked from Python, their widgets are read as text."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
from taskref_edu.widgets.display.html_tables import orders_table, tasks_table
from tests.conftest import until


class Hand:
    """Somebody in front of a panel."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel

    def click(self, name: str, expect: str | None = None) -> None:
        """Click the button; wait for the answer in the status line, if one is given."""
        self.panel.click(name)
        if expect is not None:
            self.reads(expect)

    def reads(self, text: str) -> None:
        """Wait until the status line holds the text."""
        try:
            until(lambda: text in self.panel.status)
        except AssertionError:
            assert text in self.panel.status

    def pay_new_orders(self, count: int) -> None:
        for _ in range(count):
            self.click("new_order")
            self.click("pay")

    def load_page(self) -> None:
        """What a page does that draws the panel: it asks each picture for everything."""
        for view in self.panel.views:
            view.picture._handle_custom_msg({"hello": True}, [])
        until(lambda: all(view.picture.seen for view in self.panel.views))

    def worker(self, side: int = 0) -> str:
        """The worker's state as shown."""
        lines = self.panel.views[side].worker.shown
        seconds = ["" if one["began"] is None else f"{time.time() - one['began']:.0f} s" for one in lines]
        return "; ".join(
            f"{one['shape']} {one['before']}{s}{one['after']}" for one, s in zip(lines, seconds, strict=True)
        )

    def orders(self, side: int = 0) -> list[str]:
        return rows_of(orders_table(self.panel.views[side].rows, self.panel.views[side].side.name))

    def tasks(self, side: int = 0) -> list[str]:
        return rows_of(tasks_table(self.panel.views[side].rows, self.panel.views[side].side.name))


def rows_of(html: str) -> list[str]:
    """The lines of a table's body, their cells separated by one space."""
    body = html.partition("<tbody>")[2]
    return [text_of(row) for row in re.findall("<tr>.*?</tr>", body)]


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "tasks.db")
    yield engine
    engine.dispose()


@pytest.fixture
def open_panel(database: Engine) -> Iterator[Callable[..., Hand]]:
    """open_panel(approach, seconds=0.0, queue=…): a panel whose payments take that long."""
    opened: list[Panel] = []

    def open_one(approach: Any = "inverted", seconds: float = 0.0, queue: TaskQueue | None = None) -> Hand:
        panel = Panel(queue or TaskQueue(database, backoff=0), approach)
        panel.set(seconds=seconds)
        opened.append(panel)
        return Hand(panel)

    yield open_one
    for panel in opened:
        panel.stop()
