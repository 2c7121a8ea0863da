"""Notebooks on disk: finds the exercises that they answer, and replaces an answer.

An unusable file, or an exercise's cell that cannot be checked, leads to a sentence, never to a traceback.

Not covered: outputs.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clone import root
from ..errors import TaskrefError
from . import cell_parsing as cells
from .loader import Attempt, attempt_from, imports_of
from .progress import write_whole

EXERCISE_CELL = re.compile(r"exercise-(\d+)-(\d+)\Z")  # the id of a cell that `taskref build` created for an exercise


class BadNotebook(TaskrefError):
    """The file cannot be read as a notebook."""


@dataclass(frozen=True)
class Answered:
    """The exercises that a notebook answers, each once, from the top down; and notes about them.

    problems: cells that seem to answer an exercise without saying which.
    """

    attempts: Sequence[Attempt]
    notes: dict[str, list[str]]
    problems: Sequence[str] = ()


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook as JSON; raises BadNotebook with one line that says what to do."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors put a byte order mark before it
    except FileNotFoundError:
        raise BadNotebook(f"{path} not found: name a notebook, or an exercise such as 1.1") from None
    except OSError as error:
        raise BadNotebook(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        where = where if path.stat().st_size else "the file is empty"
        raise BadNotebook(
            f"{path} is not JSON ({where}): restore it from git or from .taskref/backup, or run `taskref build`"
        ) from None
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        raise BadNotebook(
            f"{path} is a notebook of format 3, from before 2015: open it in JupyterLab and save it there"
        )
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise BadNotebook(f"{path} is JSON, and not a notebook: it has no list of cells")
    if not all(isinstance(cell, dict) for cell in notebook["cells"]):
        raise BadNotebook(f"{path} has a cell that is not an object: restore it from git or from .taskref/backup")
    for cell in notebook["cells"]:  # some tools write null
        cell["metadata"] = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    return notebook


def source(cell: dict[str, Any]) -> str:
    """The text of a cell; a notebook keeps it as one string or as a list of lines."""
    text = cell.get("source")
    return "".join(map(str, text)) if isinstance(text, list) else text if isinstance(text, str) else ""


def code_cells(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The number (from 1, counting all kinds of cells) and the JSON of each code cell."""
    return [(number, cell) for number, cell in enumerate(notebook["cells"], 1) if cell.get("cell_type") == "code"]


def ids_meant(cell: dict[str, Any], text: str, imported: Sequence[ast.AST] = ()) -> list[str]:
    """The exercises that a cell answers or seems to answer: by its decorators, else by the id from the build."""
    meant = [*cells.ids_in(text, imported), *(stray.id for stray in cells.strays(text, imported) if stray.id)]
    given = EXERCISE_CELL.match(str(cell.get("id", "")))
    return list(dict.fromkeys(meant)) or ([f"{given[1]}.{given[2]}"] if given and text.strip() else [])


def answered(path: Path) -> Answered:
    """What the notebook answers; of two cells with one id the last counts, and a note says so."""
    numbered = code_cells(read_notebook(path))
    text_of = {number: source(cell) for number, cell in numbered}
    imported = imports_of(text_of.values())
    holding: dict[str, list[int]] = {}
    for number, cell in numbered:
        for id in ids_meant(cell, text_of[number], imported):
            holding.setdefault(id, []).append(number)
    attempts, notes = [], {}
    for id, numbers in holding.items():
        counts = [number for number in numbers if id in cells.ids_in(text_of[number], imported)] or numbers
        others = [text for number, text in text_of.items() if number != counts[-1]]
        attempts.append(attempt_from(id, text_of[counts[-1]], others, place=f"Cell {counts[-1]}"))
        if len(set(numbers)) > 1:
            listed = ", ".join(map(str, dict.fromkeys(numbers)))
            which = "the last one" if counts[-1] == numbers[-1] else f"cell {counts[-1]}"
            notes[id] = [f"The cells {listed} answer {id}; {which} counts."]
    nameless = [
        f"Cell {number} of {path.name}: {stray.why}"
        for number, text in text_of.items()
        for stray in cells.strays(text, imported)
        if stray.id is None and number not in {number for numbers in holding.values() for number in numbers}
    ]
    return Answered(attempts, notes, nameless)


def notebooks() -> list[Path]:
    """The notebooks of the series in this clone."""
    return sorted((root() / "notebooks").glob("*.ipynb"))


def replace_answer(path: Path, id: str, text: str) -> bool:
    """Put `text` into the last cell that answers the exercise, without outputs; return whether there is one."""
    notebook = read_notebook(path)
    numbered = code_cells(notebook)
    imported = imports_of(source(cell) for _, cell in numbered)
    holding = [cell for _, cell in numbered if id in ids_meant(cell, source(cell), imported)]
    if not holding:
        return False
    holding[-1].update(source=text.rstrip("\n").splitlines(keepends=True), outputs=[], execution_count=None)
    write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return True
