"""Every error that the package raises, in one tree.

    TaskrefError
    ├── DatabaseError            the file or server under the queue
    │   ├── CannotOpen               missing folder, no permission, not a database
    │   │   ├── ServerNotReached         no server, no such database, user or password refused
    │   │   └── MissingExtra             a package that only some need is not installed; also an ImportError
    │   ├── ConnectionLost           the server, or the way to it, went away in the middle
    │   ├── SchemaMissing            the queue's tables are not in this database
    │   ├── NameTaken                an index or trigger of the name that we need stands on something else
    │   ├── SchemaTooNew             written by a newer version, or by another program
    │   ├── DatabaseGone             the file was deleted or replaced while in use
    │   ├── DatabaseLocked           somebody else's transaction was open for longer than we may wait
    │   ├── DatabaseReadOnly         the file, or the server, may be read, and not written
    │   ├── NoConnectionFree         all connections of the engine's pool are in use
    │   ├── DatabaseDamaged          the file holds what SQLite cannot read
    │   ├── DiskError                the disk is full, over its quota, or failing
    │   └── ReadOnlySession          a write inside reading()
    ├── TaskNotFound             no task has this id
    ├── StaleLease               the caller no longer holds the task
    ├── PermanentFailure         trying again cannot help: the worker fails the task without a retry
    │   ├── PayloadError             the payload is not what the type expects
    │   ├── OrphanTask               no object points at the task
    │   └── HandlerNotRun            the handler returned an awaitable or a generator: its code never ran
    ├── UnknownType              no handler is registered for the type here; another worker may have one
    └── WorkerBusy               the worker cannot do this now

    BaseException
    └── TaskCancelled            raised by checkpoint(); not an Exception, so that a handler's
                                 `except Exception` does not swallow it (asyncio.CancelledError's reason)

Each message says what was found, what was expected, and what to do next.
"""

from __future__ import annotations

import importlib.util
import sys


class TaskrefError(Exception):
    """The root of the tree: catch it to catch them all."""


class DatabaseError(TaskrefError):
    """The database under the queue cannot be used as asked."""


class CannotOpen(DatabaseError):
    """The database cannot be opened; nothing was written."""


class ServerNotReached(CannotOpen):
    """The server gave no connection; nothing was written. Trying again later may help."""


class MissingExtra(CannotOpen, ImportError):
    """A package that only some need is not installed; the message has the line that installs it."""


class ConnectionLost(DatabaseError):
    """The connection ended in the middle of a transaction: it was rolled back.

    If it was lost during COMMIT, the outcome is unknown: check before retrying.
    """


class SchemaMissing(DatabaseError):
    """The tables of the queue are not in this database, or not in a schema of this user's search_path."""


class NameTaken(DatabaseError):
    """An index or trigger of the name that a reference needs stands on something else; nothing was changed."""


class SchemaTooNew(DatabaseError):
    """The database was written by a newer version; nothing was written."""


class DatabaseGone(DatabaseError):
    """The database file was deleted or replaced while it was in use."""


class DatabaseLocked(DatabaseError):
    """Another transaction was open for longer than this one may wait; nothing was written."""


class ForkedWhileWriting(DatabaseError):
    """This process was forked while a thread wrote to the file, and cannot get its lock; nothing was written."""


class DatabaseReadOnly(DatabaseError):
    """The file, or the server, may be read, and not written; nothing was written."""


class NoConnectionFree(DatabaseError):
    """All connections of the engine's pool were in use for as long as one may wait; nothing was written."""


class DatabaseDamaged(DatabaseError):
    """The file holds what SQLite cannot read."""


class DiskError(DatabaseError):
    """The disk is full, over its quota, or failing; the transaction was rolled back."""


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


class HandlerNotRun(PermanentFailure):
    """The handler returned an awaitable or a generator: the code in it never ran."""


class UnknownType(TaskrefError):
    """No handler is registered for the task's type in this process. Another worker may have one: it is tried again."""


class WorkerBusy(TaskrefError):
    """The worker cannot do this while it is running."""


class TaskCancelled(BaseException):
    """Raised by checkpoint() inside a handler once somebody asked the task to stop."""


def expect_package(name: str, extra: str) -> None:
    """Raise MissingExtra unless the package is installed; `extra` is what brings it."""
    if importlib.util.find_spec(name) is None:
        raise MissingExtra(f"the package {name} is not installed: {install_line(extra)}")


def install_line(extra: str) -> str:
    """The command that adds an extra of this package. An environment made by uv has no pip."""
    with_pip = importlib.util.find_spec("pip") is not None
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    tool = f"{python} -m pip install" if with_pip else f"uv pip install --python {python}"
    return f'{tool} "taskref_edu[{extra}]"'
