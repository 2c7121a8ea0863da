"""What becomes of the connections of a killed actor: as those of a killed process, they are gone.

Read next: `actors.py`.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

from ...database.observed_connection import Connection
from .errors import ActorKilled
from .sqlite_locks import in_transaction


class DeadConnection(Connection):
    """What the connection of a killed actor becomes. Rolling it back or closing it again is harmless."""

    in_transaction = False  # type: ignore[assignment]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ActorKilled

    cursor = execute = executemany = executescript = commit = observed = _refuse  # type: ignore[assignment]

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def close_for_good(connections: Iterable[Connection], cursors: Iterable[weakref.ref[sqlite3.Cursor]]) -> None:
    """Close the connections, whoever still holds them; `cursors` are theirs."""
    # With a cursor open somewhere, as in a traceback, SQLite would only pretend to close, and keep the locks.
    for cursor in filter(None, (reference() for reference in cursors)):
        with suppress(sqlite3.ProgrammingError):  # its connection is closed already
            sqlite3.Cursor.close(cursor)
    for connection in connections:
        if in_transaction(connection):
            sqlite3.Connection.rollback(connection)
        sqlite3.Connection.close(connection)
        connection.__class__ = DeadConnection
