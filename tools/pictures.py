"""Draws the pictures of docs/pictures that come out of a real run: `make pictures`.

broken_schedule.svg: two clicks of the document's inverted snippet, in the breaking schedule with the fewest switches.
A picture more is a function more in PICTURES. Not covered: two_arrows.svg, which is drawn by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order, as_written, writing
from taskref_edu.lab import explore
from taskref_edu.lab.explorer.database_snapshot import Rows
from taskref_edu.lab.explorer.trace import NEW, SAME, Trace, changes, marked
from taskref_edu.lab.shop import live_payments

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH, TOP, ROW, LANES, ROWS_AT = 760, 78, 46, {"A": 30, "B": 274}, 524  # LANES: where each begins
STYLE = """
    .sheet { fill: #ffffff; stroke: #57606a; }
    .head { font-weight: 600; fill: #1f2328; }
    .text { fill: #1f2328; font-family: ui-monospace, monospace; font-size: 13px; }
    .quiet { fill: #57606a; }
    .lane { stroke: #57606a; stroke-dasharray: 2 4; }
    .A { fill: #fff1e5; stroke: #9a3412; } .B { fill: #e7efff; stroke: #1d4ed8; }
    .broken { fill: #a3161a; font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      .sheet { fill: #161b22; stroke: #8b949e; }
      .head, .text { fill: #e6edf3; }
      .quiet { fill: #9da7b1; } .lane { stroke: #8b949e; }
      .A { fill: #3a2416; stroke: #fdba74; } .B { fill: #172644; stroke: #93c5fd; }
      .broken { fill: #ff9c95; }
    }
  """


def one_order(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ann", amount=2500))


def click(engine: Engine) -> None:
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))


def one_payment(session: Session) -> list[str]:
    live = live_payments(session)
    return [] if len(live) == 1 else [f"{len(live)} live payments for one order"]


def broken_schedule() -> str:
    """The lanes of the shortest break, as SVG. Of a transaction, only what it read or wrote is shown."""
    found = explore([click, click], setup=one_order, invariant=one_payment, schema="as_written")
    assert found.trace is not None
    steps = list(_steps(found.trace))
    height = TOP + ROW * len(steps) + 62
    broken = escape("; ".join(found.trace.broken))
    count = f"BEGIN and COMMIT are steps, too. {len(found.broken)} of {found.count} schedules end like this."
    words = "; ".join(f"{letter} {text}{f' ({after})' if after else ''}" for letter, text, after in steps)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc"'
        ' font-family="system-ui, sans-serif" font-size="15">',
        '<title id="title">Two clicks on one order, in a schedule that breaks</title>',
        f'<desc id="desc">In turn: {escape(words)}. Broken: {broken}.</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="sheet" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>',
        *(f'<text class="head" x="{x}" y="34">click {letter}</text>' for letter, x in LANES.items()),
        f'<text class="head" x="{ROWS_AT}" y="34">the rows afterwards</text>',
        '<text class="quiet" x="30" y="54" font-size="13">each box is a transaction</text>',
        *(f'<path class="lane" d="M {x + 14} {TOP - 12} V {height - 60}"/>' for x in LANES.values()),
        *(part for place, step in enumerate(steps) for part in _box(TOP + ROW * place, *step)),
        f'<text class="broken" x="30" y="{height - 34}">✕ Broken: {broken}</text>',
        f'<text class="quiet" x="30" y="{height - 13}" font-size="13">{found.shortest}: {count}</text>',
    ]
    return "\n  ".join(parts) + "\n</svg>\n"


def _steps(trace: Trace) -> Iterator[tuple[str, str, str]]:
    """Who did what, in a few words, and which rows were different afterwards."""
    for _, step, before, after in changes(trace):
        if step.sql.startswith(("BEGIN", "COMMIT")):
            continue
        told = [
            _row(table, row, mark)
            for table, rows in after.items()
            for mark, row in marked(before.get(table, []), rows)
            if mark != SAME
        ]
        yield step.actor, _short(step.sql, before), ", ".join(told)


def _row(table: str, row: dict, mark: str) -> str:
    if table == "orders":
        return f"order {row['id']} → task {row['processing_task_id']}"
    return f"{'+ ' if mark == NEW else ''}task {row['id']}, {row['status']}"


def _short(sql: str, before: Rows) -> str:
    if sql.startswith("SELECT"):
        task = before["orders"][0]["processing_task_id"]
        return "looks: no task yet" if task is None else f"looks: task {task}"
    if match := re.match(r"UPDATE orders SET processing_task_id=(\d+)", sql):
        return f"references task {match[1]}"
    return "enqueues a task"


def _box(y: int, letter: str, text: str, after: str) -> Iterator[str]:
    x = LANES[letter]
    yield f'<rect class="{letter}" x="{x}" y="{y}" width="226" height="32" rx="6"/>'
    yield f'<text class="text" x="{x + 12}" y="{y + 21}">{letter} {escape(text)}</text>'
    yield f'<text class="text" x="{ROWS_AT}" y="{y + 21}">{escape(after)}</text>'


PICTURES: dict[str, Callable[[], str]] = {"broken_schedule.svg": broken_schedule}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
        print(FOLDER / name)
