"""The database from which every schedule starts: prepared once, then restored by copying rows.

Copying rows does not touch the schema, so connections keep their prepared statements; after the backup API, all would
be prepared again. Foreign keys are off and triggers suppressed meanwhile; AUTOINCREMENT's counters are copied, too.
If an actor has changed the schema or a setting of the file, the whole file is copied back.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine

from ...database.sqlite_engine import sqlite_engine
from ...schema import SchemaName, create_schema
from .errors import LabError
from .experiment import Journal, Setup
from .past_the_explorer import refuse_later

FEW = 100  # rows: deleting more one by one is slower than emptying the table
Rows = dict[str, list[dict[str, Any]]]  # by table
_TABLES = (
    "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'"
    " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name = 'sqlite_sequence', name"  # the counters last
)


class SnapshotDatabase:
    """A database file, and the snapshot from which it is restored."""

    def __init__(self, setup: Setup | None, schema: SchemaName | None, journal: Journal) -> None:
        if journal not in ("wal", "delete"):
            raise ValueError(f"journal {journal!r} found, 'wal' or 'delete' expected")
        self._folder = tempfile.TemporaryDirectory(prefix="taskref-explore-", ignore_cleanup_errors=True)
        self._journal = journal
        self.path = Path(self._folder.name, "tasks.db")
        try:
            self._prepare(setup, schema)
        except BaseException:
            self._folder.cleanup()
            raise
        self.observer = self._connect()
        snapshot = f"file:{quote(str(self._snapshot))}?mode=ro&immutable=1"
        self.observer.execute("ATTACH ? AS snapshot", (snapshot,))
        # Copying rows must not fire triggers: an authorizer ignores their statements.
        self.observer.set_authorizer(_silence_triggers)
        self._version = self._schema_version()
        self._copying = [sql for table in self.tables() for sql in self._copy(table)]

    def engine(self) -> Engine:
        """A new engine on the file, without a busy timeout: the explorer does the waiting."""
        return sqlite_engine(self.path, synchronous="OFF", timeout=0, journal=self._journal, may_vanish=False)

    def restore(self) -> bool:
        """Restore the rows of every table; False if the schema had changed, so that the whole file was restored."""
        if self._schema_version() != self._version:
            self.restore_file()
            return False
        execute = self.observer.execute
        execute("BEGIN IMMEDIATE")
        for sql in self._copying:
            execute(sql)
        execute("COMMIT")
        return True

    def restore_file(self) -> None:
        """Restore the whole file to its state after the setup, schema and settings included."""
        with closing(sqlite3.connect(self._snapshot)) as snapshot:
            snapshot.backup(self.observer)
        self._version = self._schema_version()

    def rows(self, connection: sqlite3.Connection | None = None) -> Rows:
        """The rows of all tables as `connection` sees them; by default, as a new connection does."""
        cursor = sqlite3.Cursor(connection or self.observer)
        cursor.row_factory = sqlite3.Row  # type: ignore[assignment]
        names = [name for name in self.tables(cursor) if not name.startswith("sqlite_")]
        return {name: [dict(row) for row in cursor.execute(f"SELECT * FROM main.{quoted(name)}")] for name in names}

    def times(self) -> set[str]:
        """The names of the columns with dates or times, whose values differ from run to run."""
        columns = (column for table in self.tables() for column in self.columns(table))
        return {name for _, name, kind, *_ in columns if "DATE" in kind.upper() or "TIME" in kind.upper()}

    def keys(self) -> dict[str, str]:
        """The first column of each table's primary key."""
        found = ((table, column) for table in self.tables() for column in self.columns(table))
        return {table: name for table, (_, name, *_, place, _) in found if place == 1}

    def references(self) -> dict[str, str]:
        """The table that each foreign key references, by "table.column"."""
        query = "SELECT * FROM pragma_foreign_key_list(?)"
        found = ((table, row) for table in self.tables() for row in self.observer.execute(query, (table,)))
        return {f"{table}.{row[3]}": row[2] for table, row in found}

    def root_pages(self) -> dict[int, str]:
        """The table that each root page of the file belongs to."""
        rows = self.observer.execute("SELECT rootpage, tbl_name FROM main.sqlite_master WHERE rootpage > 0")
        return dict(rows.fetchall())

    def functions(self) -> frozenset[str]:
        """SQLite's built-in SQL functions."""
        return frozenset(row[0] for row in self.observer.execute("SELECT name FROM pragma_function_list WHERE builtin"))

    def defers_foreign_keys(self) -> bool:
        """Whether a COMMIT may fail because of a deferred foreign key."""
        return any(
            "DEFERR" in str(row[0]).upper() for row in self.observer.execute("SELECT sql FROM main.sqlite_master")
        )

    def is_locked(self) -> bool:
        """Whether a connection holds the write lock."""
        try:
            self.observer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        self.observer.execute("ROLLBACK")
        return False

    def is_exclusively_locked(self) -> bool:
        """Whether a connection holds an exclusive lock, so that others cannot even read."""
        try:
            self.observer.execute("SELECT count(*) FROM main.sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        return False

    def close(self) -> None:
        """Remove the file."""
        self.observer.close()
        self._folder.cleanup()

    def _prepare(self, setup: Setup | None, schema: SchemaName | None) -> None:
        self.path.touch()
        engine = self.engine()
        try:
            if schema is not None:
                with engine.begin() as connection:
                    create_schema(connection, schema)
            if setup is not None:
                refuse_later("setup", setup(engine))
        finally:
            engine.dispose()
        self._snapshot = self.path.with_name("snapshot.db")
        with closing(self._connect()) as source, closing(sqlite3.connect(self._snapshot)) as target:
            try:
                source.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise LabError(
                    f"setup left a transaction open ({error}): let it commit, and close its session"
                ) from None
            source.execute("ROLLBACK")
            source.backup(target)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=0, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def _schema_version(self) -> int:
        return self.observer.execute("PRAGMA main.schema_version").fetchone()[0]

    def tables(self, cursor: sqlite3.Cursor | None = None) -> list[str]:
        rows = (cursor or self.observer).execute(_TABLES)
        return [row[0] for row in rows]

    def columns(self, table: str) -> list[tuple[Any, ...]]:
        """SQLite's facts about each column: number, name, type, not null, default, position in the key, hidden."""
        return self.observer.execute(f"PRAGMA main.table_xinfo({quoted(table)})").fetchall()

    def _copy(self, table: str) -> list[str]:
        name = quoted(table)
        columns = ", ".join(quoted(name) for _, name, *_, hidden in self.columns(table) if not hidden)
        try:
            self.observer.execute(f"SELECT rowid FROM main.{name}")
            columns = f"rowid, {columns}"
        except sqlite3.OperationalError:  # WITHOUT ROWID
            pass
        rows = self.observer.execute(f"SELECT count(*) FROM snapshot.{name}").fetchone()[0]
        # WHERE true prevents SQLite's truncate optimization, which rewrites the root page of every index.
        delete = f"DELETE FROM main.{name}" + (" WHERE true" if rows < FEW else "")
        insert = f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM snapshot.{name}"
        return [delete, insert] if rows else [delete]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _silence_triggers(
    _action: int, _first: str | None, _second: str | None, _database: str | None, trigger: str | None
) -> int:
    return sqlite3.SQLITE_IGNORE if trigger else sqlite3.SQLITE_OK
