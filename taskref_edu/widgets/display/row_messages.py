"""What the browser is sent about the rows: all of them once, then only those shown differently.

A Jupyter server drops messages beyond a megabyte a second, so a row is a short list, with numbers for repeated words.
The details are sent only for rows that are open.

Not covered: how messages are sent (`picture.py`) and drawn (`picture.js`).
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

from ...approaches.classic import PAYMENT
from ...arguments import shorten
from .details import seconds_until
from .html_tables import is_orphan, money, more_of
from .rows import Rows, TaskRow, differing, order_in

LONGEST_CELL = 60  # characters; the details show more
RUNNING = 50  # running tasks up to which leases are sent: more cannot be watched
SAFE = 2**53  # a larger number loses digits in a browser
_STATUS, _LEASE = TaskRow._fields.index("status"), TaskRow._fields.index("lease_expires_at")
Shown = tuple[Any, ...]  # a row as the browser gets it; its id comes first


class StringTable(dict[str, int]):
    """A number for each word, assigned at its first use. texts: the words by number, of limited length."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __missing__(self, word: str) -> int:
        self[word] = len(self.texts)
        self.texts.append(shorten(str(word), LONGEST_CELL))
        return self[word]


class RowDeltas:
    """The rows that the browser knows, and the words that have a number."""

    def __init__(self, approach: str) -> None:
        self._approach = approach
        self._words = StringTable()
        self._rows = Rows()
        self._orders: dict[int, Shown] = {}
        self._tasks: dict[int, Shown] = {}
        self._leases: dict[int, str] = {}

    def everything(self, rows: Rows) -> dict[str, Any]:
        """The whole state, on which the following changes build."""
        self._words = StringTable()
        self._rows, self._orders, self._tasks = rows, self._shown_orders(rows), self._shown_tasks(rows)
        return {
            "words": self._words.texts,
            "orders": list(self._orders.values()),
            "tasks": list(self._tasks.values()),
            "counts": (rows.order_count, rows.task_count),
            "leases": self._ends_of(_leases(rows)),
        }

    def changes(self, rows: Rows) -> dict[str, Any]:
        before, known = self._rows, len(self._words.texts)
        orders, tasks = self._orders, self._tasks
        if rows.orders is not before.orders or rows.targets != before.targets:
            orders = self._shown_orders(rows)
        if rows.tasks is not before.tasks or (rows.named, rows.referenced) != (before.named, before.referenced):
            tasks = self._shown_tasks(rows)
        told = {
            "words": self._words.texts[known:],
            "orders": [orders[number] for number in differing(self._orders, orders)],
            "tasks": [tasks[number] for number in differing(self._tasks, tasks)],
            "gone_orders": sorted(self._orders.keys() - orders.keys()),
            "gone_tasks": sorted(self._tasks.keys() - tasks.keys()),
        }
        self._rows, self._orders, self._tasks = rows, orders, tasks
        found: dict[str, Any] = {name: value for name, value in told.items() if value}
        if (leases := _leases(rows)) != self._leases:
            found["leases"] = self._ends_of(leases)
        return found | {"counts": (rows.order_count, rows.task_count)} if found else found

    def _ends_of(self, leases: dict[int, str]) -> dict[int, float]:
        """When each lease runs out, in seconds since 1970."""
        self._leases, now = leases, time.time()
        return {n: round(now + left, 2) for n, lease in leases.items() if (left := seconds_until(lease)) is not None}

    def _shown_orders(self, rows: Rows) -> dict[int, Shown]:
        """Id, status, customer, amount, the referenced task, what is wrong with that reference."""
        inverted, words, shown = self._approach == "inverted", self._words, {}
        for order_id, customer, amount, status, reference in rows.orders.values():
            target = reference if inverted else None
            mark = "dangling" if target is not None and target not in rows.targets else ""
            name = shorten(str(customer), LONGEST_CELL)
            shown[order_id] = (order_id, words[status], name, money(amount), _safe(target), words[mark])
        return shown

    def _shown_tasks(self, rows: Rows) -> dict[int, Shown]:
        """Id, status, what the status does not show, attempt of how many, type, the order it names, what is wrong."""
        words, classic, shown = self._words, self._approach == "classic", {}
        named, referenced, nothing, again = rows.named, rows.referenced, words[""], words[more_of("pending", 1, None)]
        for row in rows.tasks.values():  # thousands of rows, ten times a second: calls are avoided
            task_id, kind, payload, status, attempt, most, _token, _available, _lease, asked, _error = row
            target, more, mark = None, nothing, nothing
            if asked is not None:
                more = words[more_of(status, attempt, asked)]
            elif attempt and status == "pending":
                more = again
            if classic:
                target = order_in(payload)
                if target not in named and kind == PAYMENT:
                    mark = words["dangling"]
                elif target not in named:
                    target = None
            elif task_id not in referenced and is_orphan(task_id, kind, status, rows):
                mark = words["orphan"]
            if target is not None and target >= SAFE:
                target = str(target)
            shown[task_id] = (task_id, words[status], more, attempt, most, words[kind], target, mark)
        return shown


def _leases(rows: Rows) -> dict[int, str]:
    """The lease of each running task as the driver returns it; none if there are too many to watch."""
    running = (row for row in rows.tasks.values() if row[_STATUS] == "running")
    found = {row[0]: row[_LEASE] for row in islice(running, RUNNING + 1)}
    return found if len(found) <= RUNNING else {}


def _safe(number: int | None) -> int | str | None:
    return number if number is None or number < SAFE else str(number)
