"""The rows as HTML tables, for a notebook without a kernel: states as words and shapes, arrows as text.

Everything from the database is escaped. Not covered: reading the rows (`rows.py`), the live picture (`picture.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...approaches.classic import PAYMENT
from ...arguments import shorten
from ...models import LIVE
from .rows import Rows, TaskRow, order_in

SHAPES = {"new": "□", "paid": "✔", "pending": "○", "running": "▶", "succeeded": "✔", "failed": "✖", "cancelled": "⊘"}
STATIC_STYLE = f"<style>{Path(__file__).with_name('static.css').read_text(encoding='utf-8')}</style>"
LONGEST_TEXT = 200  # characters of a name, a payload or an error that are shown
# The CSS classes of columns: only those with text from users wrap.
KINDS = {
    "amount": "taskref-number",
    "customer": "taskref-text",
    "works on": "taskref-text",
    "error": "taskref-text taskref-error",
}
LONGEST_TABLE = 50  # rows: the table is saved in the notebook's file


def orders_table(rows: Rows, approach: str) -> str:
    """The orders; in the inverted approach each with an arrow to its task."""
    inverted, lines = approach == "inverted", []
    for order in rows.newest_orders(LONGEST_TABLE):
        target = order.processing_task_id
        arrow = ["" if target is None else _arrow(f"task {target}")] if inverted else []
        lines.append(
            [str(order.id), *arrow, _badge(order.status), _written(order.customer), shown(money(order.amount))]
        )
    # The arrow is next to the id: in a narrow window the other columns may be out of view.
    heads = ["order", *(["its task"] if inverted else []), "status", "customer", "amount"]
    return _table("Orders", heads, lines, rows.order_count)


def tasks_table(rows: Rows, approach: str) -> str:
    """The tasks; in the classic approach each with an arrow to its order."""
    classic, lines = approach == "classic", []
    for task in rows.newest_tasks(LONGEST_TABLE):
        status = _badge(task.status, more_of(task.status, task.attempt, task.cancel_requested_at))
        if not classic and is_orphan(task.id, task.type, task.status, rows):
            status += " " + _broken("no order points here")
        arrow = [_classic_arrow(task, rows)] if classic else []
        attempt, error = f"{task.attempt} of {task.max_attempts}", _written(task.error) if task.error else ""
        lines.append([str(task.id), *arrow, status, attempt, shown(task.type), error])
    heads = ["task", *(["works on"] if classic else []), "status", "attempt", "type", "error"]
    return _table("Tasks", heads, lines, rows.task_count)


def shown(value: Any) -> str:
    """Any value as escaped text of limited length."""
    return escape(shorten(str(value), LONGEST_TEXT))


def money(cents: Any) -> str:
    """An amount of cents as money; anything but a number is unchanged, because SQLite stores any value."""
    return f"{cents / 100:.2f}" if isinstance(cents, int | float) else str(cents)


def readable(payload: str | None) -> str:
    """A payload's text with its characters unescaped; text that is no JSON is unchanged."""
    if payload is None:
        return ""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload


def more_of(status: str, attempt: int, cancel_requested_at: Any) -> str:
    """What a task's status does not show: its attempt, a cancel request."""
    if status == "running" and cancel_requested_at is not None:
        return ", asked to stop"
    if status == "pending" and attempt:
        return ", will be tried again"
    return ""


def is_orphan(task_id: int, kind: str, status: str, rows: Rows) -> bool:
    """Whether it is a payment that can still run, but that no order references."""
    return kind == PAYMENT and status in LIVE and task_id not in rows.referenced


def _badge(status: str, more: str = "") -> str:
    """A state as a word and a shape, so that it does not depend on colour."""
    kind, shape = (status, SHAPES[status]) if status in SHAPES else ("other", "?")
    text = shown(f"{status}{more}")
    return f'<span class="taskref-badge taskref-{kind}"><span aria-hidden="true">{shape}</span> {text}</span>'


def _written(text: str) -> str:
    """Text from a user. <bdi>: a right-to-left mark in a name must not reverse the neighbouring columns."""
    return f"<bdi>{shown(text)}</bdi>"


def _classic_arrow(task: TaskRow, rows: Rows) -> str:
    order_id = order_in(task.payload)
    if order_id in rows.named:
        return _arrow(f"order {order_id}")
    text = shown(readable(task.payload))
    if task.type != PAYMENT:
        return text
    return _broken("names no order") + f" <code>{text}</code>"


def _arrow(text: str) -> str:
    return f'<span class="taskref-arrow"><span aria-hidden="true">→</span> {text}</span>'


def _broken(text: str) -> str:
    return f'<span class="taskref-broken"><span aria-hidden="true">⚠</span> {text}</span>'


def _table(caption: str, heads: Sequence[str], lines: list[list[str]], count: int) -> str:
    kinds = [f' class="{KINDS[head]}"' if head in KINDS else "" for head in heads]
    head = "".join(f'<th scope="col"{kind}>{name}</th>' for name, kind in zip(heads, kinds, strict=True))
    body = [_row(kinds, cells) for cells in lines] or [f'<tr><td colspan="{len(heads)}">none yet</td></tr>']
    cut = f" (the newest {len(lines)} of {count})" if count > len(lines) else ""
    return (
        f'<table class="taskref-table taskref-{caption.lower()}"><caption>{caption}{cut}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _row(kinds: Sequence[str], cells: list[str]) -> str:
    rest = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], cells[1:], strict=True))
    return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>'
