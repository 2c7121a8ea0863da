"""The yardsticks: queues written by hand with the driver, as short as they can be.

`Bare` has a table of four columns and no guards: about as fast as SQLite can be asked one task at a time.
`Guarded` works on our tables with our guards. Claim and completion are two transactions in both.
`in_a_session` only enqueues, in SQLAlchemy's sessions.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from taskref_edu import open_database
from taskref_edu.database.sqlite_engine import CHECKPOINT_BYTES

Handler = Callable[[object], None]
LEASE = timedelta(seconds=30)
BARE_TABLE = """
CREATE TABLE job (id INTEGER PRIMARY KEY, type TEXT NOT NULL, payload TEXT, status TEXT NOT NULL DEFAULT 'pending');
CREATE INDEX job_pending ON job (id) WHERE status = 'pending';
"""


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection with the settings that open_database() makes for each."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // page_size}")
    return connection


class Bare:
    """Four columns, a partial index, no guard, no lease.

    page_size: bytes; 4,096 unless an application says so. open_database() says PAGE_BYTES.
    """

    def __init__(self, path: Path, synchronous: str = "NORMAL", *, page_size: int = 4_096) -> None:
        with closing(sqlite3.connect(path)) as new:
            new.execute(f"PRAGMA page_size = {page_size}")
            new.execute("VACUUM")  # writes the first page: from then on the size is the file's
        self.connection = connect(path, synchronous)
        self.connection.executescript(BARE_TABLE)

    def enqueue(self, payload: object) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO job (type, payload) VALUES ('work', ?)", (json.dumps(payload),))
        execute("COMMIT")

    def enqueue_many(self, payloads: list[object]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        rows = ((json.dumps(payload),) for payload in payloads)
        self.connection.executemany("INSERT INTO job (type, payload) VALUES ('work', ?)", rows)
        self.connection.execute("COMMIT")

    def drain(self, handler: Handler, limit: int = sys.maxsize) -> int:
        """Run pending jobs, at most `limit`; how many."""
        execute, count = self.connection.execute, 0
        while count < limit:
            execute("BEGIN IMMEDIATE")
            row = execute(
                "UPDATE job SET status = 'running' WHERE id = (SELECT id FROM job WHERE status = 'pending'"
                " ORDER BY id LIMIT 1) RETURNING id, payload"
            ).fetchone()
            execute("COMMIT")
            if row is None:
                break
            handler(json.loads(row[1]))
            execute("BEGIN IMMEDIATE")
            execute("UPDATE job SET status = 'done' WHERE id = ?", (row[0],))
            execute("COMMIT")
            count += 1
        return count

    def close(self) -> None:
        self.connection.close()


class Guarded:
    """Our tables, our guards: status and lease token in every change, the lease and the times kept.

    clears: the loop clears the order's reference itself, in the transaction that completes the task.
    """

    def __init__(self, path: Path, synchronous: str = "NORMAL", *, schema: str = "both", clears: bool = False) -> None:
        engine = open_database(path, schema=schema)  # type: ignore[arg-type]
        engine.dispose()
        self.clears = clears
        self.connection = connect(path, synchronous)

    def enqueue(self, payload: object) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        execute(INSERT, new_row(payload))
        execute("COMMIT")

    def enqueue_many(self, payloads: list[object]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(INSERT, map(new_row, payloads))
        self.connection.execute("COMMIT")

    def drain(self, handler: Handler, limit: int = sys.maxsize) -> int:
        """Run due tasks, at most `limit`; how many."""
        execute, count = self.connection.execute, 0
        while count < limit:
            now = datetime.now(UTC)
            started, until = stored(now), stored(now + LEASE)
            execute("BEGIN IMMEDIATE")
            row = execute(CLAIM, (until, started, started)).fetchone()
            execute("COMMIT")
            if row is None:
                break
            handler(None if row[2] is None else json.loads(row[2]))
            finished = stored(datetime.now(UTC))
            execute("BEGIN IMMEDIATE")
            execute(COMPLETE, (finished, row[0], row[4]))
            if self.clears:
                execute("UPDATE orders SET processing_task_id = NULL WHERE processing_task_id = ?", (row[0],))
            execute("COMMIT")
            count += 1
        return count

    def close(self) -> None:
        self.connection.close()


def in_a_session(folder: Path, payload: object, count: int) -> dict[str, float]:
    """Enqueue in plain sessions that only hand an INSERT to the driver: what SQLAlchemy's session costs by itself."""
    engine = open_database(folder / "session.db")
    begun = time.perf_counter()
    for _ in range(count):
        with Session(engine) as session:
            driver = session.connection().connection.driver_connection
            driver.execute(INSERT, new_row(payload))  # type: ignore[union-attr]
            session.commit()
    rate = count / (time.perf_counter() - begun)
    engine.dispose()
    return {"enqueue": rate}


INSERT = """INSERT INTO task (type, payload, status, attempt, max_attempts, lease_token, available_at, created_at)
VALUES ('work', ?, 'pending', 0, 3, 0, ?, ?)"""
CLAIM = """UPDATE task SET status = 'running', attempt = attempt + 1, lease_token = lease_token + 1,
lease_expires_at = ?, started_at = ?
WHERE id = (SELECT id FROM task WHERE status = 'pending' AND available_at <= ? ORDER BY available_at, id LIMIT 1)
AND status = 'pending' RETURNING id, type, payload, attempt, lease_token"""
COMPLETE = """UPDATE task SET status = 'succeeded', lease_expires_at = NULL, finished_at = ?, error = NULL
WHERE id = ? AND status = 'running' AND lease_token = ?"""


def new_row(payload: object) -> tuple[str | None, str, str]:
    """The parameters of INSERT."""
    now = stored(datetime.now(UTC))
    return None if payload is None else json.dumps(payload), now, now


def stored(moment: datetime) -> str:
    """A time as our tables keep it."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def count(path: Path, sql: str) -> int:
    """The one number that `sql` gives."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchone()[0]
