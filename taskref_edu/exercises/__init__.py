"""Exercises that check themselves: in a notebook when the cell runs, in a terminal by pytest or `taskref check`.

    from taskref_edu.exercises import exercise

    @exercise("1.1")
    def order_of(session, task): ...

Importing this inside IPython installs a check after each cell; elsewhere it installs nothing.
`check_answer(id, source)` checks an answer's text without a notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from . import notebook_hook
from .check import check_answer
from .commands import check, hint, mine, progress, reset, solution
from .predictions import guess, reveal
from .recall import recall

__all__ = [
    "check",
    "check_answer",
    "exercise",
    "guess",
    "hint",
    "mine",
    "progress",
    "recall",
    "reset",
    "reveal",
    "solution",
]

F = TypeVar("F", bound=Callable[..., Any])


def exercise(id: str) -> Callable[[F], F]:
    """Decorator: the function below answers exercise `id`. Returns the function unchanged."""
    if not isinstance(id, str):
        raise TypeError(f'{id!r} found, an id in quotes expected: write @exercise("1.1")')
    notebook_hook.note_use(id)

    def mark(function: F) -> F:
        return function

    return mark


notebook_hook.install()
