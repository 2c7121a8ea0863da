"""The scheduler: a learner decides which actor steps next."""

from .scheduler import Scheduler

__all__ = ["Scheduler"]
