"""The exercises from a terminal: what `taskref check` and `taskref reset` do to notebooks.

Each returns an exit code: 0 only if all that was attempted passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..clone import root
from . import commands
from . import notebook_files as files
from .exercise import UnknownExercise, find, names
from .notebook_files import Answered, BadNotebook
from .outcomes import Outcome, Verdict

Checked = tuple[list[Outcome], bool]  # the outcomes of one notebook, and whether some of it could not be read


def check(target: str | None) -> int:
    """Check an exercise by id, a notebook by path, or every notebook of the series; print how each ended."""
    if target in names():
        return _check_one(target)
    if target and not target.endswith(".ipynb"):
        raise UnknownExercise(f"{target!r} is neither an exercise ({', '.join(names())}) nor a notebook")
    paths = [Path(target)] if target else files.notebooks()
    if not paths:
        raise BadNotebook(f"no notebooks in {root() / 'notebooks'}: run this inside a clone of the repository")
    return _summed_up([_check_notebook(path, named=bool(target)) for path in paths])


def _check_one(id: str) -> int:
    problems = []
    for path in files.notebooks():
        try:
            found = files.answered(path)
        except BadNotebook as error:
            problems.append(str(error))
            continue
        if any(attempt.id == id for attempt in found.attempts):
            print(path.name)
            return _summed_up([([_show(outcome, whole=True) for outcome in _outcomes(found, only=id)], False)])
    raise BadNotebook("\n".join([f"no notebook in {root() / 'notebooks'} answers {id}", *problems]))


def _check_notebook(path: Path, named: bool) -> Checked:
    try:
        found = files.answered(path)
    except BadNotebook as error:
        if named:
            raise
        print(f"✘ {error}\n")
        return [], True
    if named and not found.attempts and not found.problems:
        raise BadNotebook(f"{path} answers no exercise: there is no cell with @exercise(…) in it")
    if found.attempts or found.problems:
        print(path.name)
    for problem in found.problems:
        print(f"✘ {problem}\n")
    return [_show(outcome) for outcome in _outcomes(found)], bool(found.problems)


def _outcomes(found: Answered, only: str | None = None) -> Iterator[Outcome]:
    for attempt in found.attempts:
        if only in (None, attempt.id):
            try:
                outcome = commands.check_and_keep(attempt)
            except UnknownExercise as error:
                outcome = unknown(attempt.id, error)
            yield replace(outcome, notes=[*found.notes.get(attempt.id, []), *outcome.notes])


def unknown(id: str, error: UnknownExercise) -> Outcome:
    """The outcome of a cell that names an exercise which does not exist."""
    return Outcome(id, "", Verdict.ERROR, f"{error}.", "Correct the id in the line `@exercise(…)`.")


def _show(outcome: Outcome, whole: bool = False) -> Outcome:
    """Print an outcome; among many, those that need no action get one line, so that the others stand out."""
    quiet = outcome.verdict in (Verdict.PASSED, Verdict.NOT_ATTEMPTED) and not outcome.notes and not whole
    print(outcome.headline if quiet else f"{outcome}\n")
    return outcome


def _summed_up(checked: Sequence[Checked]) -> int:
    outcomes = [outcome for notebook, _ in checked for outcome in notebook]
    counts = {verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in Verdict}
    print()
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "nothing to check")
    bad = any(unreadable for _, unreadable in checked)
    return int(bad or bool(counts[Verdict.FAILED] or counts[Verdict.ERROR]))


def reset(id: str) -> int:
    """Put the exercise's original text back into its notebook; the progress keeps the answer."""
    exercise = find(id)
    for path in files.notebooks():
        try:
            found = [attempt for attempt in files.answered(path).attempts if attempt.id == exercise.id]
        except BadNotebook:
            continue
        if found:
            commands.check_and_keep(found[0])  # stores the text that is about to be replaced
            files.replace_answer(path, exercise.id, exercise.cell())
            commands.forget(exercise)
            print(f"{path}: {id} is as it was given; reload the notebook if it is open. Your attempts are kept.")
            return 0
    raise BadNotebook(f"no notebook in {root() / 'notebooks'} answers {id}: `taskref build` writes them")
