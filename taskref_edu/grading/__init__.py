"""Grade a folder of submissions: each learner's notebooks in a process of their own, under limits.

The files in reading order: `submission` (what runs inside that process), `grader`, `report`.
"""

from .grader import grade

__all__ = ["grade"]
