"""The write-ahead log grows to the length that SQLite gives it, further while somebody reads, and is cut afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from taskref_edu import Task, TaskQueue, open_database, reading, writing
from taskref_edu.database.sqlite_engine import CHECKPOINT_BYTES, LOG_BYTES

from .load import wal_size

pytestmark = pytest.mark.fault


def test_the_log_is_cut_once_a_long_reader_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_database(path)
    queue = TaskQueue(engine)

    def write(transactions: int) -> None:
        for _ in range(transactions):
            with writing(engine) as session:
                queue.enqueue_many(session, "work", ["x" * 2_000] * 50)

    with reading(engine) as session:
        session.exec(select(Task)).all()
        write(100)
        assert wal_size(path) > LOG_BYTES
    write(20)
    assert 0 < wal_size(path) <= LOG_BYTES
    engine.dispose()


def test_the_file_is_written_once_the_log_is_as_long_as_of_pages_of_the_usual_size(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_database(path)
    queue = TaskQueue(engine)
    before, written = 0, path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == written:
        before = wal_size(path)
        with writing(engine) as session:
            queue.enqueue_many(session, "work", ["x" * 1_000] * 20)
    assert before < CHECKPOINT_BYTES * 1.02  # a frame is a page and 24 bytes
    assert wal_size(path) > CHECKPOINT_BYTES
    engine.dispose()
