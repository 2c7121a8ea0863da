"""Grade a folder of submissions: each learner's notebooks in a process of their own, under limits."""

from .grader import grade

__all__ = ["grade"]
