"""The picture of one side in the browser: rows, the arrows between them, the worker, the timeline.

It gets messages, not synchronized state: a page requests the whole state once, and is then sent changes. A reloaded
page gets the state with the widget itself, so that it shows something before the kernel answers. Messages are JSON in a
binary buffer: as message content, each layer of Jupyter would parse and copy it.

Not covered: what is sent (`row_messages.py`), and when (`messenger.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import orjson
import traitlets

from .html_tables import SHAPES

PAGES = 8  # views of one panel whose opened rows are remembered
# One script: a widget imports no other file.
PARTS = ("dom", "columns", "grid", "arrows", "timeline", "picture", "panel_recording")
SCRIPT = "\n".join(Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
CSS = Path(__file__).with_name("picture.css").read_text(encoding="utf-8")
Opened = dict[str, frozenset[int]]  # the ids of the open rows
NONE_OPEN: Opened = {"orders": frozenset(), "tasks": frozenset()}


class Picture(anywidget.AnyWidget):
    """Draws one side. asked() returns what pages have requested."""

    # As text: given a path, anywidget would keep a reference to each widget, and so to the panel and its database.
    _esm = SCRIPT
    _css = CSS
    look = traitlets.Dict().tag(sync=True)  # approach, title, shapes: what never changes
    first = traitlets.Unicode("").tag(sync=True)  # the first state, in case the kernel is too busy to answer

    seen = False  # whether a page has requested the rows
    snapshot: Callable[[], Mapping[str, Any]] | None = None  # the state as it is now; set by the messenger

    def __init__(self, approach: str, title: str) -> None:
        super().__init__(look={"approach": approach, "title": title, "shapes": SHAPES})
        self._lock = threading.Lock()
        self._hello = False
        self._opened: dict[str, Opened] = {}
        self._number = 0
        self.on_msg(self._hear)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """As for any widget, but `first` is the present state, for a reloaded page."""
        state = super().get_state(key, drop_defaults)
        if key is None and self.snapshot is not None and self.seen:
            state["first"] = _json(self.snapshot()).decode()
        return state

    def forget_pages(self) -> None:
        """Send everything to every page with the next message."""
        with self._lock:
            self._hello = True

    def tell(self, kind: str, told: Mapping[str, Any]) -> None:
        self.send({"kind": kind}, buffers=[self._numbered(told)])

    def begin_with(self, told: Mapping[str, Any] | None) -> None:
        """Set what a page shows before its first message. None: nothing, because it would be out of date."""
        self.first = "" if told is None else self._numbered(told).decode()

    def asked(self) -> tuple[bool, Opened]:
        """Whether a page requested the whole state since the last call, and which orders and tasks are open."""
        with self._lock:
            hello, self._hello = self._hello, False
            self.seen = self.seen or hello
            pages = [*self._opened.values()]
        return hello, {kind: frozenset().union(*(page[kind] for page in pages)) for kind in NONE_OPEN}

    def _numbered(self, told: Mapping[str, Any]) -> bytes:
        # By the number, a page detects a lost message, and requests the whole state.
        self._number += 1
        return _json({**told, "number": self._number})

    def _hear(self, _widget: object, content: Any, _buffers: object) -> None:
        """A message from a page, on any thread: {"hello": true} or {"page": …, "orders": […], "tasks": […]}."""
        if not isinstance(content, dict):
            return
        with self._lock:
            self._hello = self._hello or content.get("hello") is True
            if isinstance(page := content.get("page"), str):
                self._opened.pop(page, None)
                self._opened[page] = {kind: _numbers(content.get(kind)) for kind in NONE_OPEN}
                while len(self._opened) > PAGES:
                    del self._opened[next(iter(self._opened))]


def _json(told: Mapping[str, Any]) -> bytes:
    # SQLite stores any value; what is no JSON is sent as text.
    return orjson.dumps(told, default=str, option=orjson.OPT_NON_STR_KEYS)


def _numbers(found: object) -> frozenset[int]:
    numbers = found if isinstance(found, Iterable) else ()
    return frozenset(number for number in numbers if isinstance(number, int))
