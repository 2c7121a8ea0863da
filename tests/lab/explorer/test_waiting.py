"""Who waits in the explorer: exactly who waits on two real connections with a real busy timeout."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import writing
from taskref_edu.lab import explore
from taskref_edu.lab.explorer import errors
from taskref_edu.lab.explorer.experiment import Experiment
from taskref_edu.lab.explorer.exploration import Exploration
from taskref_edu.lab.explorer.schedule_outcome import Limits
from tests.lab.explorer.actors import driver, nothing, one_order

READ = "SELECT * FROM orders"
WRITE = "UPDATE orders SET amount = 1"
NO_ROW = "UPDATE orders SET amount = 1 WHERE id = 99"
IMMEDIATE = "BEGIN IMMEDIATE"
FAILS = "INSERT INTO orders (id) VALUES (1)"  # a constraint; inside a transaction it keeps the lock
CURSOR = "SELECT * FROM orders -- and the cursor is kept open"

# What A and B have done so far, what B does next, and what then happens.
WAL = [
    ("", WRITE, "done"),
    ("A BEGIN, A READ", WRITE, "done"),
    ("A BEGIN, A READ", IMMEDIATE, "done"),
    ("A IMMEDIATE", READ, "done"),
    ("A IMMEDIATE", "SELECT 1", "done"),
    ("A IMMEDIATE", WRITE, "waits"),
    ("A IMMEDIATE", NO_ROW, "waits"),
    ("A IMMEDIATE", IMMEDIATE, "waits"),
    ("A IMMEDIATE, A WRITE", IMMEDIATE, "waits"),
    ("A BEGIN, A WRITE", WRITE, "waits"),
    ("A BEGIN, A NO_ROW", WRITE, "waits"),
    ("A IMMEDIATE, B BEGIN", WRITE, "waits"),
    ("A IMMEDIATE, B BEGIN, B SELECT 1", WRITE, "waits"),
    ("A IMMEDIATE, B BEGIN, B READ", WRITE, "SQLITE_BUSY"),
    ("B BEGIN, B READ, A IMMEDIATE", WRITE, "SQLITE_BUSY"),
    ("B BEGIN, B READ, A IMMEDIATE", READ, "done"),
    ("B BEGIN, B READ, A WRITE", WRITE, "SQLITE_BUSY_SNAPSHOT"),
    ("B BEGIN, B READ, A WRITE", READ, "done"),
    ("B BEGIN, A WRITE", WRITE, "done"),
    ("A IMMEDIATE, B CURSOR", WRITE, "SQLITE_BUSY"),
    ("A IMMEDIATE, B CURSOR", IMMEDIATE, "SQLITE_BUSY"),
    ("B CURSOR, A WRITE", WRITE, "SQLITE_BUSY_SNAPSHOT"),
    ("A BEGIN, A READ, B IMMEDIATE, B WRITE", "COMMIT", "done"),
    ("A BEGIN, A FAILS", WRITE, "waits"),
    ("A BEGIN, A READ, A FAILS", IMMEDIATE, "waits"),
    ("A BEGIN, A FAILS, B BEGIN, B READ", WRITE, "SQLITE_BUSY"),
    ("A FAILS", WRITE, "done"),
    ("A BEGIN, A IMMEDIATE", WRITE, "waits"),
]
ROLLBACK_JOURNAL = [
    ("", WRITE, "done"),
    ("A IMMEDIATE", READ, "done"),
    ("A IMMEDIATE, A WRITE", READ, "done"),
    ("A IMMEDIATE", WRITE, "waits"),
    ("A IMMEDIATE", IMMEDIATE, "waits"),
    ("A BEGIN, A WRITE", WRITE, "waits"),
    ("A IMMEDIATE, B BEGIN, B READ", WRITE, "SQLITE_BUSY"),
    ("A BEGIN, A READ", IMMEDIATE, "done"),
    ("A BEGIN, A READ", WRITE, "waits"),
    ("A BEGIN, A READ", NO_ROW, "waits"),
    ("A BEGIN, A READ, B IMMEDIATE, B WRITE", "COMMIT", "waits"),
    ("A BEGIN, A READ, B IMMEDIATE", "COMMIT", "waits"),
    ("A BEGIN, A READ, B BEGIN, B READ", "COMMIT", "done"),
    ("A CURSOR, B IMMEDIATE, B WRITE", "COMMIT", "waits"),
    ("A BEGIN EXCLUSIVE", READ, "waits"),
    ("B BEGIN, B READ, A BEGIN, A WRITE", WRITE, "SQLITE_BUSY"),
]
CASES = [("wal", *case) for case in WAL] + [("delete", *case) for case in ROLLBACK_JOURNAL]
NAMED = {"READ": READ, "WRITE": WRITE, "NO_ROW": NO_ROW, "IMMEDIATE": IMMEDIATE, "FAILS": FAILS, "CURSOR": CURSOR}


def steps(before: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, before.split(", ")):
        who, _, sql = part.partition(" ")
        yield who, NAMED.get(sql, sql)


def run(connection: sqlite3.Connection, sql: str) -> sqlite3.Cursor | None:
    try:
        cursor = connection.execute(sql)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise
        return None  # a constraint, or a BEGIN inside a transaction
    if sql == CURSOR:
        return cursor
    cursor.fetchall()
    return None


@pytest.mark.parametrize(("journal", "before", "then", "expected"), CASES)
def test_on_real_connections(journal: str, before: str, then: str, expected: str, tmp_path: Path) -> None:
    """The oracle itself: SQLite, with another connection on another thread."""
    with closing(_connect(tmp_path, journal)) as a, closing(_connect(tmp_path, journal)) as b:
        a.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount); INSERT INTO orders VALUES (1, 0), (2, 0)"
        )
        kept = [run({"A": a, "B": b}[who], sql) for who, sql in steps(before)]
        outcome: list[str] = []
        thread = threading.Thread(target=lambda: outcome.append(_name(lambda: run(b, then))))
        thread.start()
        thread.join(0.2)
        assert (outcome or ["waits"]) == [expected]
        kept.clear()
        a.rollback()
        thread.join()
        assert outcome == ["done" if expected == "waits" else expected]


@pytest.mark.parametrize(("journal", "before", "then", "expected"), CASES)
def test_in_the_explorer(journal: Any, before: str, then: str, expected: str) -> None:
    def actor(letter: str) -> Callable[[Engine], None]:
        def function(engine: Engine) -> None:
            with driver(engine) as connection:
                try:
                    kept = [run(connection, sql) for who, sql in [*steps(before), ("B", then)] if who == letter]
                except sqlite3.OperationalError as error:
                    refused.append(error.sqlite_errorname)
                    raise
                if letter == "A":
                    run(connection, "SELECT 'A stands here'")
                kept.clear()

        return function

    functions, refused = [actor("A"), actor("B")], list[str]()
    with Exploration(Experiment(functions, nothing, one_order, journal=journal), Limits()) as exploration:
        outcome = exploration.start()
        actors = dict(zip("AB", exploration.actors, strict=True))
        for who, sql in steps(before):
            step = actors[who].step
            if step is not None and step.sql == sql:
                assert exploration.go(who, outcome)
        went = exploration.go("B", outcome)
        assert (refused or ["done" if went else "waits"]) == [expected]
        while actors["A"].step:
            assert exploration.go("A", outcome)
        if expected == "waits":
            assert exploration.go("B", outcome)
            assert not refused


def _connect(folder: Path, journal: str) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "real.db", timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    return connection


def _name(act: Callable[[], object]) -> str:
    try:
        act()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorname
    return "done"


class TestEverybodyWaits:
    @staticmethod
    def for_itself(engine: Engine) -> None:
        with writing(engine), writing(engine):
            pass

    @staticmethod
    def other_file(engine: Engine) -> None:
        with Session(engine) as session:
            session.execute(text(WRITE))
            with Session(engine) as other:
                other.execute(text(WRITE))

    def test_an_actor_that_waits_for_itself(self) -> None:
        found = explore([self.for_itself], setup=one_order, invariant=nothing)
        assert found.errors == ["A"]
        assert found.error_texts["A"] == ("A: Deadlock: A waits for itself (BEGIN IMMEDIATE)",)

    def test_the_others_wait_for_it_too(self) -> None:
        found = explore([self.for_itself, self.other_file], setup=one_order, invariant=nothing)
        assert found.errors == ["A", "B"]
        assert "B waits for A" in found.error_texts["A"][1]
        assert "A waits for B" in found.error_texts["B"][0]

    def test_the_invariant_is_told(self) -> None:
        def no_deadlock(_session: Session, errors: dict[str, BaseException]) -> list[str]:
            return [f"{letter}: {error}" for letter, error in errors.items()]

        found = explore([self.for_itself], setup=one_order, invariant=no_deadlock)
        assert not found.holds
        assert found.replay("A").broken == ("A: A waits for itself (BEGIN IMMEDIATE)",)

    def test_a_schedule_that_would_wait_cannot_be_replayed(self) -> None:
        def write(engine: Engine) -> None:
            with writing(engine):
                pass

        found = explore([write, write], setup=one_order, invariant=nothing)
        with pytest.raises(errors.NoSuchSchedule, match="'AB' cannot happen: after 'A', B waits for A"):
            found.replay("AB")
