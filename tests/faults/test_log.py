"""The write-ahead log grows while somebody reads an old state, and is cut afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from taskref_edu import Task, TaskQueue, open_database, reading, writing
from taskref_edu.sqlite import LOG_BYTES

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
