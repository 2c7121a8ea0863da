"""README's pattern, from its very text: under every interleaving, every crash, and on a connection as it comes."""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu.lab import explore, explore_crashes

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PATTERN, USE = re.findall(r"^```python\n(.*?)^```", README.partition("## Take the pattern home")[2], re.DOTALL | re.M)
P: dict[str, Any] = {}
exec(PATTERN, P)
LATER = 1_000_000.0  # every lease of a claim at 0 is over


@contextmanager
def driver(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The connection of an engine of the explorer, without SQLAlchemy above it."""
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection  # type: ignore[misc]
    finally:
        pooled.close()


def shop(engine: Engine) -> None:
    """One order, and a table in which each payment leaves a row."""
    with driver(engine) as connection:
        connection.executescript(P["SCHEMA"])
        connection.execute("CREATE TABLE payment (order_id INTEGER)")
        connection.execute("INSERT INTO orders (id) VALUES (7)")


def shop_with_a_task(engine: Engine) -> None:
    shop(engine)
    click(engine)


def click(engine: Engine) -> int | None:
    with driver(engine) as connection, connection:
        return P["enqueue_payment_once"](connection, 7)


def click_after_a_read(engine: Engine) -> int | None:
    with driver(engine) as connection, connection:
        connection.execute("BEGIN")
        connection.execute("SELECT status FROM orders WHERE id = 7").fetchone()
        return P["enqueue_payment_once"](connection, 7)


def click_then_an_error(engine: Engine) -> None:
    with driver(engine) as connection, connection:
        P["enqueue_payment_once"](connection, 7)
        raise RuntimeError("after the enqueue")


def click_with_a_note(engine: Engine) -> None:
    """An error of the pattern's own statements that the caller catches: the rest of the transaction commits."""
    with driver(engine) as connection, connection:
        try:
            P["enqueue_payment_once"](connection, "no such order")
        except LookupError:
            connection.execute("UPDATE orders SET status = 'noted' WHERE id = 7")


def cancel(engine: Engine) -> bool:
    with driver(engine) as connection, connection:
        return P["cancel"](connection, 7)


def work(engine: Engine, now: float = 0.0) -> None:
    with driver(engine) as connection:
        with connection:
            claimed = P["claim"](connection, now)
        if claimed is None:
            return
        task_id, token, order_id = claimed
        with connection:
            P["complete"](connection, task_id, token)
            connection.execute("INSERT INTO payment VALUES (?)", (order_id,))
            connection.execute("UPDATE orders SET status = 'paid' WHERE id = ?", (order_id,))


def work_later(engine: Engine) -> None:
    work(engine, LATER)


def one(session: Session, query: str) -> int:
    return session.execute(text(query)).scalar_one()


def whole(session: Session) -> list[str]:
    """What holds at every moment."""
    live = "status IN ('pending', 'running')"
    broken = {
        "a live task without its order": f"SELECT count(*) FROM task WHERE {live}"
        " AND id NOT IN (SELECT processing_task_id FROM orders WHERE processing_task_id IS NOT NULL)",
        "an order that references no live task": "SELECT count(*) FROM orders WHERE processing_task_id IS NOT NULL"
        f" AND processing_task_id NOT IN (SELECT id FROM task WHERE {live})",
        "two live tasks": f"SELECT count(*) > 1 FROM task WHERE {live}",
        "paid twice": "SELECT count(*) > 1 FROM payment",
        "a payment without its completion": "SELECT (SELECT count(*) FROM payment)"
        " <> (SELECT count(*) FROM task WHERE status = 'succeeded')",
    }
    return [what for what, query in broken.items() if one(session, query)]


def only(*allowed: type[BaseException]) -> Callable[[Session, dict[str, BaseException]], list[str]]:
    """The invariant, and no error but these."""

    def holds(session: Session, errors: dict[str, BaseException]) -> list[str]:
        return whole(session) + [f"{error!r}" for error in errors.values() if not isinstance(error, allowed)]

    return holds


@pytest.mark.parametrize(
    ("actors", "setup", "errors"),
    [
        pytest.param([click, click], shop, (), id="two clicks"),
        pytest.param([click, click, click], shop, (), id="three clicks"),
        pytest.param([click, click_then_an_error], shop, RuntimeError, id="a click that fails"),
        pytest.param([click, click_with_a_note], shop, (), id="an error that is caught"),
        pytest.param([click_after_a_read, click_after_a_read], shop, sqlite3.OperationalError, id="after a read"),
        pytest.param([work, click], shop_with_a_task, (), id="a click while it works"),
        pytest.param([work, cancel], shop_with_a_task, (), id="cancelled"),
        pytest.param([work, work], shop_with_a_task, (), id="two workers"),
        pytest.param([work, work_later], shop_with_a_task, LookupError, id="a worker whose lease runs out"),
    ],
)
def test_every_interleaving(actors: list[Any], setup: Callable[[Engine], None], errors: Any) -> None:
    allowed = errors if isinstance(errors, tuple) else (errors,)
    found = explore(actors, setup=setup, invariant=only(*allowed), schema=None)
    assert found.count > 1
    assert found.holds, found


@pytest.mark.parametrize(
    ("actor", "setup", "recover"),
    [(click, shop, click), (click_after_a_read, shop, click), (work, shop_with_a_task, work_later)],
    ids=["click", "after a read", "work"],
)
def test_every_crash(actor: Any, setup: Any, recover: Any) -> None:
    def recovered(session: Session) -> list[str]:
        wanted = "SELECT count(*) FROM payment" if actor is work else "SELECT count(*) FROM task"
        return whole(session) + ([] if one(session, wanted) == 1 else ["not exactly once"])

    lost = explore_crashes(actor, setup=setup, recover=recover, invariant=recovered, schema=None)
    assert lost.count > 1
    assert lost.holds, lost


MODES: dict[str, dict[str, Any]] = {"as it comes": {}, "autocommit": {"isolation_level": None}}
if sys.version_info >= (3, 12):
    MODES["always in a transaction"] = {"autocommit": False}


@pytest.fixture(params=MODES)
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of the standard library with nothing set on it: no foreign keys, no journal mode."""
    connection = sqlite3.connect(tmp_path / "shop.db", **MODES[request.param])
    connection.executescript(P["SCHEMA"])
    with connection:
        connection.executemany("INSERT INTO orders (id) VALUES (?)", [(7,), (8,)])
    yield connection
    connection.close()


def rows(connection: sqlite3.Connection) -> tuple[list[Any], list[Any]]:
    return connection.execute("SELECT id, status FROM task").fetchall(), P["in_process"](connection)


def test_the_use_that_readme_shows(connection: sqlite3.Connection, tmp_path: Path) -> None:
    charged: list[int] = []
    names = {**P, "connection": connection, "time": time, "charge_the_card": charged.append}
    exec(USE, names)
    assert connection.execute("SELECT status FROM orders WHERE id = 7").fetchone() == ("paid",)
    assert rows(connection) == ([(1, "succeeded")], [])
    assert charged == [7]
    connection.close()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as other:
        assert other.execute("SELECT status FROM orders WHERE id = 7").fetchone() == ("paid",), "it was committed"


def test_a_task_whose_order_was_deleted_ends_without_a_charge(connection: sqlite3.Connection) -> None:
    with connection:
        P["enqueue_payment_once"](connection, 8)
        connection.execute("DELETE FROM orders WHERE id = 8")
    charged: list[int] = []
    worker = USE.partition("\n\n")[2]
    exec(worker, {**P, "connection": connection, "time": time, "charge_the_card": charged.append})
    assert rows(connection) == ([(1, "succeeded")], [])
    assert charged == []


def test_an_error_after_the_enqueue_takes_the_task_back(connection: sqlite3.Connection) -> None:
    with pytest.raises(RuntimeError), connection:
        P["enqueue_payment_once"](connection, 7)
        raise RuntimeError("after the enqueue")
    assert rows(connection) == ([], [])


def test_once_means_once__and_an_ended_task_frees_the_order(connection: sqlite3.Connection) -> None:
    enqueue = P["enqueue_payment_once"]
    with connection:
        assert (enqueue(connection, 7), enqueue(connection, 7), enqueue(connection, 8)) == (1, None, 2)
        assert P["in_process"](connection) == [7, 8]
        assert P["cancel"](connection, 7) is True
        assert P["cancel"](connection, 7) is False
        assert enqueue(connection, 7) == 3


def test_a_task_that_is_pruned_frees_its_order(connection: sqlite3.Connection) -> None:
    with connection:
        P["enqueue_payment_once"](connection, 7)
        connection.execute("DELETE FROM task")
        assert P["in_process"](connection) == []
        assert P["enqueue_payment_once"](connection, 7) == 2, "and no id is used twice"


def test_an_order_that_is_not_there_is_named(connection: sqlite3.Connection) -> None:
    with pytest.raises(LookupError, match="order 9 not found"), connection:
        P["enqueue_payment_once"](connection, 9)
    assert rows(connection) == ([], [])


def test_a_stale_worker_is_refused(connection: sqlite3.Connection) -> None:
    with connection:
        P["enqueue_payment_once"](connection, 7)
        stale, current = P["claim"](connection, 0.0), P["claim"](connection, 30.0)
    assert (stale, current, P["claim"](connection, 30.0)) == ((1, 1, 7), (1, 2, 7), None)
    connection.rollback()
    with pytest.raises(LookupError, match="lease token 1 is stale"), connection:
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = 7")
        P["complete"](connection, *stale[:2])
    with connection:
        P["complete"](connection, *current[:2], status="failed")
    assert rows(connection) == ([(1, "failed")], [])


def test_a_claim_reads_no_finished_task(connection: sqlite3.Connection) -> None:
    with connection:
        P["begin"](connection)
        connection.executemany("INSERT INTO task (type, status) VALUES ('', ?)", [("succeeded",)] * 1000)
        P["enqueue_payment_once"](connection, 7)
        steps: list[int] = []
        connection.set_progress_handler(lambda: steps.append(1), 1)
        assert P["claim"](connection, 0.0) == (1001, 1, 7)
        connection.set_progress_handler(None, 1)
    assert len(steps) < 200


def test_it_is_short() -> None:
    assert len([line for line in PATTERN.splitlines() if line.strip()]) <= 55


def test_a_connection_that_commits_nothing_at_the_end_of_a_block_is_refused(tmp_path: Path) -> None:
    """From Python 3.12 on. There, `with connection` would leave the transaction open, and its lock held."""

    class Connection(sqlite3.Connection):
        autocommit = True

    options: dict[str, Any] = {"autocommit": True} if sys.version_info >= (3, 12) else {"factory": Connection}
    connection = sqlite3.connect(tmp_path / "shop.db", **options)
    connection.executescript(P["SCHEMA"])
    with pytest.raises(ValueError, match="autocommit=True found: leave it out"), connection:
        P["enqueue_payment_once"](connection, 7)
    assert rows(connection) == ([], [])
    connection.close()
