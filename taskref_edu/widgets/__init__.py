"""Live views of a queue for notebooks. Needs the extra `lab`; `import taskref_edu` does not import this."""

from .panel import Panel
from .scheduler import Scheduler

__all__ = ["Panel", "Scheduler"]
