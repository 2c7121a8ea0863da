"""Everybody at once, for two seconds; `make soak` takes a minute, and looks at the figures more closely."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taskref_edu.database.sqlite_engine import LOG_BYTES

from .load import load
from .memory import memory

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no fork server on Windows"),
]


def test_everybody_at_once(tmp_path: Path) -> None:
    """A worker waits for less than a second; the machine may be busy with another test, so less than five here."""
    found = load(tmp_path / "x.db", seconds=1.5, pause=0.02)
    assert found.errors == set()
    assert found.tasks > 20
    assert found.longest_wait_of_a_worker < 5
    assert found.largest_wal <= 2 * LOG_BYTES


def test_a_worker_does_not_grow(tmp_path: Path) -> None:
    found = memory(tmp_path / "x.db", tasks=6_000)
    assert found.late < found.early * 1.2
