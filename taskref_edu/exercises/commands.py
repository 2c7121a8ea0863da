"""What a learner calls: check, hint, solution, reset, progress, mine. The terminal's commands call the same functions.

Each but `mine` returns an object that shows itself, in a notebook and in a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from ..clone import running_ipython
from .check import check_attempt, not_attempted
from .exercise import Exercise, find
from .loader import Attempt, load
from .markdown import Note, code_html, html_of, text_of
from .outcomes import Outcome, Verdict
from .progress import Progress
from .scoreboard import scoreboard
from .series_map import SeriesMap, SmallMap, series_map, small_map

KEPT = "Your attempts are kept."


def check(id: str) -> Outcome:
    """Check the last attempt at the exercise again, even if it was made in another kernel."""
    exercise = find(id)
    attempt = Progress().last_attempt(exercise.id)
    return check_and_keep(attempt) if attempt else not_attempted(exercise)


def check_and_keep(attempt: Attempt) -> Outcome:
    """Check an attempt and record it in the progress; problems with the progress file become notes."""
    outcome = check_attempt(attempt)
    kept = Progress()
    kept.record(attempt, outcome)
    return replace(outcome, notes=[*outcome.notes, *kept.take_notes()])


def hint(id: str) -> Note:
    """The next hint, below those that came before."""
    exercise = find(id)
    count = len(exercise.hints)

    def ask(entry: dict[str, Any]) -> None:
        entry["hints"] = min(entry.get("hints", 0) + 1, count)

    entry, notes = _changed(exercise, ask)
    number = entry["hints"]
    more = (
        f'`hint("{id}")` gives the next one.'
        if number < count
        else f'That was the last; `solution("{id}")` shows ours.'
    )
    given = [f"{place}. {text.strip()}" for place, text in enumerate(exercise.hints[:number], 1)]
    return Note(f"Hint {number} of {count} for {id} {exercise.title}", "\n\n".join([*given, more, *notes]))


def solution(id: str) -> Note:
    """Our solution and a discussion: at once after passing, otherwise at the second request."""
    exercise = find(id)

    def ask(entry: dict[str, Any]) -> None:
        entry["asked"] = entry.get("asked", 0) + 1

    entry, notes = _changed(exercise, ask)
    if "passed_at" not in entry and entry["asked"] < 2:
        return Note(
            f"The solution of {id} {exercise.title}",
            f'You have not passed it yet. `hint("{id}")` is the smaller step; ask again to see the solution. '
            + " ".join(notes),
        )
    kept = Progress().last_attempt(exercise.id)
    ours = exercise.cell(exercise.solution)
    heading = f"A solution of {id} {exercise.title}"
    return Solution(heading, exercise.discussion.strip(), ours.strip(), kept.source.strip() if kept else "")


@dataclass(frozen=True)
class Solution(Note):
    """Our code and the learner's, and below both the discussion."""

    ours: str = ""
    yours: str = ""

    def __str__(self) -> str:
        fences = [f"{name}:\n\n```python\n{code}\n```" for name, code in self._codes()]
        return "\n".join([self.heading, text_of("\n\n".join([*fences, self.text]))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        codes = "".join(code_html(code, name) for name, code in self._codes())
        grid = "display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr))"
        return (
            f'<div role="status"><b>{escape(self.heading)}</b><div style="{grid}">{codes}</div>'
            f"<div>{html_of(self.text)}</div></div>"
        )

    def _codes(self) -> list[tuple[str, str]]:
        return [("Ours", self.ours)] + ([("Yours", self.yours)] if self.yours else [])


def reset(id: str) -> Note:
    """Give the exercise's original text again, in a notebook as a new cell; the old attempts are kept."""
    exercise = find(id)
    stub = exercise.cell()
    notes = forget(exercise)
    if offer_cell(stub):
        said = "The original text is in a new cell below. Of two cells with the same id, the last one counts."
    else:
        said = "Paste this into its cell."
    kept = f"`taskref reset {id}` in a terminal puts it into the notebook itself. {' '.join(notes) or KEPT}"
    return Note(f"{id} {exercise.title}, as it was given", f"```python\n{stub.strip()}\n```\n\n{said} {kept}")


def forget(exercise: Exercise, text: str = "") -> list[str]:
    """Back to "not attempted", hints from the first; the attempts stay in the file, and so does this text.

    Returns what happened to the progress file, as sentences.
    """

    def start_again(entry: dict[str, Any]) -> None:
        keep_text(entry, exercise, text)
        for key in ("hints", "asked", "passed_at"):
            entry.pop(key, None)
        entry["outcome"] = str(Verdict.NOT_ATTEMPTED)

    return _changed(exercise, start_again)[1]


def _changed(exercise: Exercise, change: Callable[[dict[str, Any]], None]) -> tuple[dict[str, Any], list[str]]:
    """The exercise's entry after a change, and what happened to the progress file, as sentences."""
    kept = Progress()
    return kept.change("exercises", exercise.id, change), kept.take_notes()


def keep_text(entry: dict[str, Any], exercise: Exercise, text: str) -> None:
    """Keep what a learner wrote and never ran; the text of the latest attempt and the stub are known."""
    kept = entry.setdefault("attempts", [])
    if text.strip() not in ("", exercise.cell().strip(), kept[-1]["source"].strip() if kept else ""):
        kept.append({"outcome": str(Verdict.NOT_ATTEMPTED), "source": text, "imports": []})


def offer_cell(text: str) -> bool:
    """Put the text into a new cell below the running one; False outside a notebook."""
    shell = running_ipython()
    if shell is None:
        return False
    shell.set_next_input(text.rstrip("\n"), replace=False)
    return True


def progress(notebook: str = "") -> SeriesMap | SmallMap:
    """Where you stand: the map of the series, or of one notebook, such as "03", with the way on."""
    kept = Progress()
    known = kept.read()
    whole = series_map(scoreboard(known["exercises"], kept.take_notes()), known["guesses"])
    return small_map(whole, notebook) if notebook else whole


def mine(id: str) -> Callable[..., Any]:
    """The learner's function for the exercise, as last passed; ours until then. Prints which one it is.

    So an experiment in a later cell can build on an answer without depending on it.
    """
    exercise = find(id)
    if kept := Progress().last_attempt(exercise.id, Verdict.PASSED):
        print(f"{id} {exercise.title}: your own {exercise.function}()")
        return load(kept)
    print(f"{id} {exercise.title}: our {exercise.function}(); it is yours once you have passed the exercise")
    return load(Attempt(id, exercise.cell(exercise.solution)))
