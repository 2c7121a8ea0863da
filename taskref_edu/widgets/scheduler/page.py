"""A schedule that is played by hand, as HTML: where the actors stand, the rows now, how it ended, what was tried.

Whatever comes from the database, from SQL or from a name is shown as text. Every state is a word and a shape.
Read next: `lab/lanes.py`, which draws the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ...lab.explorer.database_snapshot import Rows
from ...lab.explorer.trace import CHANGED, GONE, NEW, Trace, changes, columns, marked
from ...lab.explorer.wording import counted, explained, short_sql

WORDS = {NEW: "new", CHANGED: "changed", GONE: "gone"}
LONGEST = 120  # characters of a value or a name that are shown
LISTED = 40  # as many tried schedules as are listed

# JupyterLab's own colours. States have middle tones of their own, as border and tint only: text keeps its contrast.
STYLE = """<style>
.taskref-scheduler { padding: 4px; overflow: visible; }
.taskref-scheduler > *, .taskref-scheduler .widget-html { max-width: 100%; }
.taskref-scheduler :is(.widget-html, .widget-html-content) { height: auto; line-height: 1.4; overflow: visible;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1); }
.taskref-scheduler .taskref-line { flex-flow: row wrap; align-items: center; gap: 2px 4px; overflow: visible; }
.taskref-scheduler .taskref-line > .widget-html { width: 4.5em; font-weight: 600; }
.taskref-scheduler button { width: auto; max-width: 100%; min-width: 5.5em; color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1, 13px); }
.taskref-scheduler.taskref-scheduler:focus-visible, .taskref-scheduler.taskref-scheduler :focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.taskref-said { min-height: 1.5em; margin: 4px 2px; padding: 3px 8px; line-height: 1.5; overflow-wrap: anywhere;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1); background: var(--jp-layout-color2);
  border-left: 3px solid var(--jp-brand-color1); }
.taskref-scheduler .taskref-parts { flex-flow: row wrap; align-items: flex-start; gap: 4px 24px; overflow: visible; }
.taskref-scheduler .taskref-scroll { overflow: auto; }
.taskref-scheduler .taskref-parts > .widget-html { flex: 1 1 28em; min-width: min(28em, 100%); max-height: 32em; }
</style>"""

# Sent with each copy: the live one and the static one.
PAGE_STYLE = """<style>
.taskref-page kbd { padding: 0 5px; border: 1px solid var(--jp-border-color1); border-radius: 3px;
  font-family: var(--jp-code-font-family); background: var(--jp-layout-color2); color: var(--jp-ui-font-color1); }
.taskref-page.taskref-page table { border-collapse: collapse; margin: 2px; table-layout: auto;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1); }
.taskref-page.taskref-page caption { text-align: left; font-weight: 600; padding: 4px 0 2px; caption-side: top; }
.taskref-page.taskref-page :is(th, td) { text-align: left; vertical-align: top; padding: 2px 8px; font-weight: 400;
  line-height: 1.4; white-space: normal; overflow-wrap: break-word; border-bottom: 1px solid var(--jp-border-color2); }
.taskref-page.taskref-page thead th { font-weight: 600; }
.taskref-page.taskref-page :is(code, pre) { font-size: 12px; line-height: 1.4; padding: 0; background: none;
  color: var(--jp-ui-font-color1); white-space: pre-wrap; word-break: normal; }
.taskref-page.taskref-page pre.taskref-test { padding: 6px; user-select: all; background: var(--jp-layout-color2); }
.taskref-turn { display: inline-block; padding: 0 6px; border: 1px solid var(--tone); border-radius: 8px;
  background: color-mix(in srgb, var(--tone) 16%, transparent); white-space: nowrap; --tone: #808790; }
.taskref-turn.taskref-ready { --tone: #2f7fd6; }
.taskref-turn.taskref-waits { --tone: #b9822b; border-style: dashed; }
.taskref-turn.taskref-error, .taskref-turn.taskref-breaks { border-width: 2px; }
.taskref-page :is(.taskref-error, .taskref-breaks) { --tone: #dd4b4b; }
.taskref-page .taskref-holds { --tone: #2c9a55; }
.taskref-page .taskref-standing code { overflow-wrap: anywhere; }
.taskref-verdict summary { margin: 4px 0; }
.taskref-verdict { margin: 6px 2px; padding: 4px 10px; border-left: 6px solid var(--tone);
  background: color-mix(in srgb, var(--tone) 14%, transparent); }
.taskref-page .taskref-verdict p { margin: 0; }
.taskref-tally { margin: 4px 2px; line-height: 2; }
</style>"""

# The static copy is what a notebook shows that is opened without its kernel: hidden beside its live scheduler, and
# for a moment while that is drawn.
STATIC_STYLE = """<style>
.taskref-scheduler-static { overflow: hidden; max-height: 0; animation: taskref-by-hand 0s 3s forwards; }
@keyframes taskref-by-hand { to { max-height: none; } }
.jp-OutputArea:has(.taskref-scheduler) .taskref-scheduler-static { display: none; }
.jp-OutputArea:has(.taskref-scheduler-static) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none; }
</style>"""


def standing_table(trace: Trace) -> str:
    """Where each actor stands: what it does next, or whom it waits for, or that it has ended."""
    lines = []
    for letter, name in trace.names.items():
        state, text = _standing(trace, letter)
        shown = f'<code title="{escape(text)}">{escape(short_sql(text, LONGEST))}</code>'
        lines.append([f"{letter} ({_short(name)})", state, shown if text else ""])
    return _table("Where they stand", ["actor", "state", "next"], lines)


def rows_tables(trace: Trace) -> str:
    """The rows of every table now, with a mark where the latest step changed one."""
    before, now, seen_by = trace.start, trace.start, ""
    if trace.steps:
        *_, (_, step, before, now) = changes(trace)
        seen_by = "" if step.committed else f", as {step.actor} sees it: not committed yet"
    return "".join(_rows_table(trace, table, before, now, f"{table}{seen_by}") for table in now)


def verdict(trace: Trace, test: str) -> str:
    """How the schedule ended, in words; nothing while it goes on. test: the pytest case of a break."""
    if trace.standing:
        return ""
    kind, shape, said = ("breaks", "✕", f"Broken: {'; '.join(trace.broken)}") if trace.broken else ("holds", "●", "")
    lines = [said or "Nothing is broken.", *(f"{letter} ended with {text}" for letter, text in trace.errors.items())]
    lines += explained(set(trace.errors.values()))
    text = "<br>".join(escape(line) for line in lines)
    kept = f"<summary>Keep {trace.schedule} as a test</summary><pre class='taskref-test'>{escape(test)}</pre>"
    return (
        f'<div class="taskref-verdict taskref-{kind}"><p><strong aria-hidden="true">{shape}</strong> {text}</p>'
        f"{f'<details>{kept}</details>' if trace.broken else ''}</div>"
    )


def tally(attempts: int, tried: Mapping[str, bool]) -> str:
    """How many schedules were played to their end, and which. tried: whether each breaks."""
    if not attempts:
        return '<div class="taskref-tally">No schedule played to its end yet.</div>'
    latest = list(tried.items())[: -LISTED - 1 : -1]
    chips = " ".join(_turn("breaks" if broken else "holds", f" {name}") for name, broken in latest)
    unlike = "1 schedule" if len(tried) == 1 else f"{len(tried)} different schedules"
    return (
        f'<div class="taskref-tally">{counted(attempts, "attempt")}, {unlike}, {sum(tried.values())} broken. '
        f"{chips}{' …' if len(tried) > LISTED else ''}</div>"
    )


_SHAPES = {"ready": "▶", "waits": "‖", "ended": "■", "error": "✖", "breaks": "✕", "holds": "●"}


def _turn(word: str, more: str = "") -> str:
    """A state: its shape for those who see no colour, its word for everybody."""
    text = f'<span aria-hidden="true">{_SHAPES[word]}</span> {word}{escape(more)}'
    return f'<span class="taskref-turn taskref-{word}">{text}</span>'


def _standing(trace: Trace, letter: str) -> tuple[str, str]:
    if letter in trace.standing:
        whom = trace.waiting.get(letter)
        return _turn("waits", f" for {whom}") if whom else _turn("ready"), trace.standing[letter]
    if letter in trace.errors:
        return _turn("error"), trace.errors[letter]
    return _turn("ended"), ""


def _rows_table(trace: Trace, table: str, before: Rows, now: Rows, caption: str) -> str:
    shown = columns(trace, table)
    lines = []
    for mark, row in marked(before.get(table, []), now[table]):
        word = f'<span aria-hidden="true">{mark}</span> {WORDS[mark]}' if mark in WORDS else ""
        lines.append([*(_short(row[name]) if row.get(name) is not None else "NULL" for name in shown), word])
    return _table(caption, [*shown, "latest step"], lines) if lines else _table(caption, ["rows"], [["none"]])


def _short(value: Any) -> str:
    text = str(value)
    return f"<bdi>{escape(text if len(text) <= LONGEST else text[:LONGEST] + '…')}</bdi>"


def _table(caption: str, heads: list[str], lines: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in lines)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
