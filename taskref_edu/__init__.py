"""Background tasks and the objects they work on: which should reference which?

Importing this pulls in no widgets, no IPython, no matplotlib. Read the files in the order of the README's tour.
"""

from . import errors
from .database import open_database, reading, writing
from .models import Order, Task, TaskStatus
from .queue import TaskQueue

__all__ = ["Order", "Task", "TaskQueue", "TaskStatus", "errors", "open_database", "reading", "writing"]
