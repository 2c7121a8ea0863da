"""The live panel: enqueue, cancel and watch payments that workers run, in one approach or in both.

Only the watcher's thread changes widgets. Not covered: what a click does (`actions.py`); how rows are shown
(`side_view.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from ipywidgets import Box, VBox, Widget

from ...arguments import shorten
from ...lab.player.notebook_cell import current_cell
from ...queue.task_queue import TaskQueue
from ..display.panel_recording import PanelRecording
from .actions import PanelActions
from .click_transactions import plain
from .conditions import Until, on_side
from .controls import BUTTONS, OFFERED, Controls
from .offers import SideFacts, offers, primary
from .scenarios import SCENARIOS
from .side import APPROACHES, Name, queue_beside
from .side_view import SideView, static_copy
from .sql_lens import SeenClick, lens_html
from .watcher import Watcher

RE_RUN = "re-run this cell to make it live"
CALM = 0.25  # seconds between two updates of the controls without a click
_live: set[Panel] = set()  # a cell that runs again rebinds its variables, and nothing else references its old panel


class Panel:
    """Shows `queue` and works on it; put it at the end of a cell. Stop it with stop(), or re-run its cell.

    approach: "classic", "inverted" or "both": inverted on `queue`, classic on a new temporary database with a copy of
    the orders; every click goes to both. The panel's workers use leases of at most 5 s, so that you can watch one
    expire.
    steps: a checklist that ticks itself off, such as [("make three orders", "orders >= 3")]: texts with conditions, as
    for until().
    """

    def __init__(
        self,
        queue: TaskQueue,
        approach: Literal["classic", "inverted", "both"] = "classic",
        steps: Sequence[tuple[str, str]] = (),
    ) -> None:
        if not isinstance(queue, TaskQueue):
            raise TypeError(f"{queue!r} found, a TaskQueue expected: Panel(TaskQueue(open_database()))")
        if approach not in (*APPROACHES, "both"):
            raise ValueError(f"approach {approach!r} found; classic, inverted or both expected")
        self.queue = queue
        self.approach = approach
        names: list[Name] = ["classic", "inverted"] if approach == "both" else [approach]
        self._cell = current_cell()
        self._places = {queue, (queue.engine.url, names[-1])}  # two panels on one of them would disturb each other
        self._stop_former()
        self._reason: str | None = None
        self._shown_at = self._checked_at = 0.0
        self._started_over = 0
        for _, condition in steps:
            on_side(condition)
        self._steps = list(steps)
        self._done = [False for _ in steps]
        self._watcher = Watcher(self._look, self._last_look, f"{approach} panel", self._has_changes)
        queues = [queue_beside(queue), queue] if approach == "both" else [queue]
        self._actions = PanelActions(dict(zip(names, queues, strict=True)), self._watcher.hurry)
        self._sides = self._actions.sides
        every = 0.0 if len(names) == 1 else 0.2  # two sides share the rate of messages of one panel
        self.views = [SideView(side, every) for side in self._sides]
        self._build()
        self._look()
        self._watcher.start()
        _live.add(self)

    @property
    def scenarios(self) -> list[str]:
        """The names that run() knows."""
        return list(SCENARIOS)

    def click(self, name: str) -> None:
        """Do what the button of this name does: `panel.click("new_order")`; the answer is in `panel.status`."""
        self._actions.click(name)

    def select(self, order: int) -> None:
        """Select the order for the following clicks."""
        self._actions.hear({"select": order})

    def set(self, **fields: Any) -> None:
        """Set the panel's fields: seconds (of a payment), clicks and how (of a storm), workers (1 or 2), lens."""
        self._actions.hear({"set": fields})

    @property
    def status(self) -> str:
        """The text of the status line."""
        return self.controls.state["text"]

    @property
    def selected(self) -> int | None:
        """The id of the selected order."""
        return self._actions.selected

    def recording(self) -> PanelRecording:
        """What has happened so far, as a recording that plays without a kernel; put it at the end of a cell.

        Raises ValueError if there are too many rows.
        """
        return PanelRecording(
            [view.picture.look for view in self.views], [view.recorder.frames() for view in self.views]
        )

    def run(self, scenario: str) -> Panel:
        """Start a scenario: it shows the first step, and continues with a guess or Next. Returns this panel at once.

        Raises ValueError, with the list, for an unknown scenario.
        """
        self._actions.run(scenario)
        return self

    def until(self, condition: str, timeout: float = 30.0) -> Until:
        """`await panel.until("all tasks finished")`: wait without blocking the kernel.

        Raises ValueError, with the list, for an unknown condition; StillOpen after `timeout` seconds.
        """
        self._actions.still_open(condition)
        return Until(condition, partial(self._actions.still_open, condition), timeout)

    def stop(self, reason: str = "stopped") -> None:
        """End the workers, the watcher and a running payment; the last state stays visible. May be called twice."""
        self._reason = self._reason or f"{reason}: {RE_RUN}"
        self._actions.ended = True
        for side in self._sides:
            side.close()
        self._actions.join(5)
        self._watcher.stop()
        _live.discard(self)

    def close(self) -> None:
        """Stop, and remove the widgets from the page and from memory."""
        self.stop()
        for widget in _with_children(self.box):
            widget.close()
        for side in self._sides:
            side.queue.engine.dispose()  # the notebook's Out keeps this panel alive, but not its files open

    def __repr__(self) -> str:
        return f"Panel({self.approach}): {RE_RUN}"

    def _ipython_display_(self) -> None:
        # Two outputs: without a kernel the first one shows nothing, and the second one remains.
        from IPython.display import display

        self._actions.fresh = self._actions.fields
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}, raw=True)
        display({"text/html": static_copy(self.views, RE_RUN), "text/plain": "(its tables as HTML)"}, raw=True)

    def _stop_former(self) -> None:
        for old in [*_live]:
            if old._cell and self._cell and old._cell.name == self._cell.name and old._cell.run != self._cell.run:
                old.close()  # its cell runs again, and its output is gone from the page
            elif old._places & self._places:
                old.stop("replaced by a newer panel")

    def _build(self) -> None:
        sides = Box([view.box for view in self.views])
        sides.add_class("taskref-sides")
        self._seen: list[SeenClick] = []
        self._trouble = ""
        paced = any(side.paced for side in self._sides)
        self.controls = Controls(self._actions.hear, paced, [text for text, _ in self._steps], self._state())
        self.box = VBox([self.controls, sides])
        self.box.add_class("taskref-panel")

    # On the watcher's thread, the only one that changes widgets

    def _look(self) -> None:
        if self._started_over != self._actions.started_over:
            self._started_over = self._actions.started_over
            self._done = [False for _ in self._steps]
            for view in self.views:
                view.restart()
        own = [self._actions.check_scenario, self._tick_off, self._show_lens]
        trouble = [text for step in (*(view.refresh for view in self.views), *own) if (text := _trouble(step))]
        self._trouble = "; ".join(trouble)
        self._select_one()
        self._show_state()

    def _has_changes(self) -> bool:
        return any(view.reader.has_changes() for view in self.views)

    def _select_one(self) -> None:
        rows = self.views[-1].rows
        if self._actions.selected is None and rows.orders:
            self._actions.selected = next(iter(rows.orders))

    def _tick_off(self) -> None:
        """Check which steps of the checklist are fulfilled; a step that was done once stays done."""
        if all(self._done) or time.monotonic() - self._checked_at < CALM:
            return
        self._checked_at = time.monotonic()
        for place, (_, condition) in enumerate(self._steps):
            self._done[place] = self._done[place] or self._actions.still_open(condition) is None

    def _show_state(self) -> None:
        shown, actions = self.controls.state, self._actions
        said = {"text": self._text, "selected": actions.selected, "heard": actions.heard}
        if time.monotonic() - self._shown_at < CALM and all(shown[name] == value for name, value in said.items()):
            return  # scanning all rows at each change would cost too much
        self._shown_at = time.monotonic()
        if (state := self._state()) != shown:
            self.controls.state = state

    @property
    def _text(self) -> str:
        return (self._reason if self._actions.ended else self._trouble or self._actions.notice) or ""

    def _state(self) -> dict[str, Any]:
        """What the controls show; all of it JSON."""
        actions, player = self._actions, self._actions.player
        facts = [SideFacts(view.rows, view.side, actions.selected) for view in self.views]
        offered = offers(facts, player)
        if actions.ended:
            offered = dict.fromkeys(BUTTONS, self._reason or "")
        elif refusal := next((side.copy.refusal for side in self._sides if side.copy.refusal), ""):
            offered["start_over"] = refusal
        step = next((condition for (_, condition), done in zip(self._steps, self._done, strict=True) if not done), "")
        pool = self._sides[-1].pool
        return {
            "text": self._text,
            "ended": actions.ended,
            "heard": actions.heard,
            "orders": self._orders(),
            "selected": actions.selected,
            "offers": offered,
            "primary": "" if actions.ended else primary(offered, facts, player, step),
            "pool": pool.state,
            "toggle": pool.toggle,
            **actions.fields,
            "done": [*self._done],
            "scenario": player.shown if player is not None else None,
            "point": [*player.points] if player is not None else [],
            "about": actions.about,
        }

    def _orders(self) -> list[list[Any]]:
        rows, selected = self.views[-1].rows, self._actions.selected
        offered = {order.id: order for order in rows.newest_orders(OFFERED)}
        if selected is not None and selected not in offered:
            offered = {selected: rows.order(selected)} | offered
        names = {number: f" ({shorten(order.customer, 20)})" if order else "" for number, order in offered.items()}
        return [[number, f"{number}{name}"] for number, name in names.items()]

    def _show_lens(self) -> None:
        seen = [side.seen for side in self._sides]
        if self._actions.lens_open and seen != self._seen:
            self._seen = seen
            self.controls.lens = lens_html([(side.name, side.seen, side.queue) for side in self._sides])

    def _last_look(self) -> None:
        self._look()
        for view in self.views:
            _trouble(view.close)
        self._shown_at = 0.0
        self._show_state()


def _trouble(step: Callable[[], None]) -> str | None:
    try:
        step()
    except Exception as error:  # no error of the database may end the watcher
        return plain(error)
    return None


def _with_children(widget: Widget) -> Iterator[Widget]:
    for child in getattr(widget, "children", ()):
        yield from _with_children(child)
    yield widget
    yield from (part for name in ("layout", "style") if isinstance(part := getattr(widget, name, None), Widget))
