"""One schedule, written down: who ran which SQL, and the rows after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..sqltrace import filled_in
from .actor import Actor
from .database_snapshot import Rows
from .exploration import Exploration
from .outcome import DIES, Outcome
from .question import name_of
from .schedules import replay
from .wording import error_text, short_sql


@dataclass(frozen=True)
class TraceStep:
    """One step: the actor's letter, its SQL with the parameters filled in, and every table's rows after it.

    committed: whether others see these rows, too; if not, they are what the actor's own transaction sees.
    """

    actor: str
    sql: str
    error: str | None
    rows: Rows
    committed: bool

    def __repr__(self) -> str:
        error = f"\n  {self.actor} gets {self.error}" if self.error else ""
        return f"{self.actor}  {self.sql}{'' if self.committed else '   (not committed yet)'}{error}"


@dataclass(repr=False)
class Trace:
    """A schedule with the rows before it and after each step. Times differ from one replay to the next."""

    schedule: str
    names: dict[str, str]
    start: Rows = field(default_factory=dict)
    steps: list[TraceStep] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    times: frozenset[str] = frozenset()  # columns that hold times
    standing: dict[str, str] = field(default_factory=dict)  # what the actors do next, where steps are left
    waiting: dict[str, str] = field(default_factory=dict)  # those of them that have to wait, and for whom

    def __repr__(self) -> str:
        return lanes_as_text(self)

    def _repr_html_(self) -> str:
        return lanes_as_html(self)


def traced(
    exploration: Exploration,
    schedule: str,
    judge: Callable[[Outcome], tuple[str, ...]],
    *,
    recover: Callable[[], str | None] | None = None,
    unfinished: bool = False,
) -> Trace:
    """Run `schedule` once more and write down what happens. The judge is asked only if no step is left."""
    world = exploration.world
    names = {actor.letter: name_of(actor.function) for actor in exploration.actors}
    trace = Trace(schedule, names, times=frozenset(world.times()))
    world.restore()
    trace.start = world.rows()

    def on_step(actor: Actor, died: bool) -> None:
        step = actor.ran
        if died or step is None:
            trace.steps.append(TraceStep(actor.letter, DIES, None, world.rows(), True))
            return
        error = error_text(step.error) if step.error else None
        rows = world.rows() if step.rows is None else step.rows
        sql = filled_in(world.observer, step.sql, step.parameters)
        trace.steps.append(TraceStep(actor.letter, sql, error, rows, step.rows is None))

    outcome = replay(exploration, schedule, on_step, unfinished=unfinished)
    trace.standing, trace.waiting = outcome.standing, outcome.waiting
    trace.errors = {letter: error_text(error) for letter, error in outcome.errors.items()}
    if recover is not None:
        error = recover()
        trace.steps.append(TraceStep("", "recovery", error, world.rows(), True))
    if not outcome.standing:
        trace.broken = judge(outcome)
    outcome.forget()
    return trace


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
