"""The errors of the lab, in one tree.

TaskrefError
└── LabError
    ├── ActorNeverEnds       too many steps, or no step for too long
    ├── PastTheExplorer      SQL that the explorer does not see: another connection, engine or thread
    ├── NoSuchSchedule       a schedule to replay that cannot happen
    ├── NotRepeatable        the same schedule, run twice, went two ways
    └── Deadlock             everybody waits; recorded as an outcome of the schedule, not raised

BaseException
└── ActorKilled              what a killed actor meets at every call to the database
"""

from __future__ import annotations

from greenlet import GreenletExit

from ...errors import TaskrefError


class LabError(TaskrefError):
    """An exploration cannot go on."""


class ActorNeverEnds(LabError):
    """An actor sent too many statements, or none for too long, without ending."""


class PastTheExplorer(LabError):
    """An actor used SQL in a way that the explorer cannot step through."""


class NoSuchSchedule(LabError):
    """The schedule names a step that does not exist or has to wait, or it ends too early. why: the reason, in words."""

    def __init__(self, schedule: str, why: str) -> None:
        super().__init__(f"{schedule!r} {why}")
        self.why = why


class NotRepeatable(LabError):
    """An actor did not repeat what it had done after the same steps: it depends on time, chance or memory."""


class CannotMerge(LabError):
    """What an actor does depends on more than the states show: every schedule has to be run."""


class CannotWriteTest(LabError):
    """A function of the exploration has no name by which a test could import it."""


class Deadlock(LabError):
    """Every actor waits for another one."""


class ActorKilled(GreenletExit):
    """Raised by every database call of a killed actor; like a kill, not an Exception."""
