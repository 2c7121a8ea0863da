"""Guesses before an experiment: kept, compared afterwards, never graded, never in the way.

`guess("03-a", 2)`, the experiment, `reveal("03-a", found.count)`. Once revealed, a guess stays as it was, so that
running the notebook again shows what you thought before you knew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .markdown import Note
from .progress import Entry, Progress

NOTHING = (None, ...)  # what stands where no guess was made


def guess(id: str, value: Any = None, *, choices: Sequence[Any] = (), keep_for: str = "") -> Note:
    """Keep a guess; None or `...` means that there is none yet.

    choices: the possible answers, named if `value` is none of them. keep_for: the notebook that will reveal it.
    """

    def change(entry: Entry) -> None:
        if value not in NOTHING and "answer" not in entry and not _wrong(value, choices):
            entry["guess"] = plain(value)

    entry = Progress().change("guesses", id, change)
    return Note(f"Guess {id}", _said(id, value, entry, choices, keep_for))


def _said(id: str, value: Any, entry: Entry, choices: Sequence[Any], keep_for: str) -> str:
    possible = f" One of {', '.join(f'`{choice!r}`' for choice in choices)}." if choices else ""
    if value not in NOTHING and _wrong(value, choices):
        return f"`{value!r}` is not a possible answer.{possible}"
    if "guess" not in entry:
        return f"No guess yet. Write yours in place of `None` and run the cell again; nobody grades it.{possible}"
    kept = f"Your guess: `{entry['guess']!r}`."
    if "answer" in entry and value not in NOTHING and plain(value) != entry["guess"]:
        return f"{kept} It was made before the experiment and stays; `{value!r}` was not kept."
    return f"{kept} Notebook {keep_for} comes back to it." if keep_for else kept


def reveal(id: str, answer: Any) -> Note:
    """Compare the kept guess with the experiment's answer."""
    found = plain(answer)

    def change(entry: Entry) -> None:
        if "guess" in entry:  # without a guess, one can still be made
            entry["answer"] = found

    entry = Progress().change("guesses", id, change)
    if "guess" not in entry:
        return Note(f"Guess {id}", f"The experiment says `{answer!r}`. You made no guess this time.")
    if entry["guess"] == found:
        return Note(f"Guess {id}", f"✔ You guessed `{entry['guess']!r}`, and so it is.")
    return Note(
        f"Guess {id}",
        f"≠ You guessed `{entry['guess']!r}`; the experiment says `{answer!r}`. What made the difference?",
    )


def plain(value: Any) -> Any:
    """The value as JSON keeps it; what JSON cannot keep, as text."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)


def _wrong(value: Any, choices: Sequence[Any]) -> bool:
    return bool(choices) and value not in choices
