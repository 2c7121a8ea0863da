"""Layout shared by the still and the text: statements broken into lines, notes in the lanes, changed rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...arguments import shorten
from .answers import Dependency
from .recording import LIVE, Change, Moment, Recording
from .short_sql import Clause

Piece = tuple[str, str]  # text, and its style: "kw", "table", or ""
INDENT = 2
LONGEST_CELL = 40  # characters


def wrapped(clauses: Sequence[Clause], width: int) -> list[list[Piece]]:
    """The statement in lines of at most `width` characters; they break between clauses first, then between words."""
    lines: list[list[Piece]] = [[]]
    for clause in clauses:
        pieces = [(clause.keyword, "kw"), *_words(clause)]
        pieces = [piece for piece in pieces if piece[0]]
        if lines[-1] and _length(lines[-1]) + 1 + sum(len(text) + 1 for text, _ in pieces) - 1 > width:
            lines.append([(" " * INDENT, "")])
        for text, style in pieces:
            if lines[-1] and lines[-1][-1][0].strip() and _length(lines[-1]) + 1 + len(text) > width:
                lines.append([(" " * 2 * INDENT, "")])
            space = " " if lines[-1] and lines[-1][-1][0].strip() else ""
            lines[-1].append((space + text, style))
    return lines


def _words(clause: Clause) -> list[Piece]:
    if clause.role == "table":
        table, _, rest = clause.text.partition(" ")
        return [(table, "table"), *((word, "") for word in rest.split())]
    return [(word, "") for word in clause.text.split(" ")]


def _length(line: list[Piece]) -> int:
    return sum(len(text) for text, _ in line)


def blocked(moments: Sequence[Moment], number: int, letter: str) -> str:
    """The actor whose lock this one, once it has begun, waits for during a step; "" if none."""
    waits = moments[number - 1].state.get("waits", {}).get(letter)
    began = any(moment.by == letter for moment in moments[1:number])
    return waits[0] if waits and began and moments[number].by != letter else ""


def notes(
    recording: Recording,
    moments: Sequence[Moment],
    found: Sequence[Dependency],
    now: dict[str, dict[str, dict[str, str]]],
) -> dict[tuple[int, str], tuple[str, str]]:
    """Notes in the gaps of a lane, by step and letter: `out of date: now 2`, `waits for B’s lock`."""
    notes: dict[tuple[int, str], tuple[str, str]] = {}
    for letter in recording.letters:
        waiting = ""
        for moment in moments[1:]:
            holder = blocked(moments, moment.number, letter)
            if holder and holder != waiting:
                notes[moment.number, letter] = (f"waits for {holder}’s lock", "quiet")
            waiting = holder
    news: dict[tuple[int, str], list[str]] = {}
    for dependency in found:
        if dependency.stale is not None and moments[dependency.stale].by != dependency.by:
            sql = str(moments[dependency.read].step["sql"])
            value = now.get(str(moments[dependency.stale].index), {}).get(dependency.by, {}).get(sql, "")
            news.setdefault((dependency.stale, dependency.by), []).append(value)
    for place, values in news.items():
        notes[place] = (f"out of date: now {', '.join(dict.fromkeys(filter(None, values)))}".rstrip(), "bad")
    return notes


def side_by_side(found: Sequence[Dependency]) -> dict[Dependency, float]:
    """Where at the edge of its lane each dependency runs, from 0 to 1; two at the same time never share a line."""
    slots: dict[Dependency, int] = {}
    ends: dict[str, list[int]] = {}  # by lane: for each slot, the step at which its latest dependency ends
    for dependency in found:
        mine = ends.setdefault(dependency.by, [])
        slots[dependency] = next((slot for slot, end in enumerate(mine) if end <= dependency.read), len(mine))
        mine[slots[dependency] : slots[dependency] + 1] = [dependency.act or dependency.read]
    return {dependency: (slot + 1) / (len(ends[dependency.by]) + 1) for dependency, slot in slots.items()}


def row_words(recording: Recording, change: Change, columns: Sequence[str]) -> str:
    """A change in words: `+ task 1: pending`, `~ order 7: processing_task_id NULL → 1`, `- task 2`."""
    name = recording.one(change.table, change.key)
    if change.now is None:
        return f"- {name}"
    if change.was is None:
        told = [cell(change.now[c]) for c in columns if c != recording.key(change.table) and change.now[c] is not None]
        return f"+ {name}{': ' if told else ''}{', '.join(told)}"
    names = [c for c in change.columns if c in columns] or change.columns
    return f"~ {name}: " + ", ".join(f"{c} {cell(change.was[c])} → {cell(change.now[c])}" for c in names)


def cell(value: Any) -> str:
    """A value as the text of a cell: NULL by name, on one line, of limited length."""
    return "NULL" if value is None else shorten(" ".join(str(value).split()), LONGEST_CELL)


def marks(recording: Recording, moment: Moment) -> dict[tuple[str, Any], str]:
    """Warnings by table and key: live tasks without a row, and references to rows that do not exist.

    A task whose payload names a row needs no reference to it.
    """
    rows, tables = recording.rows(moment.state["rows"]), recording.facts["tables"]
    found: dict[tuple[str, Any], str] = {}
    targets: dict[str, str] = {}
    pointed = set()
    for table, info in tables.items():
        for column, target in info.get("refs", {}).items():
            targets[target] = recording.one(table)
            for (_, key), row in ((at, row) for at, row in rows.items() if at[0] == table and row[column] is not None):
                pointed.add((target, row[column]))
                if (target, row[column]) not in rows:
                    found[table, key] = f"✕ dangling: {recording.one(target, row[column])} is gone"
    for at, row in rows.items():
        named = f'"{targets.get(at[0])}_id"' in str(row.get("payload"))
        if at[0] in targets and at not in pointed and not named and row.get("status") in LIVE:
            found[at] = f"◌ orphan: no {targets[at[0]]} points at it"
    return found
