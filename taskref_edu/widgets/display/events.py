"""What happened between two reads of the database, derived from the rows alone.

No writer reports these events: a changed row shows what was done to it, even by another process.

Not covered: changes that were undone between two reads.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ...arguments import shorten
from ...models import ENDED, utc_now
from .details import seconds_until
from .html_tables import money
from .rows import REFERENCE, OrderRow, Raw, Rows, TaskRow, differing, order_in

MANY = 100  # rows that differ in one read; beyond that they are summed up in one event
LONGEST_ERROR, LONGEST_NAME = 120, 40
NOBODY: Mapping[int, str] = {}  # the name of the worker that runs each task, where that is known
END = 60  # the rank of a task's end; ranks sort the events of one order or task that one read finds
ORDER_STATUS, TASK_STATUS = OrderRow._fields.index("status"), TaskRow._fields.index("status")


@dataclass(frozen=True)
class Event:
    """One line of the timeline; `order`: the id of its order, if known."""

    text: str
    order: int | None = None


class Difference:
    """Two states, and the ids of the rows that differ; a row that only moved out of what is shown does not."""

    def __init__(self, before: Rows, after: Rows) -> None:
        self.before, self.after = before, after
        self.orders = _changed(before.orders, after.orders, after.order_count)
        self.tasks = _changed(before.tasks, after.tasks, after.task_count)


def changes(difference: Difference, now: datetime, holders: Mapping[int, str] = NOBODY) -> list[Event]:
    """The events between two states: grouped by order and its task, those with an ended task first."""
    before, after, orders, tasks = difference.before, difference.after, difference.orders, difference.tasks
    if len(orders) + len(tasks) > MANY:
        return [
            *_counted(orders, "orders", after.orders, ORDER_STATUS),
            *_counted(tasks, "tasks", after.tasks, TASK_STATUS),
        ]
    of = {row[REFERENCE]: number for rows in (before, after) for number, row in rows.orders.items()}
    found: list[tuple[int, int, Event]] = []  # chain, rank, event
    for number in orders:
        texts = _of_order(before.order(number), after.order(number))
        found += [(number, rank, Event(text, number)) for rank, text in texts]
    for task_id in tasks:
        old, row = before.task(task_id), after.task(task_id)
        order = order_in((row or old).payload) or of.get(task_id)  # type: ignore[union-attr]
        found += [(order or -task_id, rank, Event(text, order)) for rank, text in _of_task(old, row, now, holders)]
    ended = {chain for chain, rank, _ in found if rank >= END}
    found.sort(key=lambda one: (one[0] not in ended, abs(one[0]), one[1]))
    return [event for *_, event in found]


def _changed(before: dict[int, Raw], after: dict[int, Raw], count: int) -> list[int]:
    if after is before:
        return []
    oldest = min(after, default=0) if count > len(after) else 0
    gone = sorted(number for number in before.keys() - after.keys() if number > oldest)
    return differing(before, after) + gone


def _of_order(old: OrderRow | None, now: OrderRow | None) -> Iterator[tuple[int, str]]:
    """Rank and text of what happened to one order."""
    if now is None:
        if old is not None:
            yield 95, f"order {old.id} deleted"
        return
    if old is None:
        yield 0, f"order {now.id} created: {shorten(now.customer, LONGEST_NAME)}, {money(now.amount)}"
        old = now._replace(status="new", processing_task_id=None)
    if now.status != old.status:
        yield 70, f"order {now.id} {shorten(now.status, LONGEST_NAME)}"
    if now.processing_task_id != old.processing_task_id:
        if old.processing_task_id is not None:
            yield 80, f"order {now.id}: reference to task {old.processing_task_id} cleared"
        if now.processing_task_id is not None:
            yield 20, f"order {now.id} → task {now.processing_task_id}: reference set"


def _of_task(
    old: TaskRow | None, now: TaskRow | None, at: datetime, holders: Mapping[int, str]
) -> Iterator[tuple[int, str]]:
    """Rank and text of what happened to one task."""
    if now is None:
        if old is not None:
            yield 90, f"task {old.id} pruned" if old.status in ENDED else f"task {old.id} deleted"
        return
    if old is None:
        yield 10, f"task {now.id} enqueued ({shorten(now.type, LONGEST_NAME)})"
        old = now._replace(
            status="pending", attempt=0, lease_token=0, lease_expires_at=None, cancel_requested_at=None, error=None
        )
    yield from _of_lease(old, now, holders)
    ended_at_once = now.status == "cancelled" and now.lease_token == old.lease_token and old.status == "pending"
    if now.cancel_requested_at is not None and old.cancel_requested_at is None and not ended_at_once:
        yield 50, f"task {now.id} asked to stop"
    yield from _of_end(old, now, at)


def _of_lease(old: TaskRow, now: TaskRow, holders: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    if now.lease_token != old.lease_token:
        if old.status == "running":
            yield 30, f"task {now.id}: lease expired, lease token {old.lease_token} is stale now"
        by = f" by {holders[now.id]}" if now.id in holders else ""
        yield 31, f"task {now.id} claimed{by} as attempt {now.attempt}, lease token {now.lease_token}"
    elif now.status == old.status == "running" and now.lease_expires_at != old.lease_expires_at:
        yield 40, f"task {now.id} heartbeat: lease extended"


def _of_end(old: TaskRow, now: TaskRow, at: datetime) -> Iterator[tuple[int, str]]:
    error = shorten(now.error or "", LONGEST_ERROR)
    ran = old.status == "running" or now.lease_token != old.lease_token
    if now.status == "pending" and ran:
        left = seconds_until(old.lease_expires_at, at)
        if left is not None and left <= 0:  # if the lease had not expired, a worker has recorded a failure
            yield END, f"task {now.id}: lease expired, free for another attempt"
        else:
            yield END, f"task {now.id} will be retried: {error}"
    elif now.status != old.status and now.status in ENDED:
        word = "completed" if now.status == "succeeded" else now.status
        yield END, f"task {now.id} {word}: {error}" if now.status == "failed" else f"task {now.id} {word}"


def _counted(changed: list[int], what: str, after: dict[int, Raw], status: int) -> Iterator[Event]:
    """One event for many rows: how many have which status now."""
    became = Counter([after[number][status] if number in after else "gone" for number in changed])
    if became:
        words = ", ".join(f"{n:,} {s}" for s, n in became.items())
        yield Event(f"{len(changed):,} {what} changed at once: {words}")


KEPT = 1_000
Ways = dict[int, list[tuple[float, str]]]  # task -> seconds since 1970, status
Line = tuple[float, str, int | None]  # seconds since the start, what happened, the order that it is about


class Timeline:
    """The events so far. Used by the watcher; only note() may be called on any thread.

    ways: when each task reached each of its statuses, as far as the reads have shown.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start again, without events."""
        self._began = time.monotonic()
        self._notes: deque[tuple[float, Event]] = deque(maxlen=KEPT)
        self.lines: deque[Line] = deque(maxlen=KEPT)
        self._seen = False
        self.ways: Ways = {}
        self.latest_ways: Ways = {}  # those extended by the latest read

    def note(self, event: Event) -> None:
        """Add an event that no row shows. It appears with the next read."""
        self._notes.append((time.monotonic(), event))

    def look(self, before: Rows, after: Rows, holders: Mapping[int, str] = NOBODY) -> list[Line]:
        """The new lines: what the rows show, and what was noted meanwhile. Rows of the first read are not events."""
        now = time.monotonic()
        found: list[tuple[float, Event]] = []
        self.latest_ways = {}
        if after is not before:
            difference = Difference(before, after)
            if self._seen:
                found = [(now, event) for event in changes(difference, utc_now(), holders)]
            self._follow(difference)
        self._seen = True
        while self._notes:
            found.append(self._notes.popleft())
        new = [(round(at - self._began, 2), event.text, event.order) for at, event in found]
        self.lines.extend(new)
        return new

    def _follow(self, difference: Difference) -> None:
        for number in difference.tasks if len(difference.tasks) <= MANY else ():
            row, old = difference.after.task(number), difference.before.task(number)
            if row is None:
                self.ways.pop(number, None)
            elif old is None or (old.status, old.lease_token) != (row.status, row.lease_token):
                if row.lease_token and number not in self.ways and row.status in ENDED:
                    continue  # it ended before this panel started
                # A new list: the old one may be in a message that is being sent.
                way = self.ways[number] = [*self.ways.get(number, []), (round(time.time(), 2), row.status)]
                self.latest_ways[number] = way
        while len(self.ways) > KEPT:
            del self.ways[next(iter(self.ways))]
