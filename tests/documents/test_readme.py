"""The README's code runs, prints what it says, and its links lead somewhere."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN, PATTERN = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
(OUTPUT,) = re.findall(r"^```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_run_prints_what_the_readme_says() -> None:
    found = subprocess.run([sys.executable, "-W", "error", "-c", RUN], capture_output=True, text=True, check=True)
    assert found.stdout == OUTPUT


@pytest.fixture
def shop() -> tuple[sqlite3.Connection, dict]:
    names: dict = {}
    exec(PATTERN, names)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(names["SCHEMA"])
    connection.executemany("INSERT INTO orders (id) VALUES (?)", [(7,), (8,)])
    return connection, names


def test_the_pattern_to_take_home(shop: tuple[sqlite3.Connection, dict]) -> None:
    connection, pattern = shop
    enqueue, order_of = pattern["enqueue_payment_once"], pattern["order_of"]
    assert (enqueue(connection, 7), enqueue(connection, 7), enqueue(connection, 8)) == (1, None, 2)
    assert connection.execute("SELECT count(*) FROM task").fetchone() == (2,), "the loser leaves no task"
    assert (order_of(connection, 1), order_of(connection, 2), order_of(connection, 9)) == (7, 8, None)
    connection.execute("UPDATE task SET status = 'succeeded' WHERE id = 1")
    assert order_of(connection, 1) is None
    assert enqueue(connection, 7) == 3, "payable again, and the id is a new one"
    connection.execute("DELETE FROM task WHERE id = 3")
    assert connection.execute("SELECT processing_task_id FROM orders WHERE id = 7").fetchone() == (None,)


def test_the_pattern_is_short() -> None:
    code = [line for line in PATTERN.splitlines() if line.strip()]
    assert len(code) <= 36


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/RESULTS.md", *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_names_every_notebook_and_every_module() -> None:
    for notebook in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"notebooks/{notebook.name}" in README
    folders = {path.name for path in (ROOT / "taskref_edu").iterdir() if (path / "__init__.py").exists()}
    assert all(f"taskref_edu/{folder}" in README for folder in folders)
