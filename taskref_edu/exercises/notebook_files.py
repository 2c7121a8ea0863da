"""Notebooks on disk: which exercises they answer, and one answer put in another's place.

Not covered: outputs and everything else of a notebook; a wrong file is a sentence, never a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clone import root
from ..errors import TaskrefError
from . import cell_parsing as cells
from .loader import Attempt, attempt_from
from .progress import write_whole


class BadNotebook(TaskrefError):
    """The file is not a notebook that can be read."""


@dataclass(frozen=True)
class Answered:
    """The exercises that a notebook answers, each once, in the order of its cells; and what had to be said."""

    attempts: Sequence[Attempt]
    notes: dict[str, list[str]]


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook as JSON; raises BadNotebook with one line that says what to do."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadNotebook(f"{path} not found: name a notebook, or an exercise such as 1.1") from None
    except OSError as error:
        raise BadNotebook(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise BadNotebook(
            f"{path} is not JSON ({where}): restore it from git or from .taskref/backup, or run `taskref build`"
        ) from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise BadNotebook(f"{path} is JSON, and not a notebook: it has no list of cells")
    if not all(isinstance(cell, dict) for cell in notebook["cells"]):
        raise BadNotebook(f"{path} has a cell that is not an object: restore it from git or from .taskref/backup")
    return notebook


def source(cell: dict[str, Any]) -> str:
    """The text of a cell; a notebook keeps it as one string or as a list of lines."""
    text = cell.get("source", "")
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def code_cells(notebook: dict[str, Any]) -> list[tuple[int, str]]:
    """Number (from 1, all kinds of cells counted) and text of each code cell."""
    numbered = enumerate(notebook["cells"], 1)
    return [(number, source(cell)) for number, cell in numbered if cell.get("cell_type") == "code"]


def answered(path: Path) -> Answered:
    """What the notebook answers; of two cells with one id the last counts, and a note says so."""
    return answered_in(code_cells(read_notebook(path)))


def answered_in(numbered: Sequence[tuple[int, str]]) -> Answered:
    """The same for cells that are at hand."""
    holding: dict[str, list[int]] = {}
    for number, text in numbered:
        for id in cells.ids_in(text):
            holding.setdefault(id, []).append(number)
    text_of = dict(numbered)
    attempts, notes = [], {}
    for id, numbers in holding.items():
        others = [text for number, text in numbered if number != numbers[-1]]
        attempts.append(attempt_from(id, text_of[numbers[-1]], others, place=f"Cell {numbers[-1]}"))
        if len(set(numbers)) > 1:
            listed = ", ".join(map(str, dict.fromkeys(numbers)))
            notes[id] = [f"The cells {listed} answer {id}; the last one counts."]
    return Answered(attempts, notes)


def notebooks() -> list[Path]:
    """The notebooks of the series in this clone."""
    return sorted((root() / "notebooks").glob("*.ipynb"))


def replace_answer(path: Path, id: str, text: str) -> bool:
    """Put `text` into the last cell that answers the exercise, without outputs; whether there was one."""
    notebook = read_notebook(path)
    holding = [
        cell for cell in notebook["cells"] if cell.get("cell_type") == "code" and id in cells.ids_in(source(cell))
    ]
    if not holding:
        return False
    holding[-1].update(source=text.rstrip("\n").splitlines(keepends=True), outputs=[], execution_count=None)
    write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return True
