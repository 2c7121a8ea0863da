"""Captures every statement that reaches SQLite, as SQL that you can paste into a shell; with its query plan on request.

Not covered: statements inside triggers, which SQLite runs itself; connections opened elsewhere.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from sqlalchemy import Engine

from ..database.observed_connection import ObservedConnection
from ..database.sqlite_engine import observers_of
from .explorer.step_kinds import REFUSED, is_many

# Matches strings, names and comments, in which a question mark is not a parameter; or a parameter.
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|(\?\d*|[:@$]\w+)", re.DOTALL
)


@dataclass(frozen=True)
class Statement:
    """One statement: `sql` has the parameters filled in; `template` and `parameters` are what the driver got.

    plan: SQLite's query plan, line by line, if requested. error: SQLite's error, if it refused the statement.
    """

    sql: str
    template: str
    parameters: Any
    plan: tuple[str, ...] = ()
    error: str | None = None

    def __repr__(self) -> str:
        return "\n".join([self.sql, *self.notes()])

    def notes(self) -> list[str]:
        """Its plan and its error, line by line."""
        return [f"  | {line}" for line in self.plan] + ([f"  ! {self.error}"] if self.error else [])


class Statements(list[Statement]):
    """The statements of a capture, in the sequence in which they ran; shown as a table, in print and in a notebook."""

    def __repr__(self) -> str:
        lines = []
        for number, statement in enumerate(self, 1):
            lines.append(f"{number:>4}  {statement.sql}")
            lines += [f"    {line}" for line in statement.notes()]
        return "\n".join(lines) or "(no statement)"

    def _repr_html_(self) -> str:
        with_plan = any(statement.plan for statement in self)
        heads = ["#", "SQL", "plan"] if with_plan else ["#", "SQL"]
        header = "".join(f'<th scope="col" style="text-align:left">{head}</th>' for head in heads)
        rows = "".join(_row(number, statement, with_plan) for number, statement in enumerate(self, 1))
        return f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"


@contextmanager
def capture_sql(engine: Engine, *, plans: bool = False, all_threads: bool = False) -> Iterator[Statements]:
    """Collect the statements that reach SQLite during the block, BEGIN, COMMIT and ROLLBACK included.

    plans: also get SQLite's plan for each. all_threads: include statements of other threads than the caller's.
    Raises TypeError for an engine that cannot be observed.
    """
    statements = Statements()
    with observers_of(engine).attached(_Capture(statements, plans, None if all_threads else threading.get_ident())):
        yield statements


class _Capture:
    def __init__(self, statements: Statements, plans: bool, thread: int | None) -> None:
        self._statements = statements
        self._plans = plans
        self._thread = thread

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        if self._thread not in (None, threading.get_ident()):
            return run()
        plan = plan_of(connection, sql, parameters) if self._plans else ()
        text = filled_in(connection, sql, parameters)
        error = None
        try:
            return run()
        except sqlite3.Error as found:
            error = str(found)
            raise
        finally:
            self._statements.append(Statement(text, sql, parameters, plan, error))


def filled_in(connection: sqlite3.Connection, sql: str, parameters: Any) -> str:
    """`sql` with its parameters filled in, each as SQLite's own quote() writes it."""
    rows = parameters if is_many(parameters) else [parameters]
    named = isinstance(rows[0], Mapping)
    literals = [_quoted(connection, value) for value in (rows[0].values() if named else rows[0])]
    by_name = dict(zip(rows[0], literals, strict=True)) if named else {}
    places = iter(range(len(literals)))

    def literal(match: re.Match[str]) -> str:
        mark = match[1]
        if mark is None:
            return match[0]
        if mark[0] != "?":
            return by_name.get(mark[1:], mark)
        place = int(mark[1:]) - 1 if mark[1:] else next(places, len(literals))
        return literals[place] if place < len(literals) else mark

    more = f"  -- and {len(rows) - 1} more" if len(rows) > 1 else ""
    return _TOKEN.sub(literal, sql) + more


def _quoted(connection: sqlite3.Connection, value: Any) -> str:
    try:
        return sqlite3.Cursor(connection).execute("SELECT quote(?)", (value,)).fetchone()[0]
    except REFUSED:  # SQLite does not accept this value: the statement itself will fail
        return repr(value)


def plan_of(connection: sqlite3.Connection, sql: str, parameters: Any) -> tuple[str, ...]:
    """SQLite's query plan for `sql`, indented as a tree; empty if it has none. Observers do not see this query."""
    try:
        cursor = sqlite3.Cursor(connection)
        rows = cursor.execute("EXPLAIN QUERY PLAN " + sql, parameters[0] if is_many(parameters) else parameters)
        depth = {0: -1}
        lines = []
        for number, parent, _, detail in rows.fetchall():
            depth[number] = depth.get(parent, -1) + 1
            lines.append("  " * depth[number] + detail)
        return tuple(lines)
    except REFUSED:
        return ()


def _row(number: int, statement: Statement, with_plan: bool) -> str:
    error = f"<br><strong>refused:</strong> {escape(statement.error)}" if statement.error else ""
    # By default JupyterLab breaks a <pre> inside words, which makes a plan hard to read.
    style = "margin:0;white-space:pre-wrap;word-break:normal"
    text = escape(chr(10).join(statement.plan))
    plan = f"<td style='text-align:left'><pre style='{style}'>{text}</pre></td>" if with_plan else ""
    return (
        f"<tr><td>{number}</td><td style='text-align:left'><code>{escape(statement.sql)}</code>{error}</td>{plan}</tr>"
    )
