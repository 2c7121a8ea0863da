"""What a step is: which statements the explorer stops at, and which of them take the write lock.

SQLite itself tells whether a statement reads or writes: by the Transaction instruction of its program.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

_HEAD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)\s*(\w*)\s*(\w*)", re.DOTALL)

# Settings that change nothing here, and questions that look like settings. SQLAlchemy sends the first.
_HARMLESS = {
    "READ_UNCOMMITTED",
    "WAL_CHECKPOINT",
    "TABLE_INFO",
    "TABLE_XINFO",
    "INDEX_LIST",
    "INDEX_INFO",
    "INDEX_XINFO",
    "FOREIGN_KEY_LIST",
    "FOREIGN_KEY_CHECK",
    "INTEGRITY_CHECK",
    "QUICK_CHECK",
}


# What the driver raises for SQL or values that it cannot take.
REFUSED = (sqlite3.Error, OverflowError, UnicodeError, ValueError)


class Kind(Enum):
    """What a statement means to the explorer."""

    FREE = "free"  # no step: BEGIN [DEFERRED], SAVEPOINT, RELEASE, ROLLBACK TO, PRAGMA
    BEGIN = "begin"  # BEGIN IMMEDIATE or EXCLUSIVE: takes the write lock
    COMMIT = "commit"  # a step where it releases a lock that others wait for, as is ROLLBACK
    ROLLBACK = "rollback"
    READ = "read"
    WRITE = "write"
    OTHER = "other"  # a step that touches no table, such as SELECT 1


class Statement(NamedTuple):
    """A statement's kind, and whether it leaves something behind on its connection."""

    kind: Kind
    lingers: bool = False  # a setting, a temporary table, an attached file
    word: str = ""  # its first word
    name: str = ""  # of a savepoint or a setting


class Statements:
    """Classifies statements, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, Statement] = {}

    def of(self, connection: sqlite3.Connection, sql: str, parameters: Any) -> Statement:
        """What `sql` is. Asks `connection` for its program, past all observers."""
        known = self._known.get(sql)
        if known is None:
            known = _by_words(sql)
            if known.kind is Kind.OTHER:
                program = _program(connection, sql, parameters)
                if program is None:
                    return known  # it will fail, perhaps only this time: a table that is created later
                known = known._replace(kind=_kind_of(program))
            self._known[sql] = known
        return known


def _by_words(sql: str) -> Statement:
    head = _HEAD.match(sql)
    first, second, third = (word.upper() for word in head.groups()) if head else ("", "", "")
    if first == "BEGIN":
        return Statement(Kind.BEGIN if second in ("IMMEDIATE", "EXCLUSIVE") else Kind.FREE, word=first)
    if first in ("COMMIT", "END"):
        return Statement(Kind.COMMIT, word="COMMIT")
    if first == "ROLLBACK":
        back_to_savepoint = "TO" in (second, third)
        return Statement(Kind.FREE if back_to_savepoint else Kind.ROLLBACK, word=first)
    if first in ("SAVEPOINT", "RELEASE"):
        return Statement(Kind.FREE, word=first, name=third if second == "SAVEPOINT" else second)
    if first == "PRAGMA":
        return Statement(Kind.FREE, ("=" in sql or "(" in sql) and second not in _HARMLESS, first, second)
    lingers = first in ("ATTACH", "DETACH") or (first == "CREATE" and second in ("TEMP", "TEMPORARY"))
    return Statement(Kind.OTHER, lingers, first)


def _kind_of(program: Iterable[tuple[Any, ...]]) -> Kind:
    kind = Kind.OTHER
    for _, opcode, database, writes, *_ in program:
        if opcode == "Transaction" and database != 1:  # 1 holds the connection's temporary tables
            kind = Kind.WRITE if writes or kind is Kind.WRITE else Kind.READ
    return kind


def _program(connection: sqlite3.Connection, sql: str, parameters: Any) -> list[tuple[Any, ...]] | None:
    """The instructions that SQLite makes of `sql`; None if it cannot."""
    try:
        cursor = sqlite3.Cursor(connection)  # the driver's own class: nobody observes it
        return cursor.execute("EXPLAIN " + sql, parameters[0] if is_many(parameters) else parameters).fetchall()
    except REFUSED:
        return None


def is_many(parameters: Any) -> bool:
    """Whether these are the parameters of an executemany()."""
    return isinstance(parameters, list) and bool(parameters) and isinstance(parameters[0], tuple | dict | list)
