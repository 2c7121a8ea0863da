"""Translates SQLite's errors into ours: what was found, and what to do next.

Not covered: servers (`postgresql_engine.py`); errors in the caller's SQL, such as a constraint or a missing table.
"""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from sqlalchemy import exc as sqlalchemy_errors

from ..errors import (
    CannotOpen,
    DatabaseDamaged,
    DatabaseError,
    DatabaseGone,
    DatabaseLocked,
    DatabaseReadOnly,
    DiskError,
    NoConnectionFree,
)
from .file_watch import identity_of

# Not `.recover`: some systems' sqlite3, such as Debian 12's, is built without it, and writes an empty file.
SALVAGE = "sqlite3 {file} .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 NEW_FILE"
# The log is removed, because SQLite would write the damaged file's log into the backup.
RESTORE = "stop what uses it, keep a copy, remove {file}-wal and {file}-shm, then put a backup in its place"
# SQLite's primary result code -> our error, and what to do next
_NAMES: dict[int, tuple[type[DatabaseError], str]] = {
    sqlite3.SQLITE_BUSY: (
        DatabaseLocked,
        "another transaction has been open for longer than this one may wait: end it (perhaps in another program or "
        "notebook), then try again, or open the database with a longer timeout; a worker tries again by itself",
    ),
    sqlite3.SQLITE_FULL: (
        DiskError,
        "nothing of this transaction was written: free some space, then try again; a worker tries again by itself",
    ),
    sqlite3.SQLITE_IOERR: (
        DiskError,
        "nothing of this transaction was written: look for a quota, a failing disk or a network drive, then try again",
    ),
    sqlite3.SQLITE_READONLY: (
        DatabaseReadOnly,
        "this program may read the file and not write it: change the permissions of the file and its folder, "
        "or work on a copy",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        CannotOpen,
        "look at the permissions of the file and its folder, at the number of open files, and at free space",
    ),
    sqlite3.SQLITE_CORRUPT: (
        DatabaseDamaged,
        f"see `taskref doctor {{file}}`; {RESTORE}; or save what can be saved with `{SALVAGE}`",
    ),
    sqlite3.SQLITE_NOTADB: (
        DatabaseDamaged,
        f"its first bytes are not SQLite's: something else has written over it; {RESTORE}",
    ),
}
_PRIMARY = 0xFF  # the low byte of an extended result code is the primary code


def translated(error: BaseException, file: Path | None) -> DatabaseError | None:
    """Our error for one of the driver, perhaps wrapped by SQLAlchemy; None if the database is not at fault."""
    if isinstance(error, sqlalchemy_errors.TimeoutError):
        return NoConnectionFree(f"{error}; use fewer threads, or give the engine a larger pool: max_overflow=-1")
    cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)  # None if Python's driver itself raised it
    if file is None or code is None or code & _PRIMARY not in _NAMES:
        return None
    if code & _PRIMARY == sqlite3.SQLITE_CANTOPEN and identity_of(file) is None:
        return DatabaseGone(f"{file}: {cause}; it was deleted or moved: put it back, or open another database")
    name, remedy = _NAMES[code & _PRIMARY]
    return name(f"{file}: {cause}; {remedy.format(file=shlex.quote(str(file)))}")


def read_before_write(error: BaseException) -> str | None:
    """What to do about a statement that failed because the file is locked; None for any other error.

    Cannot happen in `writing()`, which takes the lock first and waits for it. SQLite never lets a transaction that has
    already read wait for the lock: its snapshot would be out of date.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & _PRIMARY != sqlite3.SQLITE_BUSY:
        return None
    # SQLite has a code of its own only if somebody has written since the read, not if somebody is writing.
    certain = code == sqlite3.SQLITE_BUSY_SNAPSHOT
    return (
        "this session read before it wrote, and then SQLite does not let it wait for another writer"
        f"{'' if certain else ' (if it has read nothing, it has waited in vain for its whole timeout)'}: begin with"
        " `with writing(engine) as session`, which takes the write lock first"
    )
