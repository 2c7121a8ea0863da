"""One side of a panel on the screen: reads its database and its workers' states. Called only by the watcher.

It opens a transaction only after a commit, and sends a message only if what is shown has changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..display.html_tables import STATIC_STYLE, orders_table, tasks_table
from ..display.messenger import Messenger
from ..display.panel_recording import PanelRecorder
from ..display.picture import Picture
from ..display.reader import ChangeReader
from ..display.rows import Rows
from ..display.worker_lines import WorkerLines
from .side import Side

TITLES = {
    "classic": "Classic: the task references its order",
    "inverted": "Inverted: the order references its task",
}
EVERY_POLL = 0.5  # seconds between two reads on a server, where each one reads all rows


class SideView:
    """Shows one side; `box` is the widget. every: the minimum of seconds between two messages."""

    def __init__(self, side: Side, every: float = 0.0) -> None:
        self.side = side
        self.rows = Rows()
        self.worker = WorkerLines()
        self.timeline = side.timeline
        self.picture = self.box = Picture(side.name, TITLES[side.name])
        self.box.add_class("taskref-side")
        self.reader = ChangeReader(side.queue)
        self._messenger = Messenger(self.picture, side.name, self.timeline, self.worker, every)
        self.recorder = PanelRecorder(side.name)
        self._every = EVERY_POLL if self.reader.polls else 0.0
        self._looked_at: float | None = None
        self._trouble: Exception | None = None
        self._first = True

    def refresh(self) -> None:
        """Show the present state. Raises the error of reading it."""
        if self._looked_at is None or time.monotonic() - self._looked_at >= self._every:
            self._look()
        if self._trouble is not None:
            raise self._trouble.with_traceback(None)

    def restart(self) -> None:
        """Start a new timeline, and send everything to every page."""
        self.timeline.clear()
        self.picture.forget_pages()

    def static(self) -> str:
        title, tables = TITLES[self.side.name], (orders_table, tasks_table)
        return f'<div class="taskref-title">{title}</div>' + "".join(one(self.rows, self.side.name) for one in tables)

    def close(self) -> None:
        """Show the last state, and release the connections. A reloaded page still gets that state."""
        self._look()
        self.reader.close()
        self._messenger.end()
        self.picture.on_msg(lambda *_: self._messenger.tell())

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        before, found = self.rows, None
        # Before the rows: otherwise a worker could be shown with a task that the rows still show as pending.
        new_workers = self.worker.look(self.side.pool.workers)
        try:
            found, self._trouble = self.reader.changed_rows(before), None
        except Exception as error:  # for the status line; the workers' states are shown nevertheless
            self._trouble = error
        if found is not None and found != before:
            self.rows = found
        lines = self.timeline.look(before, self.rows, self.worker.holders)
        if lines or new_workers or self.rows is not before or self._first:
            self.recorder.keep(self.rows, lines, self.worker.shown, self.timeline.latest_ways)
        self._first = False
        self._messenger.add(self.rows, lines, new_workers)
        self._messenger.tell()


def static_copy(views: Iterable[SideView], what_to_do: str) -> str:
    """The panel's present state as plain HTML, for a notebook that is opened without its kernel."""
    sides = "".join(view.static() for view in views)
    return (
        f'<div class="taskref-static">{STATIC_STYLE}'
        f"<p>The panel as it was when its cell ran: <strong>{what_to_do}</strong>.</p>{sides}</div>"
    )
