"""Guesses before an experiment: kept, compared afterwards, never graded, never in the way.

`guess("03-a", choices=[1, 2])`, the experiment, `reveal("03-a", found.count)`. In a notebook there is a button for each
choice, and a pick cannot be changed; in a terminal the guess is the second argument. Once revealed, a guess is kept, so
that running the notebook again shows what you thought before you knew.

The explanation of an experiment is shown by `reveal` and is in no notebook: it is written in `authoring/`, and `taskref
build` copies it to `explanations.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .markdown import Note, text_of
from .progress import Entry, Progress

NOTHING = (None, ...)  # values that mean "no guess yet"
EXPLANATIONS = Path(__file__).with_name("explanations.json")


@dataclass(frozen=True)
class Question(Note):
    """The state of a guess; in a notebook with a button for each choice."""

    id: str = ""
    choices: tuple[Any, ...] = ()
    keep_for: str = ""
    picked: int | None = None  # the index of the kept answer

    def _ipython_display_(self) -> None:
        from IPython.display import display

        shown = {"text/plain": str(self), "text/html": self._repr_html_()}
        if self.choices:
            with suppress(ImportError):  # without ipywidgets, the text says how to answer
                shown = self.buttons()._repr_mimebundle_() | shown
        display(shown, raw=True)

    def buttons(self) -> Any:
        """The row of buttons; a click keeps the guess and locks the row."""
        from .buttons import choice_buttons

        note = (
            Note(self.heading, "Pick one; nobody grades it.") if self.picked is None else Note(self.heading, self.text)
        )
        return choice_buttons(self.id, self.choices, self.picked, self._pick, note)

    def _pick(self, choice: Any) -> Note:
        kept = guess(self.id, choice, choices=self.choices, keep_for=self.keep_for)
        return Note(kept.heading, kept.text)


def guess(id: str, value: Any = None, *, choices: Sequence[Any] = (), keep_for: str = "") -> Question:
    """Store a guess; None or `...` means that there is none yet.

    choices: the possible answers, listed if `value` is none of them. keep_for: the notebook that will reveal it.
    """

    def change(entry: Entry) -> None:
        if choices and "guess" in entry and entry["guess"] not in [plain(choice) for choice in choices]:
            entry.clear()  # it answered an earlier version of the question
        if value not in NOTHING and "answer" not in entry and not _wrong(value, choices):
            entry["guess"] = plain(value)

    entry = Progress().change("guesses", id, change)
    kept = [plain(choice) for choice in choices]
    picked = kept.index(entry["guess"]) if entry.get("guess", ...) in kept else None
    return Question(f"Guess {id}", _said(id, value, entry, choices, keep_for), id, tuple(choices), keep_for, picked)


def _said(id: str, value: Any, entry: Entry, choices: Sequence[Any], keep_for: str) -> str:
    possible = f" One of {', '.join(f'`{choice!r}`' for choice in choices)}." if choices else ""
    if value not in NOTHING and _wrong(value, choices):
        return f"`{value!r}` is not a possible answer.{possible}"
    if "guess" not in entry:
        return f"No guess yet. Write yours as the second argument and run the cell again; nobody grades it.{possible}"
    kept = f"Your guess: `{entry['guess']!r}`."
    if "answer" in entry and value not in NOTHING and plain(value) != entry["guess"]:
        return f"{kept} It was made before the experiment and stays; `{value!r}` was not kept."
    return f"{kept} Notebook {keep_for} comes back to it." if keep_for else kept


@dataclass(frozen=True)
class Revealed(Note):
    """The experiment's result beside the guess, and the explanation, which is folded if there is no guess."""

    explanation: str = ""
    guessed: bool = True

    def __str__(self) -> str:
        return "\n\n".join(part for part in (super().__str__(), text_of(self.explanation)) if part)

    __repr__ = __str__

    def _ipython_display_(self) -> None:
        """Do nothing: reveal() has already displayed it, wherever in the cell it was called."""

    def show(self) -> None:
        """Display it as Markdown, which JupyterLab renders; outside a notebook, print it."""
        from IPython.display import display

        parts = [f"**{self.heading}.** {self.text}"]
        if self.explanation:
            folded = f"<details><summary>Show the explanation</summary>\n\n{self.explanation}\n\n</details>"
            parts.append(self.explanation if self.guessed else folded)
        display({"text/markdown": "\n\n".join(parts), "text/plain": str(self)}, raw=True)


def reveal(id: str, answer: Any) -> Revealed:
    """Compare the guess with the experiment's answer, and explain; in a notebook it is displayed at once."""
    found = plain(answer)

    def change(entry: Entry) -> None:
        if "guess" in entry:  # otherwise a guess can still be made later
            entry["answer"] = found

    entry = Progress().change("guesses", id, change)
    note = Revealed(f"Guess {id}", _compared(entry, answer), explanation_of(id), "guess" in entry)
    if _in_ipython():
        note.show()
    return note


def _compared(entry: Entry, answer: Any) -> str:
    if "guess" not in entry:
        return f"The experiment says `{answer!r}`. You made no guess this time."
    if entry["guess"] == plain(answer):
        return f"✔ You guessed `{entry['guess']!r}`, and so it is."
    return f"≠ You guessed `{entry['guess']!r}`; the experiment says `{answer!r}`. What made the difference?"


def explanation_of(id: str) -> str:
    """The explanation of the experiment; empty if the notebook itself contains it."""
    return _explanations().get(id, "")


@cache
def _explanations() -> dict[str, str]:
    return json.loads(EXPLANATIONS.read_text(encoding="utf-8"))


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return bool(ipython and ipython.get_ipython())


def plain(value: Any) -> Any:
    """The value as JSON stores it; as text if JSON cannot store it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)


def _wrong(value: Any, choices: Sequence[Any]) -> bool:
    return bool(choices) and value not in choices
