"""The engine of a PostgreSQL server, and its errors translated into ours, each with what to do next.

SQLAlchemy notices a lost connection, drops the pool's other connections, too, and opens new ones at the next
transaction. So nothing here reconnects: the interrupted caller runs its transaction again.

Not covered: starting a server (`beyond/embedded_postgresql.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, func, select
from sqlalchemy import exc as sqlalchemy_errors

from ..arguments import masked
from ..errors import (
    CannotOpen,
    ConnectionLost,
    DatabaseError,
    DatabaseReadOnly,
    DiskError,
    MissingExtra,
    SchemaMissing,
    ServerNotReached,
    install_line,
)

LOWEST_POSTGRESQL = 14  # CREATE OR REPLACE TRIGGER
EXPECTED = "a path to a SQLite file, or postgresql+psycopg://user:password@host/database, expected"
# By default, libpq waits forever for a host that does not answer, and for hours for one that went silent. A URL may
# override these.
CONNECTION_TIMEOUTS = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Parts of libpq's messages for a failed connection (it gives no error code), and what to do about each.
REMEDIES = (
    ("password", "correct user and password in the URL; special characters are written as %40 for @"),
    ("role", "correct the user in the URL, or create it: createuser"),
    ("does not exist", "correct the database's name in the URL, or create it: createdb"),
    ("pg_hba.conf", "the server does not let this user in from here: ask for a line in its pg_hba.conf"),
    ("too many", "the server has no connection left: close others, or raise max_connections"),
    ("starting up", "try again in a moment"),
    ("shutting down", "start the server, then try again"),
    ("", "is the server running, and are host and port right?"),
)
SCHEMA_LOCK_KEY = 5_120_416  # an arbitrary number: the advisory lock held while tables are created or references set up
OUR_TABLES = ('"task"', '"orders"', '"taskref_schema"')
_LISTENS = "taskref_listens"  # an option of the engine
UNDEFINED_TABLE = "42P01"
# The server's error code -> our error, and what to do next
ERRORS_BY_CODE: dict[str, tuple[type[DatabaseError], str]] = {
    "25006": (DatabaseReadOnly, "a standby, or a server in the middle of a failover: a worker tries again by itself"),
    "53100": (DiskError, "the transaction was rolled back: free some space on the server, then try again"),
}


def server_engine(url: URL, transaction_pooler: bool = False) -> Engine:
    """An engine for a PostgreSQL server; nothing is connected yet. Raises CannotOpen for any other URL."""
    if url.get_backend_name() in ("postgres", "postgresql"):
        driver = url.drivername.partition("+")[2] or "psycopg"
        if driver != "psycopg":
            raise CannotOpen(f"the driver {driver!r} found, psycopg expected: write postgresql+psycopg:// in the URL")
        url = url.set(drivername="postgresql+psycopg")
    else:
        raise CannotOpen(f"no driver for {url.get_backend_name()!r} here: {EXPECTED}")
    options: dict[str, Any] = {name: value for name, value in CONNECTION_TIMEOUTS.items() if name not in url.query}
    if transaction_pooler:
        options["prepare_threshold"] = None
    try:
        # READ COMMITTED: the guards rely on it, because an UPDATE that had to wait evaluates its WHERE again on the
        # row as it is then. No limit on connections: a worker's heartbeat and its handler's transactions must not wait
        # for each other. The server's max_connections is the limit; reaching it raises an error of ours.
        engine = create_engine(url, isolation_level="READ COMMITTED", connect_args=options, max_overflow=-1)
    except ImportError as error:
        raise MissingExtra(f"PostgreSQL needs psycopg ({error}): {install_line('postgres')}") from None
    except (sqlalchemy_errors.ArgumentError, ValueError) as error:
        raise CannotOpen(f"{masked(str(url))} is not a database URL ({masked(str(error))}): {EXPECTED}") from None
    engine.update_execution_options(**{_LISTENS: not transaction_pooler})
    event.listen(engine, "handle_error", _raise_named)
    event.listen(engine, "connect", _refuse_an_old_server)
    return engine


def can_listen(engine: Engine) -> bool:
    """Whether a connection of this engine stays with one server process, so that LISTEN works."""
    return engine.get_execution_options().get(_LISTENS, True)


def one_opens_at_a_time(connection: Connection) -> None:
    """Make other programs wait with creating or checking the tables until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK_KEY)))


def _refuse_an_old_server(driver: Any, _: object) -> None:
    found = driver.info.server_version // 10_000
    if found < LOWEST_POSTGRESQL:
        raise CannotOpen(f"PostgreSQL {found} found, {LOWEST_POSTGRESQL} or newer needed: use a newer server")


def _raise_named(context: ExceptionContext) -> None:
    """Raise our error for a lost or refused connection, or for missing tables; otherwise leave SQLAlchemy's."""
    cause: Any = context.original_exception
    found = masked(" ".join(str(cause).split()))
    if context.connection is None:
        where = masked(str(context.engine.url)) if context.engine else "the server"
        remedy = next(remedy for piece, remedy in REMEDIES if piece in found)
        shown = cause if found == " ".join(str(cause).split()) else None  # otherwise the chain would show a password
        raise ServerNotReached(f"cannot open {where}: {found}: {remedy}") from shown
    if context.is_disconnect:
        raise ConnectionLost(
            f"the connection to the server was lost ({found}) and the transaction rolled back; if it was lost during"
            " COMMIT, the outcome is unknown: check before retrying, on a new connection"
        ) from cause
    code = getattr(cause, "sqlstate", None)
    if code in ERRORS_BY_CODE:
        name, remedy = ERRORS_BY_CODE[code]
        raise name(f"{found}; {remedy}") from cause
    if code == UNDEFINED_TABLE and any(table in found for table in OUR_TABLES):
        raise SchemaMissing(
            f"{found}: open_database(url) creates the tables; if they are there, correct the user's search_path"
        ) from cause
