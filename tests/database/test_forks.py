"""A child that is forked while its parent writes: SQLite's locks of that moment stay in its memory for good."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

FORKING = """
import os, sys, threading, warnings
from sqlalchemy import text
from sqlalchemy.orm import Session
from taskref_edu import TaskQueue, Worker, errors, open_database, reading, writing
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads
path, how = sys.argv[1:]
engine = open_database(path, timeout=1)
queue = TaskQueue(engine)
begun, forked = threading.Event(), threading.Event()
INSERT = text("INSERT INTO orders (customer, amount, status) VALUES ('x', 1, 'new')")

def other():
    if how == "between transactions":
        with writing(engine) as session:
            session.execute(INSERT)
        worker = Worker(queue)
        worker.run_until_idle()
        begun.set()
        forked.wait()
    elif how == "deferred":
        with Session(engine) as session:
            session.execute(INSERT)
            begun.set()
            forked.wait()
            session.commit()
    else:
        with (reading if how == "reading" else writing)(engine) as session:
            session.connection()
            begun.set()
            forked.wait()
            if how == "writing":
                session.execute(INSERT)

def child(act):
    try:
        act()
        print("worked", flush=True)
    except errors.ForkedWhileWriting as error:
        print("refused", "subprocess" in str(error), flush=True)
    except errors.DatabaseLocked:
        print("locked", flush=True)
    finally:
        os._exit(0)

def enqueue(engine):
    with writing(engine) as session:
        queue.enqueue(session, "x")

def in_child(act):
    pid = os.fork()
    if not pid:
        child(act)
    os.waitpid(pid, 0)

if how == "its own":
    with writing(engine) as session:
        session.execute(INSERT)
        pid = os.fork()
        if not pid:
            child(session.commit)
        os.waitpid(pid, 0)
else:
    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    in_child(lambda: enqueue(engine))
    in_child(lambda: enqueue(open_database(path, timeout=1)))
    forked.set()
    thread.join()
in_child(lambda: enqueue(engine))
"""


@pytest.mark.parametrize(
    ("how", "said", "orders"),
    [
        ("writing", ["refused True", "refused True", "worked"], 1),
        ("deferred", ["refused True", "refused True", "worked"], 1),
        ("reading", ["worked", "worked", "worked"], 0),
        pytest.param("between transactions", ["worked", "worked", "worked"], 1, marks=pytest.mark.nightly),
        pytest.param("its own", ["refused False", "worked"], 1, marks=pytest.mark.nightly),
    ],
)
def test_a_child_forked_while_somebody_writes_is_refused_by_name(
    tmp_path: Path, how: str, said: list[str], orders: int
) -> None:
    """On the engine that it inherited, and on a new one; the parent's transaction is not touched."""
    path = tmp_path / "x.db"
    command = [sys.executable, "-c", FORKING, str(path), how]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == said
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (orders,)
