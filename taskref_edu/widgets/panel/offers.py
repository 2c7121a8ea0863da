"""What can be done on a panel now: for each button that cannot act, why not; and the suggested next action.

Computed from the rows of the latest read. An action checks again, because the rows may be older than the click.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from ...models import ENDED, LIVE
from ..display.rows import PAYLOAD, Rows, TaskRow, order_in
from .controls import BUTTONS
from .scenarios import ScenarioPlayer
from .side import Side
from .worker_actions import ON_WORKERS

NO_ORDER = "no order selected: create one with New order"
NO_SCENARIO = "no scenario is under way: choose one under More, and click Run"
STATUS = TaskRow._fields.index("status")
ON_AN_ORDER = ("pay", "cancel", "storm", "typo", "delete")
# The action that fulfils a step of the checklist, by the first word of its condition.
ACTS = {"orders": "new_order", "tasks": "pay", "pending": "pay", "cancelled": "cancel", "worker": "start"}


class SideFacts:
    """What one side shows of the selected order, its tasks and its workers."""

    def __init__(self, rows: Rows, side: Side, selected: int | None) -> None:
        order = rows.order(selected) if selected is not None else None
        statuses = set(map(itemgetter(STATUS), rows.tasks.values()))
        self.live, self.ended = not statuses.isdisjoint(LIVE), not statuses.isdisjoint(ENDED)
        self.order = order and order.status
        if order is None:
            self.in_process = False
        elif side.name == "inverted":
            task = rows.tasks.get(order.processing_task_id or 0)
            self.in_process = task is not None and task[STATUS] in LIVE
        else:
            tasks = reversed(rows.tasks.values())
            self.in_process = any(order_in(row[PAYLOAD]) == order.id and row[STATUS] in LIVE for row in tasks)
        self._pool = side.pool

    def why_not(self, name: str) -> str:
        """Why the button cannot act on this side, or ""."""
        if name in ON_AN_ORDER:
            return self._about_order(name)
        if name in ON_WORKERS:
            return self._pool.why_not(name)
        if name == "cancel_all" and not self.live:
            return "no task is pending or running"
        return "no task has ended yet" if name == "prune" and not self.ended else ""

    def _about_order(self, name: str) -> str:
        if self.order is None:
            return NO_ORDER
        if name in ("pay", "storm") and self.order == "paid":
            return "the selected order is paid already"
        if name == "pay" and self.in_process:
            return "a payment of the selected order is in process"
        if name == "cancel" and not self.in_process:
            return "no payment of the selected order is in process"
        return ""


def offers(sides: Sequence[SideFacts], player: ScenarioPlayer | None) -> dict[str, str]:
    """For each button that cannot act on any side: why not."""
    found = {}
    for name in BUTTONS:
        reasons = [side.why_not(name) for side in sides]
        if all(reasons):
            found[name] = reasons[0]
    if player is None:
        found |= dict.fromkeys(("next", "play", "end"), NO_SCENARIO)
    elif player.ended:
        found |= dict.fromkeys(("next", "play"), "the scenario is over: End closes it, Run plays it again")
    elif player.waits_for is not None:
        found["next"] = f"not yet: waits until {player.waits_for}"
    return found


def primary(offered: dict[str, str], sides: Sequence[SideFacts], player: ScenarioPlayer | None, step: str) -> str:
    """The suggested next action, or "". step: the condition of the first step that is not done."""
    if player is not None:
        return "end" if player.ended else "" if player.asks_for_a_guess else "next"
    if act := ACTS.get(step.split(" ", 1)[0]):
        return "" if act in offered else act
    live = ["start", "resume"] if any(side.live for side in sides) else []
    return next(name for name in ("pay", *live, "new_order") if name not in offered)
