"""Rows as HTML tables, for a notebook without its kernel: states as words and shapes, arrows as text.

Whatever comes from the database is shown as text. Not covered: where the rows come from (`rows.py`), the
live picture (`picture.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...approaches.classic import PAYMENT
from ...models import LIVE
from .rows import OrderRow, Rows, TaskRow, order_in

SHAPES = {
    "new": "□",
    "paid": "✔",
    "pending": "○",
    "running": "▶",
    "succeeded": "✔",
    "failed": "✖",
    "cancelled": "⊘",
}
STATIC_STYLE = f"<style>{Path(__file__).with_name('static.css').read_text(encoding='utf-8')}</style>"
LONGEST_TEXT = 200  # characters of a name, a payload or an error that are shown
LONGEST_TABLE = 50  # rows: the table is kept in the notebook's file


def orders_table(rows: Rows, approach: str) -> str:
    """The orders; in the inverted approach each with the arrow to its task."""
    # The arrow stands next to the number: the rest may be out of sight in a narrow window.
    arrow = ["its task"] if approach == "inverted" else []
    heads = ["order", *arrow, "status", "customer", "amount"]
    return _table(
        "Orders", heads, (_order(order, approach) for order in rows.newest_orders(LONGEST_TABLE)), rows.order_count
    )


def tasks_table(rows: Rows, approach: str) -> str:
    """The tasks; in the classic approach each with the arrow to its order."""
    arrow = ["works on"] if approach == "classic" else []
    heads = ["task", *arrow, "status", "attempt", "type", "error"]
    return _table(
        "Tasks", heads, (_task(task, rows, approach) for task in rows.newest_tasks(LONGEST_TABLE)), rows.task_count
    )


def badge(word: str, shape: str, more: str = "") -> str:
    """A state: its shape for those who see no colour, its word for everybody."""
    kind = word if word in SHAPES else "other"
    text = f"{word}{more}"
    return f'<span class="taskref-badge taskref-{kind}"><span aria-hidden="true">{shape}</span> {shown(text)}</span>'


def shown(value: Any) -> str:
    """Anything as harmless text of bounded length."""
    text = str(value)
    return escape(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…")


def money(cents: Any) -> str:
    """An amount as it is written; what is no number stays as it is, since SQLite takes anything."""
    return f"{cents / 100:.2f}" if isinstance(cents, int | float) else str(cents)


def readable(payload: str | None) -> str:
    """The text of a payload as somebody would write it; text that is no JSON as it is."""
    if payload is None:
        return ""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload


def more_of(status: str, attempt: int, cancel_requested_at: Any) -> str:
    """What a task's status does not say."""
    if status == "running" and cancel_requested_at is not None:
        return ", asked to stop"
    if status == "pending" and attempt:
        return ", will be tried again"
    return ""


def is_orphan(task_id: int, kind: str, status: str, rows: Rows) -> bool:
    """Whether it is a payment that can still run, at which no order points."""
    return kind == PAYMENT and status in LIVE and task_id not in rows.referenced


def _order(order: OrderRow, approach: str) -> list[str]:
    status = badge(order.status, SHAPES.get(order.status, "?"))
    # <bdi>: a name with a right-to-left mark must not turn round the columns beside it.
    cells = [status, f"<bdi>{shown(order.customer)}</bdi>", shown(money(order.amount))]
    if approach == "inverted":
        task_id = order.processing_task_id
        cells.insert(0, "" if task_id is None else _arrow(f"task {task_id}"))
    return [str(order.id), *cells]


def _task(task: TaskRow, rows: Rows, approach: str) -> list[str]:
    cells = [_task_status(task), f"{task.attempt} of {task.max_attempts}", shown(task.type)]
    cells.append(f"<bdi>{shown(task.error)}</bdi>" if task.error else "")
    if approach == "classic":
        cells.insert(0, _classic_arrow(task, rows))
    elif is_orphan(task.id, task.type, task.status, rows):
        cells[0] += " " + _broken("no order points here")
    return [str(task.id), *cells]


def _task_status(task: TaskRow) -> str:
    return badge(
        task.status, SHAPES.get(task.status, "?"), more_of(task.status, task.attempt, task.cancel_requested_at)
    )


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


def _table(caption: str, heads: Sequence[str], lines: Iterable[list[str]], count: int) -> str:
    body = [_row(heads, cells) for cells in lines]
    if not body:
        body = [f'<tr><td colspan="{len(heads)}">none yet</td></tr>']
    cut = f" (the newest {len(body)} of {count})" if count > len(body) else ""
    head = "".join(f'<th scope="col"{_kind(name)}>{name}</th>' for name in heads)
    return (
        f'<table class="taskref-table taskref-{caption.lower()}"><caption>{caption}{cut}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _row(heads: Sequence[str], cells: list[str]) -> str:
    first, *others = cells
    rest = "".join(f"<td{_kind(name)}>{cell}</td>" for name, cell in zip(heads[1:], others, strict=True))
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def _kind(head: str) -> str:
    """Only what somebody wrote may be broken across lines."""
    kind = {"amount": "number", "customer": "text", "works on": "text", "error": "text taskref-error"}.get(head)
    return f' class="taskref-{kind}"' if kind else ""
