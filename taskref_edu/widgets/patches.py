"""What the browser is told of the rows: everything once, then only the rows that look different.

A server drops messages of more than a megabyte a second, so a row is told as a short list, and its words as
numbers into a list of words. What is shown on demand, the details, is told for opened rows only.
Leaves out: how it is sent (`picture.py`) and drawn (`picture.js`). Read next: `details.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..approaches.classic import PAYMENT
from .rows import Rows, order_in
from .tables import is_orphan, money, more_of

LONGEST_CELL = 60  # characters; the details show more
SAFE = 2**53  # a larger number loses digits in a browser
Shown = tuple[Any, ...]  # a row as the browser gets it; its id comes first


class Told:
    """The rows that the browser knows, and the words that it has a number for."""

    def __init__(self, approach: str) -> None:
        self._approach = approach
        self._words: dict[str, int] = {}
        self._orders: dict[int, Shown] = {}
        self._tasks: dict[int, Shown] = {}

    def everything(self, rows: Rows) -> dict[str, Any]:
        """The whole state; what is told next builds on it."""
        self._words.clear()
        self._orders, self._tasks = self._shown(rows)
        return {
            "words": list(self._words),
            "orders": list(self._orders.values()),
            "tasks": list(self._tasks.values()),
            "counts": (rows.order_count, rows.task_count),
        }

    def changes(self, rows: Rows) -> dict[str, Any]:
        """What has changed since the last call."""
        known = len(self._words)
        orders, tasks = self._shown(rows)
        told = {
            "words": list(self._words)[known:],
            "orders": _different(self._orders, orders),
            "tasks": _different(self._tasks, tasks),
            "gone_orders": list(self._orders.keys() - orders.keys()),
            "gone_tasks": list(self._tasks.keys() - tasks.keys()),
        }
        self._orders, self._tasks = orders, tasks
        found = {name: value for name, value in told.items() if value}
        return found | {"counts": (rows.order_count, rows.task_count)} if found else found

    def _shown(self, rows: Rows) -> tuple[dict[int, Shown], dict[int, Shown]]:
        return {row[0]: row for row in self._orders_of(rows)}, {row[0]: row for row in self._tasks_of(rows)}

    def _orders_of(self, rows: Rows) -> Iterable[Shown]:
        """Id, status, customer, amount, the task it points at, what is wrong with that."""
        inverted, word = self._approach == "inverted", self._word
        for order_id, customer, amount, status, reference in rows.orders:
            target = reference if inverted else None
            mark = "dangling" if target is not None and target not in rows.targets else ""
            yield order_id, word(_cell(status)), _cell(customer), money(amount), _safe(target), word(mark)

    def _tasks_of(self, rows: Rows) -> Iterable[Shown]:
        """Id, status, what the status does not say, attempt of how many, type, the order it names, what is wrong."""
        word, classic = self._word, self._approach == "classic"
        for task in rows.tasks:
            target, mark = None, ""
            if classic:
                target = order_in(task.payload)
                if target not in rows.named:
                    mark = "dangling" if task.type == PAYMENT else ""
                    target = target if mark else None
            elif is_orphan(task, rows):
                mark = "orphan"
            words = word(_cell(task.status)), word(more_of(task))
            attempts = task.attempt, task.max_attempts
            yield task.id, *words, *attempts, word(_cell(task.type)), _safe(target), word(mark)

    def _word(self, text: str) -> int:
        number = self._words.get(text)
        if number is None:
            number = self._words[text] = len(self._words)
        return number


def _different(before: dict[int, Shown], after: dict[int, Shown]) -> list[Shown]:
    return [row for number, row in after.items() if before.get(number) != row]


def _cell(text: Any) -> str:
    text = str(text)
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"


def _safe(number: int | None) -> int | str | None:
    return number if number is None or number < SAFE else str(number)
