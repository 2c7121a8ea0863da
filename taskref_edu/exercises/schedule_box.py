"""What an exploration found, in an exercise's box: the schedule with the learner's own code beside the lanes.

What would have helped is not said here: to find it is the exercise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..lab.player.once import module_wanted
from ..lab.player.page import player_html
from ..lab.player.story import HELPED
from .loader import Attempt


@runtime_checkable
class Recorded(Protocol):
    """A result of explore() or explore_crashes(), or one schedule of it."""

    def recording(self, *, file: str | None = None, code: str | None = None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ScheduleBox:
    """A recorded result beside the code that it is about."""

    found: Recorded
    attempt: Attempt

    def __str__(self) -> str:
        return "\n".join(line for line in str(self.found).splitlines() if not line.startswith(HELPED))

    def _repr_html_(self) -> str:
        # The schedules run once more, to see which line sent which statement: whatever the code does, the box is shown.
        try:
            recording = self.found.recording(file=self.attempt.filename, code=self.attempt.source.strip("\n"))
        except Exception:
            recording = self.found.recording()
        return player_html(recording, with_module=module_wanted())


def in_the_box(details: object, attempt: Attempt) -> object:
    """What a check has to show, for its box."""
    return ScheduleBox(details, attempt) if isinstance(details, Recorded) else details
