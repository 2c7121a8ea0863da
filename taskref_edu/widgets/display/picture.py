"""The picture of one side in the browser: rows, the arrows between them, the worker, the timeline.

Told by messages, never by synced state: a page that is loaded again asks for everything, and gets what the
database holds. Messages are JSON in a buffer: as plain content, each layer below would walk through it.
Not covered: what is told (`patches.py`), and when (`view.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import orjson
import traitlets

from .html_tables import SHAPES
from .theme import PICTURE_STYLE

PAGES = 8  # views of one panel whose opened rows are remembered
Opened = frozenset[int]


class Picture(anywidget.AnyWidget):
    """Draws one side. What the page asks for is read with `asked()`."""

    # As text: anywidget ties each widget to a path for good, and with it the panel and its database.
    _esm = Path(__file__).with_name("picture.js").read_text(encoding="utf-8")
    _css = PICTURE_STYLE
    look = traitlets.Dict().tag(sync=True)  # approach, title, shapes: what never changes
    first = traitlets.Unicode("").tag(sync=True)  # the state to begin with, for a kernel too busy to be asked

    def __init__(self, approach: str, title: str) -> None:
        super().__init__(look={"approach": approach, "title": title, "shapes": SHAPES})
        self._lock = threading.Lock()
        self._hello = False
        self._opened: dict[str, tuple[Opened, Opened]] = {}
        self._number = 0
        self.seen = False  # a page has asked for the rows
        self.on_msg(self._hear)

    def tell(self, kind: str, told: Mapping[str, Any]) -> None:
        """Send `told` to every page."""
        self.send({"kind": kind}, buffers=[self._numbered(told)])

    def begin_with(self, told: Mapping[str, Any] | None) -> None:
        """What a page shows that has not been told anything yet. None: nothing, since it would only grow old."""
        self.first = "" if told is None else self._numbered(told).decode()

    def asked(self) -> tuple[bool, Opened, Opened]:
        """Whether a page asked for everything since the last call, and which orders and tasks are opened."""
        with self._lock:
            hello, self._hello = self._hello, False
            self.seen = self.seen or hello
            orders, tasks = zip(*self._opened.values(), strict=True) if self._opened else ((), ())
        return hello, frozenset().union(*orders), frozenset().union(*tasks)

    def _numbered(self, told: Mapping[str, Any]) -> bytes:
        # The number lets a page see that a message got lost on the way, and ask again.
        self._number += 1
        # SQLite takes anything: what is no JSON is told as text.
        return orjson.dumps({**told, "number": self._number}, default=str, option=orjson.OPT_NON_STR_KEYS)

    def _hear(self, _widget: object, content: Any, _buffers: object) -> None:
        """From a page, on any thread: {"hello": true} or {"page": …, "orders": […], "tasks": […]}."""
        if not isinstance(content, dict):
            return
        with self._lock:
            self._hello = self._hello or content.get("hello") is True
            if isinstance(page := content.get("page"), str):
                self._opened.pop(page, None)
                self._opened[page] = _numbers(content.get("orders")), _numbers(content.get("tasks"))
                while len(self._opened) > PAGES:
                    del self._opened[next(iter(self._opened))]


def _numbers(found: object) -> Opened:
    return frozenset(number for number in found if isinstance(number, int)) if isinstance(found, Iterable) else Opened()
