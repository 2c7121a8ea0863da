"""The limits of an actor, and the outcome of one schedule.

A module of its own, because the explorers for SQLite and for a server share it and do not import each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors_in_words import error_text


@dataclass(frozen=True)
class Limits:
    """When an actor counts as never ending: after this number of steps, or seconds between two steps."""

    steps: int = 100
    patience: float = 5.0


@dataclass
class ScheduleOutcome:
    """The outcome of one schedule: errors and results by letter; crashed: the SQL before which an actor was killed."""

    schedule: str
    errors: dict[str, BaseException] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    crashed: str | None = None

    def error_texts(self) -> dict[str, str]:
        """The errors in words, by letter."""
        return {letter: error_text(error) for letter, error in self.errors.items()}

    def forget(self) -> None:
        """Drop the tracebacks: their frames would keep sessions and cursors alive."""
        for error in self.errors.values():
            error.__traceback__ = error.__context__ = error.__cause__ = None
