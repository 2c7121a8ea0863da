"""The table of exercises with a learner's progress, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .exercise import catalog
from .outcomes import BADGES, Verdict


@dataclass(frozen=True)
class ScoreboardRow:
    """One exercise: `outcome` is the last check's; `passed` whether any check has passed since the last reset."""

    id: str
    title: str
    core: bool
    outcome: Verdict
    passed: bool
    checks: int
    hints: int

    @property
    def state(self) -> str:
        """Shape and words."""
        again = ", passed before" if self.passed and self.outcome != Verdict.PASSED else ""
        return f"{BADGES[self.outcome][0]} {self.outcome}{again}"


@dataclass(frozen=True)
class Scoreboard:
    """All exercises; notes: what happened to the progress file."""

    rows: Sequence[ScoreboardRow]
    notes: Sequence[str] = ()

    @property
    def passed(self) -> int:
        """How many exercises are passed."""
        return sum(row.passed for row in self.rows)

    @property
    def summary(self) -> str:
        """One line."""
        return f"{self.passed} of {len(self.rows)} exercises passed (★ core)"

    def __str__(self) -> str:
        width = max([len(row.title) for row in self.rows], default=0)
        lines = [f"{'★' if row.core else ' '} {row.id:<5} {row.title:<{width}}  {row.state}" for row in self.rows]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(f'<th scope="col" style="text-align:left">{head}</th>' for head in HEADS)
        rows = "".join(_row(row) for row in self.rows)
        return f"<table><caption>{escape(self.summary)}</caption><tr>{heads}</tr>{rows}</table>"


HEADS = ("exercise", "title", "state", "checks", "hints")


def _row(row: ScoreboardRow) -> str:
    values = (f"{row.id}{' ★' if row.core else ''}", row.title, row.state, row.checks, row.hints)
    return "<tr>" + "".join(f'<td style="text-align:left">{escape(str(value))}</td>' for value in values) + "</tr>"


def scoreboard(known: Mapping[str, Mapping[str, Any]], notes: Sequence[str] = ()) -> Scoreboard:
    """The table for these entries of the progress."""
    return Scoreboard([_row_of(exercise, known.get(exercise.id, {})) for exercise in catalog().values()], notes)


def _row_of(exercise: Any, entry: Mapping[str, Any]) -> ScoreboardRow:
    found = entry.get("outcome")
    outcome = Verdict(found) if found in list(Verdict) else Verdict.NOT_ATTEMPTED
    counts = (int(entry.get("checks", 0)), int(entry.get("hints", 0)))
    return ScoreboardRow(exercise.id, exercise.title, exercise.core, outcome, "passed_at" in entry, *counts)
