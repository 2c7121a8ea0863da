"""Waiting for one's turn to write: nobody is overtaken for long, and everything else waits as SQLite does."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, errors, open_database, reading, writing
from taskref_edu.database.observed_connection import Connection
from taskref_edu.database.sqlite_engine import sqlite_engine
from taskref_edu.lab import capture_sql
from tests.conftest import in_transaction, new_orders


@contextmanager
def somebody_writes_for(engine: Engine, seconds: float) -> Iterator[None]:
    """Another thread holds the write lock when the block begins, and lets go after so many seconds."""
    holds = threading.Event()

    def hold() -> None:
        with writing(engine):
            holds.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(10)
    yield
    thread.join()


@pytest.mark.slow
def test_a_writer_among_many_is_not_overtaken_for_long(tmp_path: Path) -> None:
    """Six who write all the time, 4 ms each. With SQLite's own waiting, one has nearly all the turns."""
    engine = open_database(tmp_path / "x.db", timeout=30.0)
    until, longest = time.monotonic() + 2.0, list[float]()

    def write_again_and_again() -> None:
        waits = [0.0]
        while time.monotonic() < until:
            begun = time.monotonic()
            with writing(engine):
                waits.append(time.monotonic() - begun)
                time.sleep(0.004)
        longest.append(max(waits))

    threads = [threading.Thread(target=write_again_and_again) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert max(longest) < 1.0


def test_a_plain_session_waits_after_writing_has_used_its_connection(sqlite: Engine) -> None:
    new_orders(sqlite, 1)
    with somebody_writes_for(sqlite, 0.3):
        with Session(sqlite) as session:  # deferred: its first write waits, in SQLite
            session.add(Order(customer="x", amount=1))
            session.commit()


def test_it_is_one_statement_however_often_it_asks(sqlite: Engine) -> None:
    with somebody_writes_for(sqlite, 0.1):
        with capture_sql(sqlite) as statements, writing(sqlite):
            pass
    assert [statement.sql for statement in statements].count("BEGIN IMMEDIATE") == 1


def test_the_wait_ends_with_the_timeout(sqlite: Engine, tmp_path: Path) -> None:
    hasty = open_database(tmp_path / "tasks.db", timeout=0.2)
    with somebody_writes_for(sqlite, 0.6):
        begun = time.monotonic()
        with pytest.raises(errors.DatabaseLocked), writing(hasty):
            pass
        assert 0.2 <= time.monotonic() - begun < 0.6
    new_orders(hasty, 1)
    hasty.dispose()


def test_begin_inside_a_transaction_is_refused_and_commits_nothing(sqlite: Engine) -> None:
    pooled = sqlite.raw_connection()
    driver = pooled.driver_connection
    assert isinstance(driver, Connection)
    driver.execute("BEGIN IMMEDIATE")
    driver.execute("INSERT INTO orders (customer, amount, status) VALUES ('x', 1, 'new')")
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        driver.execute("BEGIN IMMEDIATE")
    pooled.close()
    assert in_transaction(sqlite, lambda session: session.execute(text("SELECT count(*) FROM orders")).scalar()) == 0


def test_without_a_write_ahead_log_a_commit_waits_for_readers(tmp_path: Path) -> None:
    """Where a file system has no shared memory, SQLite keeps a rollback journal."""
    open_database(tmp_path / "x.db").dispose()
    engine, reads = sqlite_engine(tmp_path / "x.db", journal="DELETE"), threading.Event()

    def read() -> None:
        with reading(engine) as session:
            session.execute(text("SELECT count(*) FROM orders"))
            reads.set()
            time.sleep(0.3)

    thread = threading.Thread(target=read)
    thread.start()
    assert reads.wait(10)
    new_orders(engine, 1)
    thread.join()
    engine.dispose()
