"""What counts as a step: at which statements the explorer stops, which take the write lock, which tables they open.

SQLite itself provides the answer: the statement's bytecode, which includes that of triggers and foreign keys.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

_CHANGES = re.compile(r"\bchanges\s*\(", re.IGNORECASE)
_HEAD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)\s*[\"'`\[]?(\w*)[\"'`\]]?\s*[\"'`\[]?(\w*)", re.DOTALL)
_SETTING = re.compile(r"PRAGMA\s+(?:\w+\.)?(\w+)", re.IGNORECASE)

# PRAGMAs without a lasting effect on the connection, although they have an argument. SQLAlchemy sends the first.
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


CALLS = ("Function", "PureFunc", "AggStep", "AggStep1")
CHANGES_THE_FILE = re.compile(
    "CreateBtree|Destroy|ParseSchema|Drop(Table|Index|Trigger)|SetCookie|SqlExec|V(Update|Create|Destroy)|Vacuum"
    "|JournalMode|LoadAnalysis"
)
# Functions whose results depend on more than tables and arguments.
CHANGING_FUNCTIONS = frozenset({"random", "randomblob", "changes", "total_changes", "last_insert_rowid"})
ROOT_IN_REGISTER = 0x10  # flags of instructions (SQLite's OPFLAG_P2ISREG, OPFLAG_LASTROWID)
SETS_LAST_ROWID = 0x20

# What the driver raises for SQL or values that it does not accept.
REFUSED = (sqlite3.Error, OverflowError, UnicodeError, ValueError)


class Kind(Enum):
    """What a statement means to the explorer."""

    FREE = "free"  # no step: BEGIN [DEFERRED], SAVEPOINT, RELEASE, ROLLBACK TO, PRAGMA
    BEGIN = "begin"  # BEGIN IMMEDIATE or EXCLUSIVE: takes the write lock
    COMMIT = "commit"  # a step if it releases a lock, as is ROLLBACK
    ROLLBACK = "rollback"
    READ = "read"
    WRITE = "write"
    OTHER = "other"  # a step that touches no table, such as SELECT 1


class Tables(NamedTuple):
    """The tables that a statement opens, and those of them that it may change.

    reads: None if it may be any table. numbers_rows: whether it assigns rowids to new rows. depends: what else its
    outcome depends on, or what else it changes, in words.
    """

    reads: tuple[str, ...] | None = ()
    writes: frozenset[str] = frozenset()
    numbers_rows: bool = False
    depends: str = ""


class Classified(NamedTuple):
    """A statement's kind, and whether it has a lasting effect on its connection."""

    kind: Kind
    lingers: bool = False  # a setting, a temporary table, an attached file
    word: str = ""  # its first word
    name: str = ""  # of a savepoint or a setting
    tables: Tables = Tables()


class Classifier:
    """Classifies statements, each text once.

    root_pages: the table of each root page of the file. functions: SQLite's built-in functions.
    observer: a connection to the same file that no actor uses.
    """

    def __init__(self, root_pages: Mapping[int, str], functions: frozenset[str], observer: sqlite3.Connection) -> None:
        self._observer = observer
        self._known: dict[str, Classified] = {}
        self._root_pages = root_pages
        self._functions = functions - CHANGING_FUNCTIONS

    def of(self, connection: sqlite3.Connection, sql: str, parameters: Any) -> Classified:
        """The class of `sql`. Gets its bytecode from `connection`, bypassing all observers."""
        known = self._known.get(sql)
        if known is None:
            known = _by_words(sql)
            if known.kind is Kind.OTHER:
                # EXPLAIN of a write sets what changes() returns to 0, on its connection: the statement would read it.
                asked = self._observer if _CHANGES.search(sql) else connection
                program = _program(asked, sql, parameters)
                if program is None:
                    # It will fail, but not necessarily each time: the table may be created later.
                    return known._replace(tables=Tables(reads=None))
                known = known._replace(kind=_kind_of(program), tables=self._tables_of(program, known.word, sql))
            self._known[sql] = known
        return known

    def _tables_of(self, program: list[tuple[Any, ...]], word: str, sql: str) -> Tables:
        reads, writes, all_of_them, depends = set[str](), set[str](), False, ""
        for _, opcode, p1, p2, p3, p4, p5, *_ in program:
            if opcode in ("OpenRead", "OpenWrite", "ReopenIdx", "Clear"):
                root, database = (p1, p2) if opcode == "Clear" else (p2, p3)
                table = self._root_pages.get(root) if not p5 & ROOT_IN_REGISTER else None
                if database != 0:
                    depends = "a temporary or attached table"
                elif table is None:
                    depends = "the schema"
                else:
                    reads.add(table)
                    writes |= {table} if opcode in ("OpenWrite", "Clear") else set()
            elif opcode == "VOpen":
                all_of_them = True
            elif CHANGES_THE_FILE.fullmatch(opcode):
                depends = f"more than rows ({opcode})"
            elif opcode in CALLS and (name := str(p4).partition("(")[0].lower()) not in self._functions:
                depends = f"{name}()"
        # Without the programs of triggers, whose instructions are numbered from 0 again.
        own = [line for place, line in enumerate(program) if line[0] == place]
        inserts = word in ("INSERT", "REPLACE", "WITH") and "DO UPDATE" not in sql.upper()
        numbers_rows = inserts and any(line[1] == "Insert" and line[6] & SETS_LAST_ROWID for line in own)
        return Tables(None if all_of_them else tuple(sorted(reads)), frozenset(writes), numbers_rows, depends)


def _by_words(sql: str) -> Classified:
    head = _HEAD.match(sql)
    first, second, third = (word.upper() for word in head.groups()) if head else ("", "", "")
    if first == "BEGIN":
        return Classified(Kind.BEGIN if second in ("IMMEDIATE", "EXCLUSIVE") else Kind.FREE, word=first)
    if first in ("COMMIT", "END"):
        return Classified(Kind.COMMIT, word="COMMIT")
    if first == "ROLLBACK":
        back_to_savepoint = "TO" in (second, third)
        return Classified(Kind.FREE if back_to_savepoint else Kind.ROLLBACK, word=first)
    if first in ("SAVEPOINT", "RELEASE"):
        return Classified(Kind.FREE, word=first, name=third if second == "SAVEPOINT" else second)
    if first == "PRAGMA":
        name = named[1].upper() if (named := _SETTING.search(sql)) else second
        return Classified(Kind.FREE, ("=" in sql or "(" in sql) and name not in _HARMLESS, first, name)
    lingers = first in ("ATTACH", "DETACH") or (first == "CREATE" and second in ("TEMP", "TEMPORARY"))
    return Classified(Kind.OTHER, lingers, first)


def _kind_of(program: Iterable[tuple[Any, ...]]) -> Kind:
    kind = Kind.OTHER
    for _, opcode, database, writes, *_ in program:
        if opcode == "Transaction" and database != 1:  # 1 holds the connection's temporary tables
            kind = Kind.WRITE if writes or kind is Kind.WRITE else Kind.READ
    return kind


def _program(connection: sqlite3.Connection, sql: str, parameters: Any) -> list[tuple[Any, ...]] | None:
    """The instructions that SQLite compiles `sql` to; None if it refuses."""
    try:
        cursor = sqlite3.Cursor(connection)  # the driver's own class, which is not observed
        return cursor.execute("EXPLAIN " + sql, parameters[0] if is_many(parameters) else parameters).fetchall()
    except REFUSED:
        return None


def is_many(parameters: Any) -> bool:
    """Whether these are the parameters of an executemany()."""
    return isinstance(parameters, list) and bool(parameters) and isinstance(parameters[0], tuple | dict | list)
