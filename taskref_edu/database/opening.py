"""Open a database and create its tables if they are missing.

Not covered: migrations, and databases other than SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, text

from ..arguments import expect_seconds, masked, short
from ..clearing_trigger import qualify_clearing_functions
from ..errors import CannotOpen
from ..schema import EXTRA_DDL, OBJECTS, SCHEMA_VERSION, SchemaName, create_schema, names_of
from .file_check import VERSION, has_our_tables, translating_errors, url_of
from .forks import open_anew_after_fork
from .postgresql_engine import one_opens_at_a_time, server_engine
from .sqlite_engine import LOWEST_SQLITE, file_of, open_file
from .transactions import writing

LONGEST_TIMEOUT = 86_400  # seconds; SQLite counts milliseconds in 32 bits
Synchronous = Literal["NORMAL", "FULL"]


def open_database(
    where: str | os.PathLike[str] | None = None,
    *,
    schema: SchemaName | None = None,
    synchronous: Synchronous = "NORMAL",
    timeout: float = 5.0,
    create: bool = True,
    transaction_pooler: bool = False,
) -> Engine:
    """Open the database at `where`, creating file and tables if they do not exist; return its engine.

    where: None for a new temporary file, removed at exit; a path; or a SQLAlchemy URL.
    schema: which approach's indexes and triggers a new database gets, by default "both"; "queue": only the table of
        tasks, for an application's own models.
    synchronous: NORMAL survives a crash of the program, but a power cut may lose the last commits.
        FULL survives that, too, and waits for the disk at each commit.
    timeout: seconds for which a writer waits for another one.
    create: False to open an existing database only; nothing is created.
    transaction_pooler: True behind PgBouncer in transaction mode, where each transaction may run on another server
        connection: no prepared statements, and no LISTEN, so idle workers poll twice a second.

    Raises CannotOpen or SchemaTooNew, and then has changed nothing.
    """
    expect_seconds("timeout", timeout, highest=LONGEST_TIMEOUT)
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        raise CannotOpen(f"SQLite {sqlite3.sqlite_version} found, 3.35 or newer needed: use a newer Python build")
    if schema is not None and schema not in EXTRA_DDL:
        raise CannotOpen(f"schema {short(schema)} found, one of {', '.join(EXTRA_DDL)} expected")
    if synchronous not in ("NORMAL", "FULL"):
        raise CannotOpen(f"synchronous {short(synchronous)} found, NORMAL or FULL expected")
    url = None if where is None else url_of(where)
    if url is not None and url.get_backend_name() != "sqlite":
        engine = server_engine(url, transaction_pooler)
        open_anew_after_fork(engine)
    else:
        engine = open_file(url, synchronous, timeout, create, schema)
    try:
        where = file_of(engine) or masked(str(engine.url))
        with translating_errors(where), writing(engine) as session:
            _create_or_check(session.connection(), schema, where, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _create_or_check(connection: Connection, schema: SchemaName | None, where: Path | str, create: bool) -> None:
    one_opens_at_a_time(connection)
    dialect = connection.dialect
    names = {"names": list(names_of(schema or "both", dialect))}
    found = [tuple(row) for row in connection.execute(text(OBJECTS[dialect.name]), names)]
    if has_our_tables(found, partial(connection.execute, text(VERSION)), schema, create, dialect, where):
        if dialect.name == "postgresql":
            qualify_clearing_functions(connection, str(where))
        return
    create_schema(connection, schema or "both")
    connection.execute(text("CREATE TABLE taskref_schema (version INTEGER NOT NULL, name TEXT NOT NULL)"))
    values = {"version": SCHEMA_VERSION, "name": schema or "both"}
    connection.execute(text("INSERT INTO taskref_schema VALUES (:version, :name)"), values)
