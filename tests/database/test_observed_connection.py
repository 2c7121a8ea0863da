"""The connection that is observed, and waits for its turn to write."""

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

from taskref_edu import Order, Task, TaskQueue, errors, open_database, reading, writing
from taskref_edu.database.observed_connection import ObservedConnection
from taskref_edu.database.sqlite_engine import file_of, observers_of, sqlite_engine
from taskref_edu.lab import capture_sql
from tests.conftest import in_transaction, new_orders, scalar


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
    assert isinstance(driver, ObservedConnection)
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


class Recorder:
    """An observer that notes each statement."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def around(self, connection: ObservedConnection, sql: str, parameters: object, run):  # type: ignore[no-untyped-def]
        self.seen.append(sql)
        return run()


class TestObservers:
    def test_every_way_to_the_database_is_seen_once(self, sqlite: Engine) -> None:
        recorder = Recorder()
        with observers_of(sqlite).attached(recorder):
            with Session(sqlite) as session:
                session.execute(text("SELECT 1"))
                session.connection().exec_driver_sql("SELECT 2")
                session.connection().connection.driver_connection.execute("SELECT 3")  # type: ignore[union-attr]
                session.commit()
            raw = sqlite.raw_connection()
            raw.driver_connection.execute("SELECT 4")  # type: ignore[union-attr]
            raw.close()
        scalar(sqlite, "SELECT 5")
        assert recorder.seen == ["BEGIN", "SELECT 1", "SELECT 2", "SELECT 3", "COMMIT", "SELECT 4"]

    def test_a_trigger_is_not_a_statement(self, sqlite: Engine) -> None:
        queue, recorder = TaskQueue(sqlite), Recorder()
        with writing(sqlite) as session:
            task = queue.enqueue(session, "work")
        with observers_of(sqlite).attached(recorder), writing(sqlite) as session:
            queue.cancel(session, task.id or 0)
        assert [sql.split()[0] for sql in recorder.seen] == ["BEGIN", "UPDATE", "COMMIT"]

    def test_a_rollback_is_seen(self, sqlite: Engine) -> None:
        recorder = Recorder()
        with observers_of(sqlite).attached(recorder), Session(sqlite) as session:
            session.add(Task(type="work"))
            session.flush()
        assert recorder.seen[-1] == "ROLLBACK"

    def test_they_stand_around_each_other_and_go(self, sqlite: Engine) -> None:
        outer, inner = Recorder(), Recorder()
        with observers_of(sqlite).attached(inner):
            with observers_of(sqlite).attached(outer):
                scalar(sqlite, "SELECT 1")
            scalar(sqlite, "SELECT 2")
        assert outer.seen[:2] == ["BEGIN", "SELECT 1"]
        assert [sql for sql in inner.seen if "SELECT" in sql] == ["SELECT 1", "SELECT 2"]
        assert observers_of(sqlite).active == ()

    def test_derived_engines_and_a_disposed_one_share_them(self, sqlite: Engine) -> None:
        assert observers_of(sqlite.execution_options(x=1)) is observers_of(sqlite)
        before = observers_of(sqlite)
        sqlite.dispose()
        assert observers_of(sqlite) is before

    def test_two_engines_on_one_file_do_not(self, sqlite: Engine) -> None:
        path = file_of(sqlite)
        assert path
        other = sqlite_engine(path)
        assert observers_of(other) is not observers_of(sqlite)
        other.dispose()

    def test_a_strangers_engine_is_refused(self) -> None:
        from sqlalchemy import create_engine

        with pytest.raises(TypeError, match=r"only an engine of open_database\(\)"):
            observers_of(create_engine("sqlite://"))
