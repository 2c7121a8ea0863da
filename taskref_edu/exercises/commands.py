"""What a learner calls: check, hint, solution, reset, progress, mine. The terminal's commands call the same functions.

Each but `mine` returns an object that shows itself, in a notebook and in a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .check import check_attempt, not_attempted
from .exercise import Exercise, find
from .loader import Attempt, load
from .markdown import Note
from .outcomes import Outcome, Verdict
from .progress import Progress
from .scoreboard import scoreboard
from .series_map import SeriesMap, SmallMap, series_map, small_map


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
    """The next hint; after the last one, always the last."""
    exercise = find(id)
    count = len(exercise.hints)

    def ask(entry: dict[str, Any]) -> None:
        entry["hints"] = min(entry.get("hints", 0) + 1, count)

    number = Progress().change("exercises", exercise.id, ask)["hints"]
    more = (
        f'`hint("{id}")` gives the next one.'
        if number < count
        else f'That was the last; `solution("{id}")` shows ours.'
    )
    return Note(f"Hint {number} of {count} for {id} {exercise.title}", f"{exercise.hints[number - 1]}\n\n{more}")


def solution(id: str) -> Note:
    """Our solution and a discussion: at once after passing, otherwise at the second request."""
    exercise = find(id)

    def ask(entry: dict[str, Any]) -> None:
        entry["asked"] = entry.get("asked", 0) + 1

    entry = Progress().change("exercises", exercise.id, ask)
    if "passed_at" not in entry and entry["asked"] < 2:
        return Note(
            f"The solution of {id} {exercise.title}",
            f'You have not passed it yet. `hint("{id}")` is the smaller step; ask again to see the solution.',
        )
    text = f"```python\n{exercise.cell(exercise.solution).strip()}\n```\n\n{exercise.discussion.strip()}"
    return Note(f"A solution of {id} {exercise.title}", text)


def reset(id: str) -> Note:
    """Give the exercise's original text again, in a notebook as a new cell; the old attempts are kept."""
    exercise = find(id)
    stub = exercise.cell()
    forget(exercise)
    if offer_cell(stub):
        said = "The first text stands in a new cell below. Of two cells with one id the last counts."
    else:
        said = "Paste this into its cell."
    kept = f"`taskref reset {id}` in a terminal puts it into the notebook itself. Your attempts are kept."
    return Note(f"{id} {exercise.title}, as it was given", f"```python\n{stub.strip()}\n```\n\n{said} {kept}")


def forget(exercise: Exercise) -> None:
    """Reset to "not attempted", with hints from the first; the attempts stay in the file."""

    def start_again(entry: dict[str, Any]) -> None:
        for key in ("hints", "asked", "passed_at"):
            entry.pop(key, None)
        entry["outcome"] = str(Verdict.NOT_ATTEMPTED)

    Progress().change("exercises", exercise.id, start_again)


def offer_cell(text: str) -> bool:
    """Put the text into a new cell below the running one; False outside a notebook."""
    shell = _shell()
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
    kept = [one for one in Progress().exercise(exercise.id).get("attempts", []) if one["outcome"] == Verdict.PASSED]
    if kept:
        print(f"{id} {exercise.title}: your own {exercise.function}()")
        return load(Attempt(id, kept[-1]["source"], tuple(kept[-1].get("imports", ())))).function
    print(f"{id} {exercise.title}: our {exercise.function}(); it is yours once you have passed the exercise")
    return load(Attempt(id, exercise.cell(exercise.solution))).function


def _shell() -> Any:
    """The running IPython, if any; this must not import it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
