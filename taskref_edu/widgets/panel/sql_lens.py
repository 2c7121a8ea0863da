"""The SQL lens: the statements of the latest click on one side, with the steps of SQLite's machine and its plans.

A click is captured on the panel's own engine, so the learner's own captures do not contain it. Query plans are fetched
by the watcher, and only while the lens is open; while it is closed, a click costs no more than its capture.

Not covered: what the workers do (`capture_sql(engine, all_threads=True)` shows that); servers, which report no steps.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

from sqlalchemy import Engine

from ...arguments import counted
from ...database.observed_connection import ObservedConnection
from ...database.sqlite_engine import observers_of
from ...lab.cost import Meter
from ...lab.sqltrace import filled_in, plan_of
from ...queue.task_queue import TaskQueue
from .click_transactions import own_engine

# As in measure(): their steps are few, and vary.
UNCOUNTED = ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
MOST = 60  # statements that are shown: a click storm has hundreds


@dataclass
class Line:
    """One statement, and the steps that it took; `click` numbers the threads of a storm."""

    click: int
    sql: str
    parameters: Any
    meter: Meter
    begin: int  # what its meter had counted before it
    steps: int = 0
    changed: int | None = None  # rows
    error: str | None = None


class SeenClick:
    """The statements of one click, which it observes. Each connection has a meter of its own."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.lines: list[Line] = []
        self.threads: dict[int, int] = {}  # numbered as they come
        self._meters: dict[ObservedConnection, Meter] = {}
        self._counting = ExitStack()

    @contextmanager
    def observing(self, engine: Engine) -> Iterator[None]:
        """Capture what the block does on `engine`, which only this click uses."""
        on_sqlite = engine.dialect.name == "sqlite"
        try:
            with observers_of(engine).attached(self) if on_sqlite else nullcontext():
                yield
        finally:
            self._add_steps()
            with suppress(sqlite3.ProgrammingError):  # a connection that was closed meanwhile
                self._counting.close()

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        if sql.startswith("PRAGMA"):  # sent by SQLAlchemy for a new engine, not by the click
            return run()
        click = self.threads.setdefault(threading.get_ident(), len(self.threads) + 1)
        if (meter := self._meters.get(connection)) is None:
            meter = self._meters[connection] = Meter(connection)
            self._counting.enter_context(meter.counting())
        line = Line(click, sql, parameters, meter, meter.steps)
        self.lines.append(line)
        try:
            result = meter.around(connection, sql, parameters, run)
            if sql.startswith(("INSERT", "UPDATE", "DELETE")):
                line.changed = getattr(result, "rowcount", None)
            return result
        except sqlite3.Error as error:
            line.error = str(error)
            raise

    def _add_steps(self) -> None:
        # Up to the connection's next statement: while rows are fetched, there are steps after execute() has returned.
        ends = {meter: meter.steps for meter in self._meters.values()}
        for line in reversed(self.lines):
            line.steps = 0 if line.sql in UNCOUNTED else ends[line.meter] - line.begin
            ends[line.meter] = line.begin


def lens_html(sides: Sequence[tuple[str, SeenClick, TaskQueue]]) -> str:
    """The latest click as a table: a column for each side, equal statements in the same row.

    Fetches the query plans from SQLite.
    """
    columns = [_cells(seen, queue) for _, seen, queue in sides]
    heads = "".join(f'<th scope="col">{_head(name, seen)}</th>' for name, seen, _ in sides)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in _level(columns))
    most = max((len(seen.lines) for _, seen, _ in sides), default=0)
    more = f"<p>… and {most - MOST} more</p>" if most > MOST else ""
    return f'<table class="taskref-lens"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}'


def _head(name: str, seen: SeenClick) -> str:
    steps = sum(line.steps for line in seen.lines)
    found = f"{counted(len(seen.lines), 'statement')}, {steps:,} VM steps" if seen.lines else "no statement seen"
    return f"{name.capitalize()}, {escape(seen.title)}: {found}"


LensCell = tuple[str, str]  # a statement's verb, and its HTML


def _level(columns: list[list[LensCell]]) -> Iterator[list[str]]:
    """The cells of each row; if one side has no statement with the verb of the other side's, its cell is empty."""
    if len(columns) == 1:
        yield from ([html] for _, html in columns[0])
        return
    left, right = columns
    verbs = [[verb for verb, _ in column] for column in columns]
    for same, a, b, c, d in SequenceMatcher(None, *verbs, autojunk=False).get_opcodes():
        if same == "equal":
            yield from ([one[1], other[1]] for one, other in zip(left[a:b], right[c:d], strict=True))
        else:
            yield from ([html, ""] for _, html in left[a:b])
            yield from (["", html] for _, html in right[c:d])


def _cells(seen: SeenClick, queue: TaskQueue) -> list[LensCell]:
    if not seen.lines:
        return []
    with own_engine(queue) as engine:
        pooled = engine.raw_connection()
        try:
            return [_cell(line, len(seen.threads) > 1, pooled.driver_connection) for line in seen.lines[:MOST]]
        finally:
            pooled.close()


def _cell(line: Line, with_click: bool, connection: Any) -> LensCell:
    sql = " ".join(filled_in(connection, line.sql, line.parameters).split())
    found = [f"click {line.click}"] if with_click else []
    if line.changed is not None:
        found.append(f"{counted(line.changed, 'row')} changed")
    if line.steps:
        found.append(counted(line.steps, "step"))
    found += [one.strip() for one in plan_of(connection, line.sql, line.parameters)]
    if line.error:
        found.append(f"refused: {line.error}")
    below = f'<div class="taskref-found">{escape(" · ".join(found))}</div>' if found else ""
    return sql.partition(" ")[0], f"<code>{_marked(sql)}</code>{below}"


def _marked(sql: str) -> str:
    """The statement as HTML; the WHERE of one that changes rows is its guard, and is highlighted."""
    head, where, guard = sql.partition(" WHERE ")
    if not where or sql.startswith("SELECT"):
        return escape(sql)
    return f"{escape(head)} <mark>WHERE {escape(guard)}</mark>"
