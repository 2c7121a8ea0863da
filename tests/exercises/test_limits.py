"""A time limit stops the function that is over its time, and nobody else."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from taskref_edu.exercises.limits import Limited, OutOfTime

# The stop may fall into a callback of the garbage collector (Hypothesis has one), which swallows it; another follows.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
SHORT = FOREVER.replace("FROM n)", "FROM n LIMIT 20000)")


def test_sql_on_a_connection_of_the_run_is_interrupted() -> None:
    with pytest.raises(OutOfTime):
        Limited(0.1).run(lambda: sqlite3.connect(":memory:").execute(FOREVER))


def test_a_connection_of_somebody_else_goes_on(tmp_path: Path) -> None:
    """An interrupt of every connection in the process once broke the queries of other threads."""
    begun, over, errors, rounds = threading.Event(), threading.Event(), [], [0]

    def work() -> None:
        connection = sqlite3.connect(tmp_path / "x.db")
        while not over.is_set():
            try:
                connection.execute(SHORT).fetchall()
            except sqlite3.Error as error:
                errors.append(error)
            rounds[0] += 1
            begun.set()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    with pytest.raises(OutOfTime):
        Limited(0.2).run(lambda: sqlite3.connect(":memory:").execute(FOREVER))
    before = rounds[0]
    with pytest.raises(OutOfTime):
        Limited(0.2).run(_loop)
    over.set()
    thread.join()
    assert errors == []
    assert rounds[0] > before


def _loop() -> None:
    while True:
        pass
