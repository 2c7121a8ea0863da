"""Every error that the package raises, in one tree.

    TaskrefError
    ├── DatabaseError            a problem with the queue's file or server
    │   ├── CannotOpen               missing folder, no permission, not a database
    │   │   ├── ServerNotReached         no server, no such database, user or password refused
    │   │   └── MissingExtra             an optional package is not installed; also an ImportError
    │   ├── ConnectionLost           the connection to the server broke in the middle of a transaction
    │   ├── SchemaMissing            the queue's tables are not in this database
    │   ├── NameTaken                the name of our index or trigger is in use for something else
    │   ├── SchemaTooNew             written by a newer version, or by another program
    │   ├── DatabaseGone             the file was deleted or replaced while in use
    │   ├── DatabaseLocked           another transaction was open for longer than we may wait
    │   ├── ForkedWhileWriting       this process was forked during a write, and cannot get the file's lock
    │   ├── DatabaseReadOnly         the file or server can be read but not written
    │   ├── NoConnectionFree         all connections of the engine's pool are in use
    │   ├── DatabaseDamaged          SQLite cannot read the file
    │   ├── DiskError                the disk is full, over its quota, or failing
    │   └── ReadOnlySession          a write inside reading()
    ├── TaskNotFound             no task has this id
    ├── StaleLease               the caller no longer holds the task
    ├── PermanentFailure         a retry cannot help: the worker fails the task at once
    │   ├── PayloadError             the payload is not what the type expects
    │   ├── OrphanTask               no object references the task
    │   └── HandlerNotRun            the handler returned an awaitable or a generator: its code never ran
    ├── UnknownType              no handler is registered here for the type; another worker may have one
    └── WorkerBusy               the worker cannot do this now

    BaseException
    └── TaskCancelled            raised by checkpoint(); not an Exception, so that a handler's `except Exception`
                                 does not swallow it (as asyncio.CancelledError)

Each message says what was found, what was expected, and what to do next.
"""

from __future__ import annotations

import importlib.util
import sys


class TaskrefError(Exception):
    """The root of the tree: `except TaskrefError` catches them all."""


class DatabaseError(TaskrefError):
    """The queue's database cannot be used as asked."""


class CannotOpen(DatabaseError):
    """The database cannot be opened; nothing was written."""


class ServerNotReached(CannotOpen):
    """The server accepted no connection; nothing was written. Trying again later may help."""


class MissingExtra(CannotOpen, ImportError):
    """An optional package is not installed; the message has the command that installs it."""


class ConnectionLost(DatabaseError):
    """The connection broke in the middle of a transaction, which was rolled back.

    If it was lost during COMMIT, the outcome is unknown: check before retrying.
    """


class SchemaMissing(DatabaseError):
    """The tables of the queue are not in this database, or not in a schema of this user's search_path."""


class NameTaken(DatabaseError):
    """The name of a reference's index or trigger is in use for something else; nothing was changed."""


class SchemaTooNew(DatabaseError):
    """The database was written by a newer version; nothing was written."""


class DatabaseGone(DatabaseError):
    """The database file was deleted or replaced while it was in use."""


class DatabaseLocked(DatabaseError):
    """Another transaction was open for longer than this one may wait; nothing was written."""


class ForkedWhileWriting(DatabaseError):
    """This process was forked while a thread wrote to the file, and can never get its lock; nothing was written."""


class DatabaseReadOnly(DatabaseError):
    """The file or server can be read but not written; nothing was written."""


class NoConnectionFree(DatabaseError):
    """All connections of the engine's pool were in use until the pool's timeout; nothing was written."""


class DatabaseDamaged(DatabaseError):
    """SQLite cannot read the file."""


class DiskError(DatabaseError):
    """The disk is full, over its quota, or failing; the transaction was rolled back."""


class ReadOnlySession(DatabaseError):
    """A write was attempted inside reading()."""


class TaskNotFound(TaskrefError):
    """No task has this id: it never existed, or it was pruned."""


class StaleLease(TaskrefError):
    """The caller's lease on the task is over; its writes are rolled back."""


class PermanentFailure(TaskrefError):
    """The task can never succeed; the worker fails it without another attempt."""


class PayloadError(PermanentFailure):
    """The payload is not JSON, or not what the task's type expects."""


class OrphanTask(PermanentFailure):
    """The task needs an object to work on, and no object references it."""


class HandlerNotRun(PermanentFailure):
    """The handler returned an awaitable or a generator: the code in it never ran."""


class UnknownType(TaskrefError):
    """No handler is registered in this process for the task's type. It is tried again: another worker may have one."""


class WorkerBusy(TaskrefError):
    """The worker cannot do this while it is running."""


class TaskCancelled(BaseException):
    """Raised by checkpoint() inside a handler after somebody asked the task to stop."""


def expect_package(name: str, extra: str) -> None:
    """Raise MissingExtra unless the package is installed; `extra` is the extra that installs it."""
    if importlib.util.find_spec(name) is None:
        raise MissingExtra(f"the package {name} is not installed: {install_line(extra)}")


def install_line(extra: str) -> str:
    """The command that installs an extra of this package; without pip where there is none, as in uv's environments."""
    with_pip = importlib.util.find_spec("pip") is not None
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    tool = f"{python} -m pip install" if with_pip else f"uv pip install --python {python}"
    return f'{tool} "taskref_edu[{extra}]"'
