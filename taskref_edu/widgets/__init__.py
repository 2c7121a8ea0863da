"""Live views of a queue for notebooks. Needs the extra `lab`; `import taskref_edu` does not import this."""

from .panel.panel import Panel
from .scheduler.scheduler import Scheduler

__all__ = ["Panel", "Scheduler"]
