"""Two questions at the top of a notebook: what went wrong in the notebook before, or the two that its author chose.

Asked again are predictions that the experiment refuted, and exercises that took more than two tries. The answer to each
question is folded; nothing is graded or stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from .exercise import UnknownExercise, find
from .markdown import text_of
from .outcomes import Verdict
from .outline import NotebookOutline, notebooks, position
from .predictions import explanation_of
from .progress import Progress
from .series_map import state_of

ASKED = 2  # questions in a notebook
TRIES = 2  # an exercise that took more comes back


@dataclass(frozen=True)
class Item:
    """One question with its answer; why: the reason for asking it again."""

    question: str
    answer: str
    why: str = ""


@dataclass(frozen=True)
class Recall:
    """The questions of a notebook; displays itself with folded answers, in a terminal in full."""

    items: tuple[Item, ...]
    notes: Sequence[str] = ()  # what happened to the progress file

    def __str__(self) -> str:
        parts = [f"Note: {note}" for note in self.notes]
        parts += [f"Recall. {item.why}{item.question}\n{text_of(item.answer)}" for item in self.items]
        return "\n\n".join(parts) or "Nothing to recall."

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        parts = [f"**Note:** {note}" for note in self.notes]
        parts += [
            f"**Recall.** {escape(item.why, quote=False)}{item.question}"
            f"\n\n<details><summary>Answer</summary>\n\n{item.answer}\n\n</details>"
            for item in self.items
        ]
        return "\n\n".join(parts)


def recall(notebook: str) -> Recall:
    """The questions at the top of a notebook, such as "03". Raises UnknownNotebook."""
    place = position(notebook)
    kept = Progress()
    known = kept.read()
    again = _again(notebooks()[place - 1], known) if place else []
    fixed = [Item(one["question"], one["answer"]) for one in notebooks()[place].recall]
    return Recall(tuple([*again, *fixed][:ASKED]), kept.take_notes())


def _again(before: NotebookOutline, known: Mapping[str, Mapping[str, Any]]) -> list[Item]:
    """What went wrong: a prediction and an exercise by turns, so that many of one kind do not hide the other."""
    pairs = zip_longest(_missed(before, known), _hard(before, known))
    return [item for pair in pairs for item in pair if item]


def _link(before: NotebookOutline) -> str:
    return f"[{before.number} {before.title}]({before.file})"


def _missed(before: NotebookOutline, known: Mapping[str, Mapping[str, Any]]) -> Iterator[Item]:
    for id, question in before.guesses.items():
        entry = known["guesses"].get(id, {})
        if question and state_of(entry) == "missed":
            choices = ", ".join(f"`{choice}`" for choice in before.choices.get(id, ()))
            answer = f"`{entry['answer']}`. {explanation_of(id)}\n\n{_link(before)}"
            asked = f"{question} {f'({choices})' if choices else ''}".strip()
            yield Item(asked, answer, f"You guessed {entry['guess']!r} ({id}). Once more: ")


def _hard(before: NotebookOutline, known: Mapping[str, Mapping[str, Any]]) -> Iterator[Item]:
    for id in before.exercises:
        tries = tries_of(known["exercises"].get(id, {}))
        if tries > TRIES:
            try:
                exercise = find(id)
            except UnknownExercise:  # of an earlier version of the series
                continue
            question = f"How do you do this? {objective_of(exercise.goal)}"
            answer = f"{exercise.discussion.strip()}\n\n{_link(before)}"
            yield Item(question, answer, f"Exercise {id} took you {tries} tries. ")


def tries_of(entry: Mapping[str, Any]) -> int:
    """How many different answers were checked until one passed, that one included."""
    outcomes = [kept.get("outcome") for kept in entry.get("attempts", [])]
    outcomes = [outcome for outcome in outcomes if outcome != Verdict.NOT_ATTEMPTED]  # kept by Reset, never checked
    return outcomes.index(Verdict.PASSED) + 1 if Verdict.PASSED in outcomes else len(outcomes)


def objective_of(goal: str) -> str:
    """The first paragraph of an exercise's goal."""
    return goal.strip().partition("\n\n")[0].replace("\n", " ")
