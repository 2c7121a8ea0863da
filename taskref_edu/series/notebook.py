"""From a source to the JSON of a notebook: no outputs, the same bytes every time, stable ids.

A cell's id is its position: the heading above it, its kind, and its number below that heading. So an edit changes no
id, and a new cell changes only those after it in the same section. `:name:` and exercises give permanent ids.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..exercises.exercise import Exercise, find
from .minutes import minutes_of
from .source import Block, Source, headings

Cell = dict[str, Any]
CodeOf = Callable[[Exercise], str]  # returns the text for an exercise's cell


def stub_of(exercise: Exercise) -> str:
    """The text with which a learner starts."""
    return exercise.cell()


def solution_of(exercise: Exercise) -> str:
    """The text of a solved notebook."""
    return exercise.cell(exercise.solution)


def to_notebook(source: Source, code_of: CodeOf = stub_of) -> dict[str, Any]:
    """The notebook of a source; `code_of` provides the text of each exercise's cell."""
    identify = _Identities()
    cells = [_cell("markdown", first_cell(source), "title")]
    recalled = False
    for block in source.blocks:
        if block.kind == "exercise":
            cells += _exercise(find(block.head), code_of)
        elif block.kind == "recall":  # one cell shows all: which ones it asks depends on what the learner got wrong
            cells += [] if recalled else [_cell("code", RECALL.format(source.number), "recall")]
            recalled = True
        elif block.kind != "explain":  # reveal() shows explanations, so that no answer is visible below its question
            cells.append(_plain(block, identify))
    cells.append(_cell("code", PROGRESS.format(source.number), "progress"))
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


RECALL = 'from taskref_edu.exercises import recall\n\nrecall("{}")'
PROGRESS = 'from taskref_edu.exercises import progress\n\nprogress("{}")'
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def to_text(notebook: dict[str, Any]) -> str:
    """The notebook as text, with keys sorted and indented as JupyterLab saves them."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def first_cell(source: Source) -> str:
    """Title, question, minutes and objectives, from the front matter."""
    lines = [f"# {source.number} · {source.frame.get('title', source.name)}", ""]
    lines += [f"**{source.frame.get('question', '')}**", "", f"About {minutes_of(source)} minutes."]
    if source.objectives:
        lines += ["Afterwards you can:", "", *(f"- {_lower(text)}" for text in source.objectives.values())]
    return "\n".join(lines)


def _lower(text: str) -> str:
    """The objective as the end of "Afterwards you can:"."""
    return text[:1].lower() + text[1:]


def _plain(block: Block, identify: _Identities) -> Cell:
    if block.kind == "code":
        options = dict(block.options)
        name = options.pop("name", None)
        return _cell("code", block.text, identify.code(name), options)
    return _cell("markdown", block.text, identify.prose(block))


def _exercise(exercise: Exercise, code_of: CodeOf) -> list[Cell]:
    name = f"exercise-{exercise.id.replace('.', '-')}"
    star = " ★" if exercise.core else ""
    goal = f"### Exercise {exercise.id}{star} · {exercise.title}\n\n{exercise.goal.strip()}"
    # The stub's mark tells a later build whether a learner has edited this cell, even if the stub has changed since.
    mark = {"taskref": {"stub": mark_of(stub_of(exercise))}}
    return [_cell("markdown", goal, f"{name}-goal"), _cell("code", code_of(exercise), name, mark)]


def mark_of(text: str) -> str:
    """A short digest of a text, without white space at the ends of lines."""
    bare = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return hashlib.sha256(bare.encode()).hexdigest()[:12]


def _cell(kind: str, text: str, id: str, metadata: dict[str, Any] | None = None) -> Cell:
    cell: Cell = {"cell_type": kind, "id": id, "metadata": metadata or {}}
    cell["source"] = text.rstrip("\n").splitlines(keepends=True)
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    return cell


class _Identities:
    """Assigns each cell its id, from the top of the notebook down."""

    def __init__(self) -> None:
        self._section = "begin"
        self._used: Counter[str] = Counter()

    def prose(self, block: Block) -> str:
        found = [text for level, text, _ in headings(block) if level <= 2]
        if found:
            self._section = slug(found[-1])
        return self._next("text")

    def code(self, name: object) -> str:
        return slug(str(name)) if name else self._next("code")

    def _next(self, kind: str) -> str:
        stem = f"{self._section}-{kind}"
        self._used[stem] += 1
        return f"{stem}-{self._used[stem]}"


def slug(text: str) -> str:
    """The text as part of a cell's id: at most 40 letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].rstrip("-") or "section"
