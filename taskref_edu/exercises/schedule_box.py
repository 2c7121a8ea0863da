"""An exploration's result in an exercise's box: the schedule, with the learner's own code beside the lanes.

The remedy is not shown: finding it is the exercise. A module of its own, because only this connects exercises with the
player, which is imported at its first use: it would be a third of the time until an exercise is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .loader import Attempt


@runtime_checkable
class Recorded(Protocol):
    """A result of explore() or explore_crashes(), or one schedule of it."""

    def recording(self, *, file: str | None = None, code: str | None = None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ScheduleBox:
    """A recorded result, and the learner's code that led to it."""

    found: Recorded
    attempt: Attempt

    def __str__(self) -> str:
        from ..lab.player.story import HELPED

        return "\n".join(line for line in str(self.found).splitlines() if not line.startswith(HELPED))

    def _repr_html_(self) -> str:
        from ..lab.player.notebook_cell import module_wanted
        from ..lab.player.page import player_html

        # recording() runs the schedules once more, to see which line sent which statement. If that fails, the box is
        # shown without the lines.
        try:
            recording = self.found.recording(file=self.attempt.filename, code=self.attempt.source.strip("\n"))
        except Exception:
            recording = self.found.recording()
        return player_html(recording, with_module=module_wanted())


def in_the_box(details: object, attempt: Attempt) -> object:
    """A check's details, as its box shows them."""
    return ScheduleBox(details, attempt) if isinstance(details, Recorded) else details
