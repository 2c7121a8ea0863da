"""One schedule as swim lanes: a column for each actor, and what the rows look like after each step.

As text for a terminal and a screen reader, and as an HTML table. Everything that comes from the database, from SQL
or from a name is escaped.

Read next: `schedule_map.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .changes import Row, changes, columns, marked
from .outcome import DIES
from .trace import Trace, TraceStep
from .wording import short_sql
from .world import Rows

# JupyterLab breaks the words of a <pre> anywhere; rows are read by their words.
PRE = "margin:0;background:none;white-space:pre-wrap;word-break:normal;overflow-wrap:break-word"
ROW = "display:block;padding-left:2ch;text-indent:-2ch"  # where a row takes two lines, its mark stands out
CELL = "text-align:left;vertical-align:top"


def lanes_as_text(trace: Trace) -> str:
    """The trace as lines: number, actor, SQL; below it the rows that the step changed."""
    lines = [f"{letter} = {name}" for letter, name in trace.names.items()]
    lines += ["", "at the start", *_row_lines(trace, {}, trace.start)]
    for number, step, before, after in changes(trace):
        lines += ["", f"{number:>3} {_indent(trace, step)}{what(step)}"]
        if step.error:
            lines.append(f"      {step.actor} gets {step.error}")
        lines += _row_lines(trace, before, after)
    lines += ["", *_ending(trace)]
    return "\n".join(lines)


def lanes_as_html(trace: Trace) -> str:
    """The trace as a table, and how it ended."""
    ending = "<br>".join(escape(line) for line in _ending(trace))
    return f"{lanes_table(trace)}<p>{ending}</p>"


def lanes_table(trace: Trace, *, rows_after: bool = True) -> str:
    """The trace as a table: a column for each actor, and one for the rows, if it is wanted."""
    heads = ["step", *(f"{letter} ({name})" for letter, name in trace.names.items())]
    heads += ["rows after it"] if rows_after else []
    header = "".join(f"<th scope='col' style='text-align:left'>{escape(head)}</th>" for head in heads)
    first = ("start", "".join("<td></td>" for _ in trace.names), _html_rows(trace, {}, trace.start))
    lines = [first, *((str(n), _lanes(trace, step), _html_rows(trace, *rows)) for n, step, *rows in changes(trace))]
    rows = [
        f"<tr><th scope='row' style='{CELL}'>{n}</th>{lanes}{after if rows_after else ''}</tr>"
        for n, lanes, after in lines
    ]
    caption = f"<caption style='text-align:left'>Schedule {escape(trace.schedule)}</caption>"
    return f"<table>{caption}<thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def what(step: TraceStep) -> str:
    """Who did what, short enough for a line."""
    if step.sql == DIES:
        return f"{step.actor} dies"
    name = step.actor or "then"
    return f"{name}  {short_sql(step.sql)}" + ("" if step.committed else "   (not committed yet)")


def _ending(trace: Trace) -> list[str]:
    errors = [f"{letter} ended with {error}" for letter, error in trace.errors.items()]
    if trace.standing:
        return errors + [_standing(trace, letter) for letter in trace.standing]
    return errors + ([f"BROKEN: {problem}" for problem in trace.broken] or ["Nothing is broken."])


def _standing(trace: Trace, letter: str) -> str:
    where = f"waits for {trace.waiting[letter]} with" if letter in trace.waiting else "stands before"
    return f"{letter} {where}: {short_sql(trace.standing[letter])}"


def _indent(trace: Trace, step: TraceStep) -> str:
    letters = list(trace.names)
    return " " * (4 * letters.index(step.actor) if step.actor in letters else 0)


def _row_lines(trace: Trace, before: Rows, after: Rows) -> list[str]:
    return [f"        {mark} {table:<8} {text}" for mark, table, text in _rows_changed(trace, before, after)]


def _rows_changed(trace: Trace, before: Rows, after: Rows) -> Iterator[tuple[str, str, str]]:
    """The rows of each table that changed, with their marks."""
    for table, rows in after.items():
        old = before.get(table, [])
        if rows != old:
            shown = columns(trace, table)
            yield from ((mark, table, _cells(row, shown)) for mark, row in marked(old, rows))


def _cells(row: Row, columns: list[str]) -> str:
    shown = (f"{name}={'NULL' if row[name] is None else row[name]}" for name in columns if name in row)
    return " ".join(shown)


def _lanes(trace: Trace, step: TraceStep) -> str:
    """A cell for each actor, with the step in its own."""
    text = f"<code title='{escape(step.sql)}'>{escape(what(step))}</code>"
    text += f"<br><strong>{escape(step.error)}</strong>" if step.error else ""
    if not step.actor:
        return f"<td colspan='{len(trace.names)}' style='{CELL}'>{text}</td>"
    return "".join(f"<td style='{CELL}'>{text if step.actor == letter else ''}</td>" for letter in trace.names)


def _html_rows(trace: Trace, before: Rows, after: Rows) -> str:
    changed = [f"{mark} {table} {text}" for mark, table, text in _rows_changed(trace, before, after)]
    lines = "".join(f"<span style='{ROW}'>{escape(line)}</span>" for line in changed)
    return f"<td style='{CELL}'><pre style='{PRE}'>{lines}</pre></td>"
