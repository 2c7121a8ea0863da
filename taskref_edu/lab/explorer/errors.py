"""The errors of the lab, in one tree.

TaskrefError
└── LabError
    ├── ActorNeverEnds       too many steps, or no step for too long
    ├── PastTheExplorer      SQL that the explorer cannot see: another connection, engine or thread
    ├── NoSuchSchedule       a schedule to replay that cannot happen
    ├── NotRepeatable        the same schedule, run twice, went differently
    ├── CannotMerge          states cannot be merged; caught: every schedule is run instead
    ├── CannotWriteTest      a function has no name by which a test could import it
    └── Deadlock             every actor waits; recorded as the outcome of the schedule, not raised

BaseException
└── ActorKilled              raised by every database call of a killed actor
"""

from __future__ import annotations

from greenlet import GreenletExit

from ...errors import TaskrefError


class LabError(TaskrefError):
    """An exploration cannot continue."""


class ActorNeverEnds(LabError):
    """An actor sent too many statements without ending, or none for too long."""


class PastTheExplorer(LabError):
    """An actor used SQL in a way that the explorer cannot step through."""


class NoSuchSchedule(LabError):
    """The schedule names a step that does not exist or has to wait, or it ends too early. why: the reason, in words."""

    def __init__(self, schedule: str, why: str) -> None:
        super().__init__(f"{schedule!r} {why}")
        self.why = why


class NotRepeatable(LabError):
    """An actor did not repeat its steps: it depends on time, randomness or a variable."""


class CannotMerge(LabError):
    """An actor depends on more than the states contain, so every schedule has to be run."""


class CannotWriteTest(LabError):
    """A function of the exploration has no name by which a test could import it."""


class Deadlock(LabError):
    """Every actor waits for another one."""


class ActorKilled(GreenletExit):
    """Raised by every database call of a killed actor; like a kill, not an Exception."""
