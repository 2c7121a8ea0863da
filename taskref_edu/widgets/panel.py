"""The live panel: enqueue, cancel and watch payments that a worker runs, in one approach or in both.

A callback makes one short transaction and says what came of it; the watcher is the only thread that writes
widgets. Leaves out: arrows drawn between rows, a timeline, scripted scenarios.
Read next: `side.py` (what a click does), `view.py` (what is shown), `watcher.py` (when).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

from ipywidgets import VBox, Widget

from ..queue import TaskQueue
from .beside import queue_beside
from .cells import current_cell, forget, remember, stop_former
from .controls import WORKER_BUTTONS, Controls, style_sheet
from .side import APPROACHES, Name, Side, plain
from .status import StatusLine
from .view import SideView, static_copy
from .watcher import Watcher

RE_RUN = "re-run this cell to make it live"


class Panel:
    """Shows `queue` and works on it; put it at the end of a cell. Stop it with stop(), or re-run its cell.

    approach: "classic" or "inverted"; or "both": inverted on `queue`, classic beside it on a fresh temporary
    database with a copy of the orders, and every click goes to both.
    """

    def __init__(self, queue: TaskQueue, approach: Literal["classic", "inverted", "both"] = "classic") -> None:
        if not isinstance(queue, TaskQueue):
            raise TypeError(f"{queue!r} found, a TaskQueue expected: Panel(TaskQueue(open_database()))")
        if approach not in (*APPROACHES, "both"):
            raise ValueError(f"approach {approach!r} found; classic, inverted or both expected")
        self.queue = queue
        self.approach = approach
        self.cell = current_cell()
        names: list[Name] = ["classic", "inverted"] if approach == "both" else [approach]
        self.places = frozenset((queue.engine.url, name) for name in names[-1:])
        stop_former(self)
        self._selected: int | None = None
        self._seconds = 2.0
        self._notice, self._repeated = "", 0
        self._lock = threading.Lock()
        self._reason: str | None = None
        queues = [queue_beside(queue), queue] if approach == "both" else [queue]
        self._sides = [
            Side(name, one, lambda: self._seconds, self._say) for name, one in zip(names, queues, strict=True)
        ]
        self.views = [SideView(side) for side in self._sides]
        self._build()
        self._watcher = Watcher(self._look, self._last_look, f"{approach} panel")
        self._look()
        self._watcher.start()
        remember(self)

    def stop(self, reason: str = "stopped") -> None:
        """End the worker, the watcher and a payment that runs; what is shown stays. May be called twice."""
        self._reason = self._reason or f"{reason}: {RE_RUN}"
        for side in self._sides:
            side.close()
        self._watcher.stop()
        forget(self)

    def close(self, reason: str = "stopped") -> None:
        """Stop, and take the widgets away from the page and out of the memory."""
        self.stop(reason)
        for widget in _with_children(self.box):
            widget.close()

    def __repr__(self) -> str:
        return f"Panel({self.approach}): {RE_RUN}"

    def _ipython_display_(self) -> None:
        # Two outputs: where there is no kernel the first one can show nothing, and the second one is what stays.
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}, raw=True)
        display({"text/html": static_copy(self.views, RE_RUN), "text/plain": "(its tables as HTML)"}, raw=True)

    # Clicks, on whichever thread they come

    def _build(self) -> None:
        self.controls = Controls()
        self.status = StatusLine()
        sides = VBox([view.box for view in self.views])
        sides.add_class("taskref-sides")
        self.box = VBox([style_sheet(), *self.controls.lines(), self.status, sides])
        self.box.add_class("taskref-panel")
        if not any(side.paced for side in self._sides):
            self.controls.seconds.disabled = True
            self.controls.seconds.tooltip = "The queue has a handler of its own, which takes the time that it takes"
        self.controls.seconds.observe(self._set_seconds, "value")
        self.controls.order.observe(self._select, "value")
        self._on("new_order", self._new_order)
        self._on("pay", lambda side: self._with_order(side.pay))
        self._on("cancel", lambda side: self._with_order(side.cancel))
        for name in WORKER_BUTTONS:
            self._on(name, lambda side, name=name: getattr(side, name)())

    def _on(self, name: str, act: Callable[[Side], str]) -> None:
        self.controls.buttons[name].on_click(lambda _: self._click(act))

    def _click(self, act: Callable[[Side], str]) -> None:
        """Do it on each side, and say what came of it: once, if it is the same."""
        if self._reason is not None:
            return
        said = {side.name: _attempt(act, side) for side in self._sides}
        same = len(set(said.values())) == 1
        self._say("; ".join(set(said.values()) if same else (f"{name}: {text}" for name, text in said.items())))
        for side in self._sides:
            side.go()

    def _new_order(self, side: Side) -> str:
        order = side.new_order()
        self._selected = order.id
        return f"order {order.id}: new"

    def _with_order(self, act: Callable[[int], str]) -> str:
        return "no order selected: create one with New order" if self._selected is None else act(self._selected)

    def _select(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self._selected = change["new"]

    def _set_seconds(self, change: dict[str, Any]) -> None:
        self._seconds = change["new"]

    def _say(self, text: str) -> None:
        with self._lock:
            self._repeated = self._repeated + 1 if text == self._notice else 1
            self._notice = text
        self._watcher.hurry()

    # The watcher's thread: nobody else writes a widget

    def _look(self) -> None:
        trouble = [text for step in [*(view.refresh for view in self.views), self._offer] if (text := _trouble(step))]
        with self._lock:
            # The same answer to another click must look different, or it seems to go unheard.
            notice = self._notice if self._repeated < 2 else f"{self._notice} (×{self._repeated})"
        self.status.text = "; ".join(trouble) or notice

    def _offer(self) -> None:
        orders = self.views[-1].rows.orders
        if self._selected is None and orders:
            self._selected = orders[0].id
        self.controls.offer(orders, self._selected)

    def _last_look(self) -> None:
        self._look()
        for view in self.views:
            _trouble(view.close)
        self.controls.switch_off()
        self.status.text = self._reason or ""


def _attempt(act: Callable[[Side], str], side: Side) -> str:
    try:
        return act(side)
    except Exception as error:  # an error's place is the status line; printed, it lands in a stranger's cell
        return plain(error)


def _trouble(step: Callable[[], None]) -> str | None:
    try:
        step()
    except Exception as error:  # the watcher must outlive whatever the database does
        return plain(error)
    return None


def _with_children(widget: Widget) -> Iterator[Widget]:
    for child in getattr(widget, "children", ()):
        yield from _with_children(child)
    yield widget
    yield from (part for name in ("layout", "style") if isinstance(part := getattr(widget, name, None), Widget))
