"""The tests in a notebook: one item for each exercise, `notebooks/01_two_arrows.ipynb::1.1`.

`pytest notebooks/01_two_arrows.ipynb -k 1.1` checks one. A stub is skipped, with the reason. The learner's progress is
not changed. `pytest_taskref_edu.py`, next to the package, decides which notebooks are collected, and imports this.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .cell_parsing import origins, parse
from .check import check_attempt
from .exercise import UnknownExercise
from .loader import Attempt
from .notebook_files import answered
from .outcomes import Verdict


def items_of(notebook: pytest.File) -> Iterator[ExerciseItem]:
    """An item for each exercise that the notebook answers. Raises BadNotebook."""
    found = answered(notebook.path)
    for attempt in found.attempts:
        if _is_ours(attempt):
            notes = found.notes.get(attempt.id, [])
            yield ExerciseItem.from_parent(notebook, name=attempt.id, attempt=attempt, notes=notes)


def _is_ours(attempt: Attempt) -> bool:
    """Whether its `@exercise` is our decorator, not another one of that name."""
    imported: dict[str, str] = {}
    for text in (*attempt.imports, attempt.source):
        try:
            imported |= origins(parse(text))
        except (SyntaxError, ValueError):
            continue
    if "exercise" in imported:
        return imported["exercise"].startswith("taskref_edu.")
    return "exercise" not in attempt.elsewhere


class NotPassed(Exception):
    """Carries the outcome from the run to the report, as its text."""


class ExerciseItem(pytest.Item):
    """One exercise of one notebook."""

    def __init__(self, *, attempt: Attempt, notes: list[str], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.attempt = attempt
        self.notes = notes

    def runtest(self) -> None:
        """Check the attempt; a stub is skipped."""
        outcome = check_attempt(self.attempt)
        for note in [*self.notes, *outcome.notes]:
            self.add_report_section("call", "exercise", note)
        if outcome.verdict == Verdict.NOT_ATTEMPTED:
            pytest.skip(f"{self.path.name}: {outcome.id} {outcome.title} is {outcome.verdict}")
        if outcome.verdict != Verdict.PASSED:
            raise NotPassed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The outcome as text; any other error is ours, and gets pytest's traceback."""
        if isinstance(excinfo.value, NotPassed | UnknownExercise):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The item's location in pytest's reports."""
        return self.path, None, f"exercise {self.name}"
