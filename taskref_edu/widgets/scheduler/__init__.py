"""The scheduler: the learner decides which actor makes the next step."""

from .scheduler import Scheduler

__all__ = ["Scheduler"]
