"""Every error that the package raises, in one tree.

    TaskrefError
    ├── DatabaseError            the file or server under the queue
    │   ├── CannotOpen               missing folder, no permission, not a database, server not reached
    │   ├── SchemaTooNew             written by a newer version, or by another program
    │   ├── DatabaseGone             the file was deleted or replaced while in use
    │   └── ReadOnlySession          a write inside reading()
    ├── TaskNotFound             no task has this id
    ├── StaleLease               the caller no longer holds the task
    ├── PermanentFailure         trying again cannot help: the worker fails the task without a retry
    │   ├── PayloadError             the payload is not what the type expects
    │   ├── OrphanTask               no object points at the task
    │   └── UnknownType              no handler is registered for the type
    └── WorkerBusy               the worker cannot do this now

    BaseException
    └── TaskCancelled            raised by checkpoint(); not an Exception, so that a handler's
                                 `except Exception` does not swallow it (asyncio.CancelledError's reason)

Each message says what was found, what was expected, and what to do next.
Read next: `models.py`.
"""

from __future__ import annotations


class TaskrefError(Exception):
    """The root of the tree: catch it to catch them all."""


class DatabaseError(TaskrefError):
    """The database under the queue cannot be used as asked."""


class CannotOpen(DatabaseError):
    """The database cannot be opened; nothing was written."""


class SchemaTooNew(DatabaseError):
    """The database was written by a newer version; nothing was written."""


class DatabaseGone(DatabaseError):
    """The database file was deleted or replaced while it was in use."""


class ReadOnlySession(DatabaseError):
    """Something was to be written through reading()."""


class TaskNotFound(TaskrefError):
    """No task has this id: it never existed, or it was pruned."""


class StaleLease(TaskrefError):
    """The caller's lease on the task is over; its writes are rolled back."""


class PermanentFailure(TaskrefError):
    """The task can never succeed; the worker fails it without another attempt."""


class PayloadError(PermanentFailure):
    """The payload is not JSON, or not what the task's type expects."""


class OrphanTask(PermanentFailure):
    """The task works on an object, and no object points at it."""


class UnknownType(PermanentFailure):
    """No handler is registered for the task's type."""


class WorkerBusy(TaskrefError):
    """The worker cannot do this while it is running."""


class TaskCancelled(BaseException):
    """Raised by checkpoint() inside a handler once somebody asked the task to stop."""
