"""One schedule as swim lanes: a column for each actor, and what the rows look like after each step.

As text for a terminal and a screen reader, and as an HTML table. Everything that comes from the database, from SQL
or from a name is escaped.

Read next: `schedule_map.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from .stage import DIES
from .trace import Trace, TraceStep
from .wording import short_sql
from .world import Rows

Row = dict[str, Any]


def lanes_as_text(trace: Trace) -> str:
    """The trace as lines: number, actor, SQL; below it the rows that the step changed."""
    lines = [f"{letter} = {name}" for letter, name in trace.names.items()]
    lines += ["", "at the start", *_row_lines(trace, {}, trace.start)]
    for number, step, before, after in _changes(trace):
        lines += ["", f"{number:>3} {_indent(trace, step)}{_what(step)}"]
        if step.error:
            lines.append(f"      {step.actor} gets {step.error}")
        lines += _row_lines(trace, before, after)
    lines += ["", *_ending(trace)]
    return "\n".join(lines)


def lanes_as_html(trace: Trace) -> str:
    """The trace as a table: a column for each actor, one for the rows."""
    heads = ["step", *(f"{letter} ({name})" for letter, name in trace.names.items()), "rows after it"]
    header = "".join(f"<th scope='col' style='text-align:left'>{escape(head)}</th>" for head in heads)
    rows = [_html_row(trace, "", None, {}, trace.start)]
    rows += [_html_row(trace, str(number), step, before, after) for number, step, before, after in _changes(trace)]
    ending = "<br>".join(escape(line) for line in _ending(trace))
    caption = f"<caption style='text-align:left'>Schedule {escape(trace.schedule)}</caption>"
    return f"<table>{caption}<thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table><p>{ending}</p>"


def _changes(trace: Trace) -> Iterator[tuple[int, TraceStep, Rows, Rows]]:
    """Each step with the rows after it, and those that they are compared with: what its own eyes saw last."""
    committed = trace.start
    inside: dict[str, Rows] = {}  # by actor, while its transaction is open
    for number, step in enumerate(trace.steps, 1):
        if step.committed:
            inside.pop(step.actor, None)
            before, committed = committed, step.rows
        else:
            before, inside[step.actor] = inside.get(step.actor, committed), step.rows
        yield number, step, before, step.rows


def _ending(trace: Trace) -> list[str]:
    errors = [f"{letter} ended with {error}" for letter, error in trace.errors.items()]
    if trace.standing:
        return errors + [f"{letter} stands before: {short_sql(what)}" for letter, what in trace.standing.items()]
    return errors + ([f"BROKEN: {problem}" for problem in trace.broken] or ["Nothing is broken."])


def _what(step: TraceStep) -> str:
    if step.sql == DIES:
        return f"{step.actor} dies"
    name = step.actor or "then"
    return f"{name}  {short_sql(step.sql)}" + ("" if step.committed else "   (not committed yet)")


def _indent(trace: Trace, step: TraceStep) -> str:
    letters = list(trace.names)
    return " " * (4 * letters.index(step.actor) if step.actor in letters else 0)


def _row_lines(trace: Trace, before: Rows, after: Rows) -> list[str]:
    return [f"        {mark} {table:<8} {text}" for mark, table, text in _rows_changed(trace, before, after)]


def _rows_changed(trace: Trace, before: Rows, after: Rows) -> Iterator[tuple[str, str, str]]:
    """The rows of each table that changed: `+` is new, `~` changed, `-` gone."""
    for table, rows in after.items():
        old = before.get(table, [])
        if rows == old:
            continue
        columns = _columns(trace, table)
        known = {_key(row): row for row in old}
        for row in rows:
            was = known.pop(_key(row), None)
            mark = "+" if was is None else " " if was == row else "~"
            yield mark, table, _cells(row, columns)
        for gone in known.values():
            yield "-", table, _cells(gone, columns)


def _key(row: Row) -> Any:
    return next(iter(row.values()), None)


def _cells(row: Row, columns: list[str]) -> str:
    shown = (f"{name}={'NULL' if row[name] is None else row[name]}" for name in columns if name in row)
    return " ".join(shown)


def _columns(trace: Trace, table: str) -> list[str]:
    """The columns worth showing: the first; and the others unless they hold times, or one number throughout."""
    rows = [row for state in (trace.start, *(step.rows for step in trace.steps)) for row in state.get(table, [])]
    names = list(rows[0]) if rows else []
    return names[:1] + [name for name in names[1:] if name not in trace.times and _tells(row[name] for row in rows)]


def _tells(values: Iterator[Any]) -> bool:
    distinct = set(values)
    return len(distinct) > 1 or any(isinstance(value, str) for value in distinct)


def _html_row(trace: Trace, number: str, step: TraceStep | None, before: Rows, after: Rows) -> str:
    lanes = []
    for letter in trace.names:
        text = ""
        if step is not None and step.actor == letter:
            text = f"<code title='{escape(step.sql)}'>{escape(_what(step))}</code>"
            text += f"<br><strong>{escape(step.error)}</strong>" if step.error else ""
        lanes.append(f"<td style='text-align:left'>{text}</td>")
    if step is not None and not step.actor:
        lanes = [f"<td colspan='{len(trace.names)}' style='text-align:left'><code>{escape(_what(step))}</code></td>"]
    changed = [f"{mark} {table} {text}" for mark, table, text in _rows_changed(trace, before, after)]
    rows = f"<td style='text-align:left'><pre style='margin:0'>{escape(chr(10).join(changed))}</pre></td>"
    return f"<tr><th scope='row'>{number or 'start'}</th>{''.join(lanes)}{rows}</tr>"
