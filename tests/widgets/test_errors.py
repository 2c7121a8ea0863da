"""Whatever the database does, the panel says it in its status line and goes on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, open_database
from tests.conftest import until

from .conftest import Hand

OpenPanel = Callable[..., Hand]
pytestmark = pytest.mark.fault


def remove(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def test_a_deleted_file__then_put_back(open_panel: OpenPanel, database: Engine, tmp_path: Path):
    hand = open_panel()
    hand.click("new_order", "order 1: new")
    hand.panel.queue.engine.dispose()
    file, copy = tmp_path / "tasks.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    remove(file)
    hand.reads("was deleted: put it back")
    hand.click("pay")
    hand.click("start")
    until(lambda: "blocked: DatabaseGone" in hand.worker())
    shutil.move(copy, file)
    until(lambda: "was deleted" not in hand.panel.status or "order" in hand.panel.status)
    hand.click("pay", "order 1: payment enqueued as task 1")
    until(lambda: "succeeded" in hand.tasks()[0])


def test_a_click_while_the_file_is_gone_says_so(open_panel: OpenPanel, tmp_path: Path):
    hand = open_panel()
    remove(tmp_path / "tasks.db")
    hand.click("new_order", "DatabaseGone")


def test_a_locked_database(open_panel: OpenPanel, tmp_path: Path):
    impatient = open_database(tmp_path / "locked.db", timeout=0.1)
    hand = open_panel(queue=TaskQueue(impatient))
    with closing(sqlite3.connect(tmp_path / "locked.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        hand.click("new_order", "database is locked")
        assert "SELECT" not in hand.panel.status
        assert "http" not in hand.panel.status
        hand.click("start")
        until(lambda: "blocked: DatabaseLocked" in hand.worker())
        other.execute("ROLLBACK")
    hand.click("new_order", "order 1: new")
    until(lambda: hand.worker() == "○ idle")
    hand.panel.stop()
    impatient.dispose()


def test_tables_that_are_gone(open_panel: OpenPanel, tmp_path: Path):
    hand = open_panel()
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as other:
        other.execute("ALTER TABLE orders RENAME TO away")
        hand.reads("no such table: orders")
        other.execute("ALTER TABLE away RENAME TO orders")
    hand.click("new_order", "order 1: new")


def test_a_handler_that_raises_is_shown_at_its_task(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database, max_attempts=1)

    @queue.handler("process_payment")
    def fail(task):
        raise ValueError("<b>no such card</b>")

    hand = open_panel(queue=queue)
    hand.pay_new_orders(1)
    hand.click("step")
    until(lambda: "✖ failed" in hand.tasks()[0])
    assert "ValueError: <b>no such card</b>" in hand.tasks()[0]
    assert "<b>" not in hand.panel.views[0].static()


@pytest.mark.nightly
def test_nothing_is_printed(open_panel: OpenPanel, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    hand = open_panel()
    hand.pay_new_orders(1)
    hand.click("start")
    remove(tmp_path / "tasks.db")
    hand.reads("was deleted")
    hand.panel.stop()
    assert capfd.readouterr() == ("", "")
