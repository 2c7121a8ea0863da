"""The controls of a panel: the names of its buttons, and the widget that shows them.

The page sends what the user does, and receives `state`, which says what can be done now. Buttons are never disabled,
because keyboard users would lose the focus; a button that cannot act shows the reason.

Not covered: what a click does (`actions.py`, which needs no widgets).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..display.picture import CSS
from .scenarios import SCENARIOS

BUTTONS = {
    "new_order": ("New order", "Create an order and select it"),
    "pay": ("Pay", "Enqueue a payment of the selected order"),
    "cancel": ("Cancel payment", "Cancel the selected order's payment, or ask it to stop if it runs"),
    "start": ("Start worker", "Start the worker: it runs one task after the other"),
    "pause": ("Pause", "Let the worker claim no further task; one that runs goes on"),
    "resume": ("Resume", "Let the paused worker claim tasks again"),
    "step": ("Step", "Run one task, while the worker is stopped or paused"),
    "stop": ("Stop", "Let the worker end after the task that it runs"),
    "storm": ("Click storm", "Pay the selected order that many times at the same moment"),
    "typo": ("Typo", "Enqueue a payment of the selected order as somebody does who slips"),
    "delete": ("Delete order", "Delete the selected order, even while its payment is in process"),
    "cancel_all": ("Cancel all", "Cancel the payment of every order in process"),
    "prune": ("Prune", "Delete the tasks that have ended"),
    "crash": ("Crash", "The worker dies in the middle of its task, as if its process were killed"),
    "zombie": ("Zombie", "The worker stands still until its lease is over, then comes back; a second click wakes it"),
    "run": ("Run", "Begin the chosen scenario: it tells what comes, and waits for you"),
    "next": ("Next", "Let the step happen, or read the next one"),
    "play": ("Play all", "Go through all steps that are left, with time to read"),
    "end": ("End", "Leave the scenario; orders and tasks stay as they are"),
    "start_over": ("Start over", "Put the orders and tasks back as they were when this cell ran"),
}
OFFERED = 50  # newest orders in the list: a longer list is slow to send and hard to choose from
HERE = Path(__file__).parent
SCRIPT = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("../display/dom.js", "controls.js"))


class Controls(anywidget.AnyWidget):
    """Shows `state`; calls `hear(content)` with what the user does, on the kernel's thread."""

    _esm = SCRIPT
    _css = CSS + (HERE / "controls.css").read_text(encoding="utf-8")
    fixed = traitlets.Dict().tag(sync=True)  # what never changes
    state = traitlets.Dict().tag(sync=True)
    lens = traitlets.Unicode("").tag(sync=True)  # the SQL of the latest click, as HTML

    def __init__(self, hear: Callable[[dict[str, Any]], None], paced: bool, steps: Sequence[str], state: Any) -> None:
        fixed = {"buttons": BUTTONS, "scenarios": list(SCENARIOS), "paced": paced, "steps": list(steps)}
        super().__init__(fixed=fixed, state=state)
        self.on_msg(lambda _widget, content, _buffers: hear(content) if isinstance(content, dict) else None)
