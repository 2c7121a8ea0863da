"""What is agreed on before an exploration, and how one schedule of it went.

On the ground of the room: SQLite's side and the server's both build on it, and know nothing of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DIES = "x"  # in a schedule: here the crashing actor dies
DIES_IN_COMMIT = "y"  # on a server: after its COMMIT was sent, and before the answer came


@dataclass(frozen=True)
class Limits:
    """Where an exploration stops.

    runs: how many schedules are run at most. steps: how many one actor may take.
    patience: seconds that an actor may take from one step to the next.
    """

    runs: int = 20_000
    steps: int = 100
    patience: float = 5.0


@dataclass
class Outcome:
    """How one schedule went: the actors' errors and return values, by letter; the SQL that one died before."""

    schedule: str
    errors: dict[str, BaseException] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    crashed: str | None = None

    def forget(self) -> None:
        """Let go of tracebacks: their frames would keep sessions and cursors alive."""
        for error in self.errors.values():
            error.__traceback__ = error.__context__ = error.__cause__ = None
