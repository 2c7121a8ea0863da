"""Background tasks and the objects they work on: which should reference which?

Importing this imports no widgets, no IPython, no matplotlib. `docs/architecture.md` is the map of the rooms.

PYTEST_DONT_REWRITE is a marker for pytest, which would otherwise warn a program that imported this before it started.
"""

from . import errors
from .approaches import as_written, classic, inverted
from .approaches.task_reference import TaskReference
from .database.opening import open_database
from .database.transactions import reading, writing
from .former_names import serve_former_names
from .models import Order, Task, TaskStatus
from .queue.task_queue import TaskQueue
from .worker.worker import Worker

__all__ = [
    "Order",
    "Task",
    "TaskQueue",
    "TaskReference",
    "TaskStatus",
    "Worker",
    "as_written",
    "classic",
    "errors",
    "inverted",
    "open_database",
    "reading",
    "writing",
]

serve_former_names()
