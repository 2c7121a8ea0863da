"""A scratch database on a PostgreSQL server: restored before every schedule, dropped at the end.

Not covered: actors that change the schema; data outside this database.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from ...database.postgresql_engine import server_engine
from ...schema import SchemaName, create_schema
from .database_snapshot import Rows
from .errors import LabError
from .experiment import Setup
from .past_the_explorer import refuse_later

DEADLOCK_SECONDS = 0.1  # until the server checks for a deadlock; 1 second if the role may not set it
LOCK_TIMEOUT = "50ms"  # of a repeated SELECT
SNAPSHOT = "taskref_snapshot"
TABLES = f"""
SELECT c.oid::regclass::text AS name, c.relname AS short,
       string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', '{SNAPSHOT}') AND n.nspname !~ '^pg_'
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.oid, c.relname ORDER BY c.relname"""
SEQUENCES = "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) FROM pg_sequences"
KEYS = """
SELECT c.relname, a.attname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] WHERE k.contype = 'p'"""
REFERENCES = """
SELECT c.relname || '.' || a.attname, other.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_class other ON other.oid = k.confrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] WHERE k.contype = 'f'"""
TIMES = "SELECT column_name FROM information_schema.columns WHERE data_type ~ '^(date|time)'"


class ScratchDatabase:
    """A database on the server of `url`, with tables and setup. connection: the explorer's own, in autocommit mode."""

    def __init__(self, url: str, setup: Setup | None, schema: SchemaName | None) -> None:
        self._server = server_engine(make_url(url)).execution_options(isolation_level="AUTOCOMMIT")
        self._name = f"taskref_explore_{secrets.token_hex(6)}"
        with self._server.connect() as server:
            superuser = server.exec_driver_sql("SELECT current_setting('is_superuser')").scalar_one() == "on"
            try:
                server.exec_driver_sql(f"CREATE DATABASE {self._name}")
            except DBAPIError as error:
                raise LabError(f"no scratch database ({error.orig}): give a role that may create one") from None
        scratch = make_url(url).set(database=self._name)
        if "options" not in scratch.query:
            deadlocks = f" -c deadlock_timeout={DEADLOCK_SECONDS * 1000:.0f}ms" if superuser else ""
            # Durability does not matter for a scratch database.
            scratch = scratch.update_query_dict({"options": f"-c synchronous_commit=off{deadlocks}"})
        self._url, self._engines = scratch, list[Engine]()
        self.deadlock_seconds = DEADLOCK_SECONDS if superuser else 1.0
        try:
            self._prepare(setup, schema)
        except BaseException:
            self.close()
            raise

    def engine(self) -> Engine:
        """A new engine on the database."""
        engine = server_engine(self._url)
        self._engines.append(engine)
        return engine

    def _prepare(self, setup: Setup | None, schema: SchemaName | None) -> None:
        engine = self.engine()
        if schema is not None:
            with engine.begin() as connection:
                create_schema(connection, schema)
        if setup is not None:
            refuse_later("setup", setup(engine))
        self.connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        version = self.connection.exec_driver_sql("SHOW server_version").scalar_one().split()[0]
        self.speaks_for = f"PostgreSQL {version}, {engine.dialect.default_isolation_level or 'READ COMMITTED'}"
        rows = self.connection.exec_driver_sql(TABLES).all()
        self._tables = {row.short: row.name for row in rows}
        self.connection.exec_driver_sql(f"CREATE SCHEMA {SNAPSHOT}")
        parts = ["BEGIN", "SET LOCAL session_replication_role = replica"]  # without triggers and foreign keys
        for number, row in enumerate(rows):
            copy = f"{SNAPSHOT}.t{number}"
            self.connection.exec_driver_sql(f"CREATE TABLE {copy} AS SELECT {row.columns} FROM {row.name}")
            insert = f"INSERT INTO {row.name} ({row.columns}) OVERRIDING SYSTEM VALUE"
            parts += [f"DELETE FROM {row.name}", f"{insert} SELECT {row.columns} FROM {copy}"]
        for (name,) in self.connection.exec_driver_sql(SEQUENCES).all():
            last, called = self.connection.exec_driver_sql(f"SELECT last_value, is_called FROM {name}").one()
            parts.append(f"SELECT setval('{name}', {last}, {str(called).lower()})")
        self._restoring = "; ".join([*parts, "COMMIT"])

    def restore(self) -> None:
        """Restore every table to its rows after the setup."""
        try:
            # One string, one round trip.
            self.connection.connection.driver_connection.execute(self._restoring.encode())  # type: ignore[union-attr]
        except Exception as error:
            raise LabError(f"the scratch database was not restored ({error}): a superuser's role is needed") from None

    def rows(self, connection: Connection | None = None) -> Rows:
        """The rows of all tables as `connection` sees them; by default, as a new connection does."""
        driver: Any = (connection or self.connection).connection.driver_connection
        found = {}
        for short, name in self._tables.items():
            cursor = driver.execute(f"SELECT * FROM {name} ORDER BY 1".encode())
            found[short] = [dict(zip([c.name for c in cursor.description], row, strict=True)) for row in cursor]
        return found

    def times(self) -> set[str]:
        """The names of the columns with dates or times."""
        return set(self.connection.execute(text(TIMES)).scalars())

    def keys(self) -> dict[str, str]:
        """The first column of each table's primary key."""
        return {table: key for table, key in self.connection.exec_driver_sql(KEYS) if table in self._tables}

    def references(self) -> dict[str, str]:
        """The table that each foreign key references, by "table.column"."""
        return {row[0]: row[1] for row in self.connection.exec_driver_sql(REFERENCES)}

    def answer_to(self, statement: str, parameters: Any) -> list[list[Any]] | None:
        """What a SELECT would return now, without changing or locking anything; None if that is refused."""
        execute = self.connection.exec_driver_sql
        execute("BEGIN READ ONLY")
        try:
            execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            return [list(row) for row in execute(statement, parameters)]
        except DBAPIError:
            return None
        finally:
            execute("ROLLBACK")

    def close(self) -> None:
        """Drop the database."""
        if hasattr(self, "connection"):
            self.connection.close()
        for engine in self._engines:
            engine.dispose()
        with self._server.connect() as server:
            server.exec_driver_sql(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")
        self._server.dispose()
