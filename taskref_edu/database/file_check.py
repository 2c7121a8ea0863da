"""Checks a file before it is opened as a database, so that nothing is changed in a file that is not ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Dialect, make_url
from sqlalchemy import exc as sqlalchemy_errors

from ..arguments import masked, short
from ..errors import CannotOpen, DatabaseError, SchemaTooNew
from ..schema import OBJECTS, SCHEMA_VERSION, SchemaName, foreign_object
from .error_names import translated

VERSION = "SELECT version, name FROM taskref_schema"


def url_of(where: str | os.PathLike[str]) -> URL:
    """A path or a URL as a URL."""
    if not (isinstance(where, str) and "://" in where):
        if isinstance(where, str) and where.startswith("file:"):
            raise CannotOpen(f"{where!r} is a URI of SQLite: give the path alone, and write ./file:… for such a name")
        return URL.create("sqlite", database=_text(os.fspath(where)))
    try:
        url = make_url(where)
    except (sqlalchemy_errors.ArgumentError, ValueError) as error:
        raise CannotOpen(f"{short(where)} is not a database URL: {masked(str(error))}") from None
    if "@" in (url.host or ""):  # SQLAlchemy ended the password at the first @, and would show the rest of it
        raise CannotOpen("a URL with more than one @ found: write one inside a password as %40")
    if url.get_backend_name() == "sqlite" and url.query:
        raise CannotOpen(f"options found in {short(where)}, none expected for a file: leave out what follows the ?")
    return url


def check_file(path: Path, create: bool, schema: SchemaName | None) -> None:
    """Raise CannotOpen or SchemaTooNew unless `path` can be opened as our database; create it if it is missing."""
    try:
        _check(path, create, schema)
    except OSError as error:
        raise CannotOpen(f"cannot look at {path}: {error.strerror}. Choose another name or folder") from None


def uri(path: Path, mode: str) -> str:
    """The path as SQLite's URI, encoded from bytes, because a file's name need not be valid text."""
    return f"file:{quote(os.fsencode(path))}?mode={mode}"


def has_our_tables(
    found: Collection[tuple[str, str]],
    read_version: Callable[[], Any],
    schema: SchemaName | None,
    create: bool,
    dialect: Dialect,
    where: Path | str,
) -> bool:
    """Whether a database has our tables; CannotOpen or SchemaTooNew if they cannot be used, or not be created.

    found: as OBJECTS returns it. read_version: runs VERSION. Writes nothing.
    """
    if ("table", "taskref_schema") in found:
        check_version(read_version().fetchone(), schema, where)
        if ("table", "task") not in found:
            raise CannotOpen(
                f"{where} has a table taskref_schema and no table task: somebody dropped it; "
                "put a backup back, or use another file or database"
            )
        return True
    if not create:
        raise CannotOpen(f"{where} holds no tasks: no table taskref_schema found; nothing was created")
    if problem := foreign_object(schema or "both", dialect, found):
        raise CannotOpen(f"{where}: {problem}")
    return False


def check_version(found: Any, schema: SchemaName | None, where: Path | str) -> None:
    """Raise SchemaTooNew or CannotOpen unless this row of taskref_schema names a schema that we can use."""
    version, name = found if found is not None else (None, None)
    if not isinstance(version, int) or version < 1:
        raise CannotOpen(
            f"{where} has schema version {version!r}, a number from 1 to {SCHEMA_VERSION} expected: "
            "somebody changed its table taskref_schema; put a backup back, or use another file"
        )
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{where} has schema version {version}, this package knows {SCHEMA_VERSION}: update taskref_edu"
        )
    if schema not in (None, name):
        raise CannotOpen(
            f"{where} has the schema {name!r}, {schema!r} was asked for: leave it out, or use another file"
        )


@contextmanager
def translating_errors(where: Path | str) -> Iterator[None]:
    """Raise CannotOpen for errors of the driver, with the place in the message."""
    try:
        yield
    except (CannotOpen, SchemaTooNew):
        raise
    except DatabaseError as error:
        raise CannotOpen(f"cannot open {error}") from error
    except (sqlite3.Error, sqlalchemy_errors.DBAPIError) as error:
        cause = getattr(error, "orig", None) or error
        name = translated(error, where if isinstance(where, Path) else None)
        raise CannotOpen(f"cannot open {name or f'{where}: {cause}'}") from error


def _check(path: Path, create: bool, schema: SchemaName | None) -> None:
    if not path.parent.is_dir():
        raise CannotOpen(f"folder {path.parent} not found: create it, or leave the path out for a temporary file")
    if not path.exists():
        if not create:
            raise CannotOpen(f"{path} not found: look at the name and the folder; nothing was created")
        _create_empty(path)
    elif not path.is_file():
        raise CannotOpen(f"{path} is not a file: name a file inside it")
    elif not os.access(path, os.R_OK):
        raise CannotOpen(f"{path} may not be read: change its permissions, or use another file")
    elif not os.access(path, os.W_OK):
        raise CannotOpen(f"{path} is read-only: change its permissions, or work on a copy")
    else:
        from sqlalchemy.dialects import sqlite  # here, so that importing this package does not import it

        with closing(sqlite3.connect(uri(path, "ro"), uri=True)) as connection, translating_errors(path):
            found = _objects(connection, path)
            has_our_tables(found, partial(connection.execute, VERSION), schema, create, sqlite.dialect(), path)


def _objects(connection: sqlite3.Connection, path: Path) -> list[tuple[str, str]]:
    """What is in the file, as OBJECTS returns it.

    SQLite reads it, never we: when a process closes a file, POSIX drops the locks that its other connections hold on
    it. Another process would then take itself for the last one, and delete the log of those that are still in use.
    """
    try:
        return connection.execute(OBJECTS["sqlite"]).fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB and not path.read_bytes().startswith(b"SQLite format 3\0"):
            reason = "is not a SQLite database: choose another name; the file was left as it is"
            raise CannotOpen(f"{path} {reason}") from None
        raise


def _create_empty(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise CannotOpen(f"cannot create {path}: {error.strerror}. Choose a folder that you may write to") from None


def _text(path: Any) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{short(path)} found, a path as text or a pathlib.Path expected")
    if "\x00" in path:
        raise ValueError(f"{short(path)} found, a path without NUL expected")
    return path
