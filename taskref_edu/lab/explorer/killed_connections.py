"""What happens to a killed actor's connections: uncommitted writes are undone, locks released, later SQL refused.

Apart from `actor.py`, which decides when: here is what SQLite and its driver need for it.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

from ...database.observed_connection import ObservedConnection
from .errors import ActorKilled
from .sqlite_locks import in_transaction


class DeadConnection(ObservedConnection):
    """The class of a killed actor's connection. Rolling it back or closing it again is harmless."""

    in_transaction = False  # type: ignore[assignment]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ActorKilled

    cursor = execute = executemany = executescript = commit = observed = _refuse  # type: ignore[assignment]

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def undo_unfinished(cursors: Iterable[weakref.ref[sqlite3.Cursor]]) -> None:
    """Roll back autocommitted writes with unfetched RETURNING rows: closing their cursors would commit them."""
    for cursor in filter(None, (reference() for reference in cursors)):
        with suppress(sqlite3.Error):  # interrupted, or closed already
            cursor.connection.interrupt()
            sqlite3.Cursor.fetchone(cursor)


def close_cursors(cursors: Iterable[weakref.ref[sqlite3.Cursor]]) -> None:
    """Close the cursors that are still alive."""
    for cursor in filter(None, (reference() for reference in cursors)):
        with suppress(sqlite3.Error):  # its connection is closed already
            sqlite3.Cursor.close(cursor)


def close_for_good(connections: Iterable[ObservedConnection], cursors: Iterable[weakref.ref[sqlite3.Cursor]]) -> None:
    """Close the connections, even if something still references them; `cursors`: their cursors."""
    close_cursors(cursors)  # with an open cursor, SQLite would defer the close and keep the locks
    for connection in connections:
        if in_transaction(connection):
            sqlite3.Connection.rollback(connection)
        sqlite3.Connection.close(connection)
        connection.__class__ = DeadConnection
