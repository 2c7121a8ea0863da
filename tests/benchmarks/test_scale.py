"""The benchmarks beyond one file run, on a few tasks: that a figure is there, not that it is good."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scale, scale_snapshots, scale_weights

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.nightly]


def test_a_worker_process_drains_it(postgresql_url: str, tmp_path: Path) -> None:
    found = scale.drain("fenced", 1, 10, tmp_path)
    assert found["rate"] > 0
    assert found["wrong"] == 0


def test_a_payment_is_weighed(postgresql_url: str) -> None:
    table = scale_weights.weights(20)
    assert len(table.rows) == 5
    assert all(isinstance(row[2], int) and row[2] > 100 for row in table.rows)


def test_an_old_transaction_is_measured(postgresql_url: str) -> None:
    ((ended, while_open, after),) = scale_snapshots.snapshots([50]).rows
    assert ended == "50"
    assert float(str(while_open)) > 0 < float(str(after))
