"""Which rows a step of a schedule changed, and which columns are worth showing.

Read next: `lanes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .trace import Trace, TraceStep
from .world import Rows

Row = dict[str, Any]
NEW, CHANGED, GONE, SAME = "+", "~", "-", " "


def changes(trace: Trace) -> Iterator[tuple[int, TraceStep, Rows, Rows]]:
    """Each step with the rows that it is compared with, which are those its own eyes saw last, and those after it."""
    committed = trace.start
    inside: dict[str, Rows] = {}  # by actor, while its transaction is open
    for number, step in enumerate(trace.steps, 1):
        if step.committed:
            inside.pop(step.actor, None)
            before, committed = committed, step.rows
        else:
            before, inside[step.actor] = inside.get(step.actor, committed), step.rows
        yield number, step, before, step.rows


def marked(before: list[Row], after: list[Row]) -> Iterator[tuple[str, Row]]:
    """The rows of one table, each with its mark: new, changed, gone or the same. Those that are gone come last."""
    known = {_key(row): row for row in before}
    for row in after:
        was = known.pop(_key(row), None)
        yield NEW if was is None else SAME if was == row else CHANGED, row
    for gone in known.values():
        yield GONE, gone


def columns(trace: Trace, table: str) -> list[str]:
    """The columns worth showing: the first; and the others unless they hold times, or one number throughout."""
    rows = [row for state in (trace.start, *(step.rows for step in trace.steps)) for row in state.get(table, [])]
    names = list(rows[0]) if rows else []
    return names[:1] + [name for name in names[1:] if name not in trace.times and _tells(row[name] for row in rows)]


def _key(row: Row) -> Any:
    return next(iter(row.values()), None)


def _tells(values: Iterable[Any]) -> bool:
    distinct = set(values)
    return len(distinct) > 1 or any(isinstance(value, str) for value in distinct)
