"""The buttons and fields of a panel, each with a label and a tooltip; what they do is said in `panel.py`.

Buttons are never switched off while the panel lives: a button that is switched off under a keyboard user takes
the focus away, and a click in vain explains itself in the status line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ipywidgets import HTML, BoundedFloatText, Box, Button, Dropdown, Widget
from sqlalchemy import Row

from .theme import STYLE

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
WIDE = {"description_width": "initial"}


class Controls:
    """All controls: `buttons` by name, the selected `order`, the `seconds` that a payment takes."""

    def __init__(self) -> None:
        named = ORDER_BUTTONS | WORKER_BUTTONS
        self.buttons = {name: Button(description=text, tooltip=tip) for name, (text, tip) in named.items()}
        self.order = Dropdown(description="Selected order", tooltip="The order that Pay and Cancel work on", style=WIDE)
        self.order.layout.width = "max-content"
        self.seconds = BoundedFloatText(
            2.0, min=0, max=60, step=0.5, description="Seconds per task", tooltip="How long a payment takes", style=WIDE
        )
        self.seconds.layout.width = "12em"

    def lines(self) -> list[Box]:
        """The controls in two lines, which wrap where there is little room."""
        buttons = self.buttons
        orders = [buttons["new_order"], self.order, buttons["pay"], buttons["cancel"]]
        worker = [buttons[name] for name in WORKER_BUTTONS]
        return [_line("Order", orders), _line("Worker", [*worker, self.seconds])]

    def offer(self, orders: Sequence[Row], selected: int | None) -> None:
        """Show these orders to choose from, and `selected` as the chosen one."""
        options = [(f"{order.id} ({order.customer[:20]})", order.id) for order in orders]
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
        for control in [*self.buttons.values(), self.order, self.seconds]:
            control.disabled = True


def style_sheet() -> HTML:
    """The panel's style, as a widget: it is on the page as long as the panel is live."""
    return HTML(STYLE)


def _line(label: str, controls: Iterable[Widget]) -> Box:
    line = Box([HTML(label), *controls])
    line.add_class("taskref-controls")
    return line
