"""The buttons and fields of a panel, each with a label and a tooltip; what they do is in `actions.py`.

Buttons are never switched off while the panel lives: a button that is switched off under a keyboard user takes
the focus away, and a click in vain explains itself in the status line. The rarer ones are folded away under More.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ipywidgets import (
    HTML,
    BoundedFloatText,
    BoundedIntText,
    Box,
    Button,
    Checkbox,
    Dropdown,
    ToggleButton,
    VBox,
    Widget,
)

from ..display.rows import Rows
from ..display.status_line import StatusLine
from ..display.theme import STYLE
from .scenarios import SCENARIOS

ORDER_BUTTONS = {
    "new_order": ("New order", "Create an order and select it"),
    "pay": ("Pay", "Enqueue a payment of the selected order"),
    "cancel": ("Cancel payment", "Cancel the selected order's payment, or ask it to stop if it runs"),
}
WORKER_BUTTONS = {
    "start": ("Start", "Start the worker: it runs one task after the other"),
    "pause": ("Pause", "Let the worker claim no further task; one that runs goes on"),
    "resume": ("Resume", "Let a paused worker claim tasks again"),
    "step": ("Step", "Run one task, while the worker is stopped or paused"),
    "stop": ("Stop", "Let the worker end after the task that it runs"),
}
STORM_BUTTONS = {"storm": ("Click storm", "Pay the selected order that many times at the same moment")}
TROUBLE_BUTTONS = {
    "typo": ("Typo", "Enqueue a payment of the selected order as somebody does who slips"),
    "delete": ("Delete order", "Delete the selected order, even while its payment is in process"),
    "cancel_all": ("Cancel all", "Cancel the payment of every order in process"),
    "prune": ("Prune", "Delete the tasks that have ended"),
}
WORKER_TROUBLE_BUTTONS = {
    "crash": ("Crash", "The worker dies in the middle of its task, as if its process were killed"),
    "zombie": ("Zombie", "The worker stands still until its lease is over, then comes back; a second click wakes it"),
}
RUN_BUTTONS = {"run": ("Run", "Begin the chosen scenario: it tells what comes, and waits for you")}
SCRIPT_BUTTONS = {
    "next": ("Next", "Let happen what the sentence asks about"),
    "play": ("Play all", "Go through all steps that are left, with time to read"),
    "end": ("End", "Leave the scenario; orders and tasks stay as they are"),
}
BUTTONS = (
    ORDER_BUTTONS | WORKER_BUTTONS | STORM_BUTTONS | TROUBLE_BUTTONS | WORKER_TROUBLE_BUTTONS | RUN_BUTTONS
    | SCRIPT_BUTTONS
)  # fmt: skip
WIDE = {"description_width": "initial"}
OFFERED = 50  # orders in the list, the newest: a longer one is slow to send, and to choose from

# The arrow of a list is a picture of ipywidgets, dark in every theme; two triangles of the text's colour are not.
CONTROLS_STYLE = """<style>
.taskref-panel.taskref-panel .widget-dropdown > select { padding-right: 20px; background-repeat: no-repeat;
  background-image: linear-gradient(45deg, transparent 50%, var(--jp-ui-font-color1) 50%),
    linear-gradient(135deg, var(--jp-ui-font-color1) 50%, transparent 50%);
  background-position: right 10px center, right 5px center; background-size: 5px 5px, 5px 5px; }
.taskref-panel .taskref-fold { padding: 4px 0 4px 6px; border-left: 3px solid var(--jp-border-color2);
  overflow: visible; }
.taskref-panel .taskref-script { padding: 4px 0 0 6px; border-left: 3px solid var(--jp-brand-color1);
  overflow: visible; }
.taskref-panel button.mod-active { box-shadow: inset 0 -3px 0 var(--jp-brand-color1); }
.taskref-panel .taskref-controls > .widget-html { width: 5em; white-space: nowrap; }
.taskref-panel .widget-checkbox { width: max-content; }
.taskref-panel .widget-checkbox label { display: flex; align-items: center; }
.taskref-panel .widget-checkbox input[type="checkbox"] { margin: 0 4px 0 8px; }
.taskref-lenses { flex-flow: row wrap; align-items: flex-start; gap: 8px 24px; overflow: visible; margin-bottom: 6px; }
.taskref-panel .taskref-lenses > .widget-html { flex: 1 1 24em; min-width: min(24em, 100%); max-height: 20em;
  overflow: auto; }
.taskref-table.taskref-lens.taskref-lens { width: 98%; }
.taskref-table.taskref-lens.taskref-lens td { white-space: pre-wrap; overflow-wrap: anywhere; }
.taskref-table.taskref-lens.taskref-lens td.taskref-number { white-space: nowrap; overflow-wrap: normal; }
.taskref-lens-plan { padding-left: 1em; font-style: italic; }
.taskref-panel .taskref-lenses > .widget-html:focus-visible { outline: 2px solid var(--jp-brand-color1); }
</style>"""


class Controls:
    """All controls: `buttons` by name, the selected `order`, the `seconds` that a payment takes, and the folds."""

    def __init__(self) -> None:
        self.buttons = {name: Button(description=text, tooltip=tip) for name, (text, tip) in BUTTONS.items()}
        self.order = _list("Selected order", "The order that Pay and Cancel work on")
        self.seconds = BoundedFloatText(
            2.0, min=0, max=60, step=0.5, description="Seconds per task", tooltip="How long a payment takes", style=WIDE
        )
        self.clicks = BoundedIntText(
            8, min=2, max=20, description="Clicks", tooltip="How many clicks a storm has", style=WIDE
        )
        self.how = _list("Pay", "Which version of the click", ("as written", "at its best"))
        self.two = Checkbox(False, description="Two workers", tooltip="Let a second worker take tasks", indent=False)
        self.scenario = _list("Scenario", "What shall happen", tuple(SCENARIOS))
        self.more = ToggleButton(description="More", tooltip="Show or hide the rarer clicks, and the scenarios")
        self.sql = ToggleButton(description="SQL", tooltip="Show or hide the SQL of the latest click")
        for field, width in ((self.seconds, "13em"), (self.clicks, "8em")):
            field.layout.flex = f"0 0 {width}"  # else it shrinks until its number is out of sight
        self.sentence = StatusLine()
        self.sentence.add_class("taskref-sentence")
        self.fold = _hidden("taskref-fold", self._fold_lines())
        self.script = _hidden("taskref-script", [_line("Scenario", self._named(SCRIPT_BUTTONS)), self.sentence])

    def lines(self) -> list[Box]:
        """The controls in lines, which wrap where there is little room."""
        new_order, pay, cancel = self._named(ORDER_BUTTONS)
        orders = [new_order, self.order, pay, cancel]
        worker = [*self._named(WORKER_BUTTONS), self.seconds, self.more, self.sql]
        return [_line("Order", orders), _line("Worker", worker), self.fold, self.script]

    def offer(self, rows: Rows, selected: int | None) -> None:
        """Show the newest orders to choose from, and `selected` as the chosen one."""
        options = [(f"{order.id} ({order.customer[:20]})", order.id) for order in rows.newest_orders(OFFERED)]
        if selected is not None and selected not in [order_id for _, order_id in options]:
            options.insert(0, (str(selected), selected))
        new_options = list(self.order.options) != options
        if not new_options and self.order.value == selected:
            return
        with self.order.hold_sync():
            if new_options:
                self.order.index = None  # else new options select the first one by themselves
                self.order.options = options
            self.order.value = selected

    def switch_off(self) -> None:
        """The panel is stopped."""
        fields = [self.order, self.seconds, self.clicks, self.how, self.two, self.scenario, self.more, self.sql]
        for control in [*self.buttons.values(), *fields]:
            control.disabled = True

    def _fold_lines(self) -> list[Box]:
        storm, run = self._named(STORM_BUTTONS), self._named(RUN_BUTTONS)
        return [
            _line("Trouble", [*storm, self.clicks, self.how, *self._named(TROUBLE_BUTTONS)]),
            _line("", [*self._named(WORKER_TROUBLE_BUTTONS), self.two, self.scenario, *run]),
        ]

    def _named(self, names: Iterable[str]) -> list[Button]:
        return [self.buttons[name] for name in names]


def style_sheet() -> HTML:
    """The panel's style, as a widget: it is on the page as long as the panel is live."""
    return HTML(STYLE + CONTROLS_STYLE)


def show(box: Box, shown: bool) -> None:
    """Show or hide a part of the panel."""
    box.layout.display = None if shown else "none"


def _list(label: str, tooltip: str, options: Sequence[str] = ()) -> Dropdown:
    field = Dropdown(options=options, description=label, tooltip=tooltip, style=WIDE)
    field.layout.width = "max-content"
    return field


def _line(label: str, controls: Iterable[Widget]) -> Box:
    line = Box([HTML(label), *controls])
    line.add_class("taskref-controls")
    return line


def _hidden(name: str, children: Sequence[Widget]) -> VBox:
    box = VBox(children)
    box.add_class(name)
    show(box, False)
    return box
