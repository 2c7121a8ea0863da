"""pytest collects notebooks: one item for each exercise, `notebooks/01_two_arrows.ipynb::1.1`.

`pytest notebooks/01_two_arrows.ipynb -k 1.1` checks one. A stub is skipped, with the reason. Notebooks without an
exercise are not collected. The learner's progress is not touched. Everything heavy is imported when a notebook is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .loader import Attempt
    from .outcomes import Outcome


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a notebook that mentions an exercise, be it broken or not."""
    if file_path.suffix != ".ipynb":
        return None
    from .notebook_files import mentions_exercise

    if not mentions_exercise(file_path):
        return None
    return NotebookFile.from_parent(parent, path=file_path)


class NotebookFile(pytest.File):
    """One notebook."""

    def collect(self) -> Iterator[ExerciseItem]:
        """An item for each exercise that it answers."""
        from .notebook_files import BadNotebook, answered

        try:
            found = answered(self.path)
        except BadNotebook as error:
            raise self.CollectError(str(error)) from None
        for attempt in found.attempts:
            yield ExerciseItem.from_parent(
                self, name=attempt.id, attempt=attempt, notes=found.notes.get(attempt.id, [])
            )


class NotPassed(Exception):
    """Carries the outcome from the run to the report."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class ExerciseItem(pytest.Item):
    """One exercise of one notebook."""

    def __init__(self, *, attempt: Attempt, notes: list[str], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.attempt = attempt
        self.notes = notes

    def runtest(self) -> None:
        """Check the attempt; a stub is skipped."""
        from .check import check_attempt
        from .outcomes import Verdict

        outcome = check_attempt(self.attempt)
        for note in [*self.notes, *outcome.notes]:
            self.add_report_section("call", "exercise", note)
        if outcome.verdict == Verdict.NOT_ATTEMPTED:
            pytest.skip(f"{self.path.name}: {outcome.id} {outcome.title} is {outcome.verdict}")
        if outcome.verdict != Verdict.PASSED:
            raise NotPassed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The outcome as text; anything else is a fault of ours and gets pytest's traceback."""
        from .exercise import UnknownExercise

        if isinstance(excinfo.value, NotPassed | UnknownExercise):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that the item is."""
        return self.path, None, f"exercise {self.name}"
