"""The live panel: enqueue, cancel and watch payments that workers run, in one approach or in both.

The watcher is the only thread that writes widgets. Not covered: what a click does (`actions.py`); what is shown of
the rows (`side_view.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from ipywidgets import HTML, Box, VBox, Widget

from ...queue.task_queue import TaskQueue
from ..display.status_line import StatusLine
from ..live_cells import current_cell, forget, remember, stop_former
from .actions import NO_SCENARIO, PanelActions
from .click_transactions import plain
from .conditions import Until
from .controls import Controls, show, style_sheet
from .scenario_player import PACE
from .scenarios import SCENARIOS
from .side import APPROACHES, Name, Side, queue_beside
from .side_view import SideView, static_copy
from .sql_lens import SeenStatement, lens_html
from .watcher import Watcher

RE_RUN = "re-run this cell to make it live"


class Panel:
    """Shows `queue` and works on it; put it at the end of a cell. Stop it with stop(), or re-run its cell.

    approach: "classic" or "inverted"; or "both": inverted on `queue`, classic beside it on a fresh temporary
    database with a copy of the orders, and every click goes to both. The panel's workers claim tasks for 5 s at
    most, so that the end of a lease can be watched.
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
        self.places = frozenset([queue, (queue.engine.url, names[-1])])
        stop_former(self)
        self._reason: str | None = None
        self._watcher = Watcher(self._look, self._last_look, f"{approach} panel", self._has_changes)
        self.controls = Controls()
        self._actions = PanelActions(self.controls, self._watcher.hurry)
        queues = [queue_beside(queue), queue] if approach == "both" else [queue]
        self._sides = [
            Side(name, one, lambda: self._actions.seconds, self._actions.say)
            for name, one in zip(names, queues, strict=True)
        ]
        self._actions.sides = self._sides
        every = 0.0 if len(names) == 1 else 0.2  # two sides share the messages that a panel may send
        self.views = [SideView(side, every) for side in self._sides]
        for side, view in zip(self._sides, self.views, strict=True):
            side.note = view.note
        self._build()
        self._look()
        self._watcher.start()
        remember(self)

    @property
    def scenarios(self) -> list[str]:
        """The names that run() knows."""
        return list(SCENARIOS)

    def click(self, name: str) -> None:
        """Do what the button of that name does: `panel.click("new_order")`; its answer is in `panel.status.text`."""
        self._actions.click(name)

    def run(self, scenario: str) -> Panel:
        """Begin a scenario: its first sentence is shown, and Next goes on. Returns this panel at once.

        Raises ValueError, with the list, for a scenario that is not there.
        """
        self._actions.run(scenario)
        return self

    def play(self, pace: float = PACE) -> None:
        """Make the steps of the scenario that are left by themselves, one each `pace` seconds."""
        self._actions.play(pace)

    def until(self, condition: str, timeout: float = 30.0) -> Until:
        """`await panel.until("all tasks finished")`: wait, and let the kernel go on meanwhile.

        Raises ValueError, with the list, for a condition that is not there; StillOpen after `timeout` seconds.
        """
        self._actions.still_open(condition)
        return Until(condition, partial(self._actions.still_open, condition), timeout)

    def stop(self, reason: str = "stopped") -> None:
        """End the workers, the watcher and a payment that runs; what is shown stays. May be called twice."""
        self._reason = self._reason or f"{reason}: {RE_RUN}"
        self._actions.ended = True
        for side in self._sides:
            side.close()
        self._actions.join(5)
        self._watcher.stop()
        forget(self)

    def close(self, reason: str = "stopped") -> None:
        """Stop, and take the widgets away from the page and out of the memory."""
        self.stop(reason)
        for widget in _with_children(self.box):
            widget.close()
        for side in self._sides:
            side.queue.engine.dispose()  # the notebook's Out keeps this panel; it need not keep its files open

    def __repr__(self) -> str:
        return f"Panel({self.approach}): {RE_RUN}"

    def _ipython_display_(self) -> None:
        # Two outputs: where there is no kernel the first one can show nothing, and the second one is what stays.
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}, raw=True)
        display({"text/html": static_copy(self.views, RE_RUN), "text/plain": "(its tables as HTML)"}, raw=True)

    def _build(self) -> None:
        self.status = StatusLine()
        self.status.add_class("taskref-says")
        sides = VBox([view.box for view in self.views])
        sides.add_class("taskref-sides")
        self.lenses = [HTML(tabbable=True, tooltip=f"The SQL of the latest click, {side.name}") for side in self._sides]
        self._seen: list[SeenStatement | None] = [None for _ in self._sides]
        lenses = Box(self.lenses)
        lenses.add_class("taskref-lenses")
        show(lenses, False)
        self.box = VBox([style_sheet(), *self.controls.lines(), self.status, lenses, sides])
        self.box.add_class("taskref-panel")
        for toggle, part in ((self.controls.more, self.controls.fold), (self.controls.sql, lenses)):
            toggle.observe(lambda change, part=part: self._actions.write(partial(show, part, change["new"])), "value")
        if not any(side.paced for side in self._sides):
            self.controls.seconds.disabled = True
            self.controls.seconds.tooltip = "The queue has a handler of its own, which takes the time that it takes"

    # The watcher's thread: nobody else writes a widget

    def _look(self) -> None:
        own = [self._offer, self._follow_scenario, self._show_lenses]
        steps = [*self._actions.writes(), *(view.refresh for view in self.views), *own]
        trouble = [text for step in steps if (text := _trouble(step))]
        self.status.text = "; ".join(trouble) or self._actions.notice

    def _has_changes(self) -> bool:
        return any(view.has_changes() for view in self.views)

    def _offer(self) -> None:
        rows = self.views[-1].rows
        if self._actions.selected is None and rows.orders:
            self._actions.selected = next(iter(rows.orders))
        self.controls.offer(rows, self._actions.selected)

    def _follow_scenario(self) -> None:
        player = self._actions.player
        if player is None:
            self.controls.sentence.text = NO_SCENARIO
            return
        player.check()
        self.controls.sentence.text = player.text
        # It stays when the scenario is left: a button that vanishes takes the focus with it.
        show(self.controls.script, True)

    def _show_lenses(self) -> None:
        for place, side in enumerate(self._sides if self.controls.sql.value else ()):
            seen = side.lens.seen
            if seen is not self._seen[place]:
                self._seen[place] = seen
                self.lenses[place].value = lens_html(side.name, seen, side.queue)

    def _last_look(self) -> None:
        self._look()
        for view in self.views:
            _trouble(view.close)
        self.controls.switch_off()
        self.status.text = self._reason or ""


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
