"""The SQL lens: the statements of the latest click on one side, with the steps of SQLite's machine and its plans.

A click is captured on the panel's own engine, so no capture of the learner's sees it, and none is disturbed. Plans are
asked for when the lens is open, and by the watcher: while it is closed, a click costs its capture and nothing else.

Not covered: what the workers do (`capture_sql(engine, all_threads=True)` shows that); servers, which report no steps.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from typing import Any

from sqlalchemy import Engine

from ...database.observed_connection import Connection
from ...database.sqlite_engine import observers_of
from ...lab.cost import Meter
from ...lab.sqltrace import filled_in, plan_of
from ...queue.task_queue import TaskQueue
from .click_transactions import own_engine

# As in measure(): their steps are few, and not the same each time.
UNCOUNTED = ("BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
MOST = 60  # statements that are shown: a storm of clicks has hundreds


@dataclass
class Line:
    """One statement, and the steps that it took; `click` numbers the threads of a storm."""

    click: int
    sql: str
    parameters: Any
    steps: int = 0
    error: str | None = None


@dataclass
class SeenStatement:
    """A click: what it was called, its lines, and how many threads it had."""

    title: str = "no click yet"
    lines: list[Line] = field(default_factory=list)
    clicks: int = 1


class Lens:
    """Keeps the latest click in `seen`."""

    def __init__(self) -> None:
        self.seen = SeenStatement()

    @contextmanager
    def watching(self, title: str, engine: Engine) -> Iterator[None]:
        """Capture what the block does on `engine`, an engine that nobody else uses."""
        try:
            observers = observers_of(engine)
        except TypeError:
            yield
            return
        recorder = _Recorder()
        try:
            with observers.attached(recorder):
                yield
        finally:
            self.seen = SeenStatement(title, recorder.finished(), recorder.clicks)


class _Recorder:
    """Observes one click; each connection has a meter of its own."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._open: dict[Connection, tuple[Meter, ExitStack, list[tuple[Line, int]]]] = {}
        self._threads: dict[int, int] = {}

    @property
    def clicks(self) -> int:
        return len(self._threads)

    def around(self, connection: Connection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        if sql.startswith("PRAGMA"):  # SQLAlchemy asks every new engine something; it is no part of the click
            return run()
        click = self._threads.setdefault(threading.get_ident(), len(self._threads) + 1)
        line = Line(click, sql, parameters)
        self._lines.append(line)
        meter, _, started = self._open.get(connection) or self._met(connection)
        started.append((line, meter.steps))
        try:
            return meter.around(connection, sql, parameters, run)
        except sqlite3.Error as error:
            line.error = str(error)
            raise

    def finished(self) -> list[Line]:
        """The lines with their steps: what was counted from one statement's begin to the next one's."""
        for meter, counting, started in self._open.values():
            ends = [steps for _, steps in started[1:]] + [meter.steps]
            for (line, begin), end in zip(started, ends, strict=True):
                line.steps = 0 if line.sql in UNCOUNTED else end - begin
            with suppress(sqlite3.ProgrammingError):  # closed meanwhile
                counting.close()
        return self._lines

    def _met(self, connection: Connection) -> tuple[Meter, ExitStack, list[tuple[Line, int]]]:
        meter, counting = Meter(connection), ExitStack()
        counting.enter_context(meter.counting())
        self._open[connection] = meter, counting, []
        return self._open[connection]


def lens_html(name: str, seen: SeenStatement, queue: TaskQueue) -> str:
    """The click on the side of that name as a table. Asks SQLite for the plans."""
    title = f"{name.capitalize()}, {escape(seen.title)}"
    head = f"{title}: {_count(len(seen.lines), 'statement')}, {_steps(seen):,} VM steps"
    if not seen.lines:
        return f"<div>{title}: no statement seen</div>"
    with own_engine(queue) as engine:
        pooled = engine.raw_connection()
        try:
            rows = [_row(line, seen.clicks > 1, pooled.driver_connection) for line in seen.lines[:MOST]]
        finally:
            pooled.close()
    more = f"<div>… and {len(seen.lines) - MOST} more</div>" if len(seen.lines) > MOST else ""
    heads = [*(["click"] if seen.clicks > 1 else []), "SQL, and its plan", "steps"]
    header = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f"<div><strong>{head}</strong></div>"
        f'<table class="taskref-table taskref-lens"><thead><tr>{header}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{more}"
    )


def _row(line: Line, with_click: bool, connection: Any) -> str:
    sql = escape(" ".join(filled_in(connection, line.sql, line.parameters).split()))
    error = f"<br><strong>refused:</strong> {escape(line.error)}" if line.error else ""
    plan = escape("\n".join(plan_of(connection, line.sql, line.parameters)))
    below = f'<div class="taskref-lens-plan">{plan}</div>' if plan else ""
    cells = [*([str(line.click)] if with_click else []), f"<code>{sql}</code>{error}{below}"]
    tail = f'<td class="taskref-number">{f"{line.steps:,}" if line.steps else ""}</td>'
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}{tail}</tr>"


def _steps(seen: SeenStatement) -> int:
    return sum(line.steps for line in seen.lines)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
