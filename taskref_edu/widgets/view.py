"""One side of a panel on the screen: its title, its worker's state, its two tables. Written by the watcher only.

Read next: `tables.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ipywidgets import HTML, Box, VBox

from ..worker import WorkerStatus
from .rows import Lookout, Rows
from .side import Side
from .tables import orders_table, shown, tasks_table
from .theme import STATIC_STYLE, TABLE_STYLE

TITLES = {
    "classic": "Classic: the task references its order",
    "inverted": "Inverted: the order references its task",
}
STATE_SHAPES = {
    "stopped": "■",
    "idle": "○",
    "busy": "▶",
    "paused": "‖",
    "blocked": "✖",
    "unresponsive": "⚠",
    "dead": "✝",
}


class SideView:
    """Shows one side; `box` is the widget."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.rows = Rows()
        self._lookout = Lookout(side.queue)
        self.worker, self.orders, self.tasks = HTML(), _table("Orders"), _table("Tasks")
        tables = Box([self.orders, self.tasks])
        tables.add_class("taskref-tables")
        title = HTML(f'<div class="taskref-title">{TITLES[side.name]}</div>{TABLE_STYLE}')
        self.box = VBox([title, self.worker, tables])
        self.box.add_class("taskref-side")

    def refresh(self) -> None:
        """Show what is there now; a widget whose text stays the same sends nothing."""
        self.worker.value = worker_line(self.side.worker.status, time.monotonic())
        rows = self._lookout.changed_rows()
        if rows is not None:
            self.rows = rows
            self.orders.value, self.tasks.value = self.both_tables()

    def both_tables(self) -> tuple[str, str]:
        """Both tables as HTML."""
        return orders_table(self.rows, self.side.name), tasks_table(self.rows, self.side.name)

    def static(self) -> str:
        """The side as plain HTML."""
        return f'<div class="taskref-title">{TITLES[self.side.name]}</div>{"".join(self.both_tables())}'

    def close(self) -> None:
        """Show the worker's last state, and give back the connections."""
        self.worker.value = worker_line(self.side.worker.status, time.monotonic())
        self._lookout.close()


def static_copy(views: Iterable[SideView], what_to_do: str) -> str:
    """The panel as plain HTML, as it stands now, for a notebook that is opened without its kernel."""
    sides = "".join(view.static() for view in views)
    return (
        f'<div class="taskref-static">{STATIC_STYLE}{TABLE_STYLE}'
        f"<p>The panel as it was when its cell ran: <strong>{what_to_do}</strong>.</p>{sides}</div>"
    )


def worker_line(status: WorkerStatus, now: float) -> str:
    """The worker's state in words: `busy with task 3 since 2 s, then pauses`."""
    words: str = status.state
    if status.task is not None:
        words += f" with task {status.task.id} since {now - status.since:.0f} s"
        words += ", then stops" if status.stopping else ", then pauses" if status.pausing else ""
    elif status.state in ("blocked", "dead"):
        words += f": {status.error}"
    shape = STATE_SHAPES[status.state]
    return (
        f'<div class="taskref-worker">Worker: <span aria-hidden="true">{shape}</span>'
        f' <strong class="taskref-state">{shown(words)}</strong></div>'
    )


def _table(name: str) -> HTML:
    """A table that scrolls in its own element, which stays when the rows are replaced; by keyboard, too."""
    table = HTML(tabbable=True, tooltip=name)
    table.add_class("taskref-scroll")
    return table
