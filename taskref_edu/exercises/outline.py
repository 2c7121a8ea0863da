"""The outline of the series: its notebooks, and what each of them asks. `taskref build` writes `outline.json`.

A module of its own, because the map and the recall questions both read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import TaskrefError

OUTLINE = Path(__file__).with_name("outline.json")


class UnknownNotebook(TaskrefError):
    """No notebook of the series has this number."""


@dataclass(frozen=True)
class NotebookOutline:
    """One notebook. guesses, choices: each prediction's question and possible answers, by its id. recall: its two
    fixed questions with answers."""

    number: str
    name: str
    title: str
    question: str
    minutes: int
    exercises: Sequence[str]
    guesses: Mapping[str, str]
    choices: Mapping[str, Sequence[Any]]
    recall: Sequence[Mapping[str, str]]

    @property
    def file(self) -> str:
        """The file's name, as a sibling notebook links to it."""
        return f"{self.name}.ipynb"


@cache
def notebooks() -> list[NotebookOutline]:
    """The notebooks of the series, from the first to the last."""
    return [NotebookOutline(**one) for one in json.loads(OUTLINE.read_text(encoding="utf-8"))]


def position(number: str) -> int:
    """The place of a notebook in the series. Raises UnknownNotebook."""
    numbers = [one.number for one in notebooks()]
    if number not in numbers:
        raise UnknownNotebook(f"notebook {number!r} not found; there are {', '.join(numbers)}")
    return numbers.index(number)


def choices_of(id: str) -> tuple[Any, ...]:
    """The possible answers of a prediction; none if the series has no such prediction."""
    return next((tuple(one.choices[id]) for one in notebooks() if id in one.choices), ())
