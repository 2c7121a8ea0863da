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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..clone import running_ipython
from .guess_slips import refusal, stranger
from .markdown import Note, text_of
from .outline import choices_of
from .progress import Entry, Progress

NOTHING = (None, ...)  # values that mean "no guess yet"
EXPLANATIONS = Path(__file__).with_name("explanations.json")
_shown: set[str] = set()  # the experiments whose result this process has shown


@dataclass(frozen=True, repr=False)
class Question(Note):
    """The state of a guess; in a notebook with a button for each choice. refused: why a typed value was not kept."""

    id: str = ""
    choices: tuple[Any, ...] = ()
    keep_for: str = ""
    picked: int | None = None  # the index of the kept answer
    refused: str = ""

    __repr__ = Note.__str__

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

        text = self.text if self.picked is not None else f"{self.refused} Pick one; nobody grades it.".strip()
        return choice_buttons(self.id, self.choices, self.picked, self._pick, Note(self.heading, text))

    def _pick(self, choice: Any) -> tuple[int | None, Note]:
        """Keep the choice, unless one was picked meanwhile in another notebook; which one is kept, and what is said."""
        kept = guess(self.id, choices=self.choices, keep_for=self.keep_for)
        if kept.picked is None:
            kept = guess(self.id, choice, choices=self.choices, keep_for=self.keep_for)
        return kept.picked, Note(kept.heading, kept.text)


def guess(id: str, value: Any = None, *, choices: Sequence[Any] = (), keep_for: str = "") -> Question:
    """Store a guess; None or `...` means that there is none yet.

    choices: the possible answers, by default those that the series names; another value is refused with a sentence.
    keep_for: the notebook that will reveal it.
    """
    id, choices = str(id), tuple(choices) or choices_of(str(id))
    possible = [plain(choice) for choice in choices]
    found = None if value in NOTHING else plain(value)
    refused = refusal(value, choices) if found is not None and choices and found not in possible else ""

    def change(entry: Entry) -> None:
        if choices and "guess" in entry and entry["guess"] not in possible:
            entry.clear()  # it answered an earlier version of the question
        if found is not None and "answer" not in entry and not refused:
            entry["guess"] = possible[possible.index(found)] if choices else found  # 2, where 2.0 was typed

    kept = Progress()
    entry = kept.change("guesses", id, change)
    state = [] if refused and "guess" not in entry else _said(id, None if refused else found, entry, choices, keep_for)
    said = [refused, *state, stranger(id), *kept.take_notes()]
    picked = possible.index(entry["guess"]) if entry.get("guess", ...) in possible else None
    question = Question(f"Guess {id}", " ".join(filter(None, said)), id, choices, keep_for, picked, refused)
    if not _values_are_shown():
        print(question)
    return question


def _said(id: str, value: Any, entry: Entry, choices: Sequence[Any], keep_for: str) -> Iterator[str]:
    if "guess" not in entry:
        yield "No guess yet. Write yours as the second argument and run the cell again; nobody grades it."
        yield f"One of {', '.join(f'`{choice!r}`' for choice in choices)}." if choices else ""
        return
    yield f"Your guess: `{entry['guess']!r}`."
    if value not in (None, entry["guess"]) and "answer" in entry:
        yield f"It was made before the experiment and stays; `{value!r}` was not kept."
    elif keep_for:
        yield f"Notebook {keep_for} comes back to it."
    elif id in _shown and "answer" not in entry:
        yield f'The experiment has run already: run the cell with `reveal("{id}", …)` again to compare the two.'


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
            parts.append(self.explanation if self.guessed or not _somebody_is_there() else folded)
        display({"text/markdown": "\n\n".join(parts), "text/plain": str(self)}, raw=True)


def reveal(id: str, answer: Any) -> Revealed:
    """Compare the guess with the experiment's answer, and explain. It is shown at once, wherever it is called."""
    found = plain(answer)

    def change(entry: Entry) -> None:
        if "guess" in entry:  # otherwise a guess can still be made later
            entry["answer"] = found

    id = str(id)
    kept = Progress()
    entry = kept.change("guesses", id, change)
    _shown.add(id)
    said = " ".join(filter(None, [_compared(entry, answer), stranger(id), *kept.take_notes()]))
    note = Revealed(f"Guess {id}", said, explanation_of(id), "guess" in entry)
    if running_ipython():
        note.show()
    elif not _values_are_shown():
        print(note)
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


def _somebody_is_there() -> bool:
    """Whether the cell was run by a front end that takes input; nbclient and nbconvert do not."""
    kernel = getattr(running_ipython(), "kernel", None)
    return bool(kernel and kernel.get_parent("shell").get("content", {}).get("allow_stdin"))


def _values_are_shown() -> bool:
    """Whether the value of an expression is displayed: in IPython and at Python's prompt, but not in a script."""
    return bool(running_ipython()) or hasattr(sys, "ps1")


def plain(value: Any) -> Any:
    """The value as JSON stores it; as text if JSON cannot store it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)
