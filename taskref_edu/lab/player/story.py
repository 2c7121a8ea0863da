"""One schedule as text, for `print` and pytest; and as a plain table, for pages without scripts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .answers import AnswerTexts, dependencies
from .layout import cell, marks, notes, row_words, wrapped
from .recording import Moment, RecordedRun, Recording
from .remedies import remedy
from .short_sql import one_line
from .why import why
from .words import columns, news

WIDTH = 100  # of the lanes of all actors together
HELPED = "What would have helped:"
ICONS = {"bad": "✕", "err": "▲", "good": "●"}


def headline(recording: Recording) -> str:
    """The verdict in one line: `34 of 36 interleavings break: 2 live payments for order 7`."""
    facts, alone = recording.facts, recording.crashes and len(recording.letters) == 1
    count, broken = facts["count"], facts.get("broken", 0)
    if count == 1 and len(recording.runs) == 1:
        run = recording.runs[0]
        said = {"bad": "breaks: ", "err": "ends with an error: ", "good": "holds"}[run.outcome]
        return f"This {'crash point' if alone else 'interleaving'} {said}{'; '.join(run.broken or run.errors)}"
    thing = ("crash point" if alone else "interleaving") + ("" if count == 1 else "s")
    of = f"of {'' if facts.get('complete', True) else 'at least '}{count:,} {thing}"
    if broken:
        problem = next((run.broken[0] for run in recording.runs if run.broken), "")
        return f"{broken:,} {of} {'breaks' if broken == 1 else 'break'}{': ' if problem else ''}{problem}"
    if errors := facts.get("errors", 0):
        error = next((run.errors[0] for run in recording.runs if run.errors), "")
        return f"0 {of} break; in {errors:,} someone gets “{bare_error(error[3:])}”"
    return f"0 {of} break"


def bare_error(error: str) -> str:
    """An error without its type and SQLite's name for it."""
    return re.sub(r"^\w+: | \(\w+\)$", "", error)


def story(recording: Recording, schedule: str, *, helped: bool = False) -> str:
    """One schedule: the reason for its end, its steps in lanes with what they returned, the rows after it, its end.

    helped: with the repair, if the schedule broke in a known way.
    """
    moments, run = recording.moments(schedule), recording.run(schedule)
    found = why(recording, run) if run else None
    lines = [f"{schedule or '(nothing yet)'}   {', '.join(f'{x} = {n}' for x, n in recording.facts['actors'].items())}"]
    lines += ["", str(found)] if found else []
    lines += ["", *_lanes(recording, moments), "", *_rows(recording, moments[-1])]
    lines += ["", *ending(run)] if run else []
    if helped and run and (text := remedy(found, run.outcome)):
        lines.append(f"{HELPED} {text}")
    return "\n".join(line.rstrip() for line in lines).replace("\u00a0", " ")


def ending(run: RecordedRun) -> list[str]:
    """How a schedule ended."""
    errors = [f"{ICONS['err']} {text[0]} ended with {text[3:]}" for text in run.errors]
    broken = [f"{ICONS['bad']} Broken: {problem}" for problem in run.broken]
    return errors + (broken or [f"{ICONS['good']} Nothing is broken."])


def _lanes(recording: Recording, moments: Sequence[Moment]) -> list[str]:
    width = WIDTH // len(recording.letters) - 2
    answers = AnswerTexts(recording)
    beside = notes(recording, moments, dependencies(recording, moments), news(recording, answers))
    lines = ["     " + "  ".join(letter.ljust(width) for letter in recording.letters)]
    for moment in moments[1:]:
        cells = {moment.by: _step(answers, moments, moment, width)}
        for letter in recording.letters:
            if letter != moment.by and (note := beside.get((moment.number, letter))):
                cells[letter] = [f"({note[0]})"]
        if not moment.by:
            lines += [f"{moment.number:>3}  {cells[''][0]}", *(f"     {line}" for line in cells[""][1:])]
            continue
        for place in range(max(map(len, cells.values()))):
            number = f"{moment.number:>3}" if place == 0 else "   "
            row = [(cells.get(letter, [])[place : place + 1] or [""])[0].ljust(width) for letter in recording.letters]
            lines.append(f"{number}  {'  '.join(row)}")
    return lines


def _step(answers: AnswerTexts, moments: Sequence[Moment], moment: Moment, width: int) -> list[str]:
    """A step in its lane: the statement, what it returned, the rows that it changed."""
    step, recording = moment.step, answers.recording
    changes = recording.changes(moments, moment.number)
    told = [f"  {row_words(recording, c, columns(recording, c.table))}" for c in changes]
    if not moment.by:
        return [f"then {recording.facts.get('recover') or 'recovery'} runs", *told]
    if step.get("dies"):
        return [
            "✕ killed here",
            "  " + ("its transaction is rolled back" if step.get("undone") else "no transaction open"),
        ]
    lines = ["".join(text for text, _ in line) for line in wrapped(recording.clauses(step), width)]
    answer = answers.of(step)
    if error := recording.refusal(moments, moment.number):
        return [*lines, f"  ✕ {error}"]
    lines += [f"  → {answer}"] if answer else []
    open_ = "" if moment.by not in moment.state.get("open", {}) else "  (not committed yet)"
    return lines + ([f"{line}{open_}" for line in told] if moment.kind == "write" else [])


def _rows(recording: Recording, moment: Moment) -> list[str]:
    wrong = marks(recording, moment)
    lines = ["the rows after it"]
    for (table, key), row in recording.rows(moment.state["rows"]).items():
        told = " ".join(f"{name}={cell(row[name])}" for name in columns(recording, table))
        mark = f"   {wrong[table, key]}" if (table, key) in wrong else ""
        lines.append(f"     {table:<8} {told}{mark}")
    return lines


def steps_table(recording: Recording, schedule: str) -> str:
    """The schedule as an HTML table without styles, for screen readers and code hosts."""
    moments, run, answers = recording.moments(schedule), recording.run(schedule), AnswerTexts(recording)
    heads = ("step", "actor", "statement", "what came back", "rows changed")
    rows = []
    for moment in moments[1:]:
        step = moment.step
        changes = [
            row_words(recording, c, columns(recording, c.table)) for c in recording.changes(moments, moment.number)
        ]
        what = "is killed" if step.get("dies") else one_line(recording.clauses(step))
        came = recording.refusal(moments, moment.number) or str(answers.of(step) or "")
        cells = (moment.by or "recovery", what, came, "; ".join(changes))
        rows.append(
            f'<tr><th scope="row">{moment.number}</th>{"".join(f"<td>{escape(text)}</td>" for text in cells)}</tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    end = f"<p>{'<br>'.join(escape(line) for line in ending(run))}</p>" if run else ""
    caption = f"<caption>Schedule {escape(schedule)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{end}"
