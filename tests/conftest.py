"""Fixtures of the core: a database of each kind, a queue on it, and a clock that the test moves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import Engine, make_url, text
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, errors, open_database, writing
from taskref_edu.postgres import start_postgres
from taskref_edu.running import RunningTask
from taskref_edu.schema import SchemaName

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

# One server for all tests that need one: they run one after the other, in the same process.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))
# Left out of a bare `pytest`, which ends within a minute; `make test` runs them.
THOROUGH = (
    "tests/exercises/test_break_the_worker.py",
    "tests/exercises/test_catalog.py",
    "tests/grading/",
    "tests/lab/test_as_written.py",
    "tests/lab/test_library.py",
    "tests/test_claims.py",
    "tests/test_launch.py",
    "tests/test_machine.py",
    "tests/test_setup.py",
    "tests/widgets/",
    "a_handler_that_takes_long",
    "postgresql",
)
EMPTYING = (
    "DELETE FROM task",  # first: orders let go of their tasks, tasks of a schema not of their orders
    "DELETE FROM orders",
    "SELECT setval('task_id_seq', 1, false), setval('orders_id_seq', 1, false)",
)
OpenDatabase = Callable[..., Engine]
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(part in item.nodeid for part in THOROUGH):
            item.add_marker(pytest.mark.slow)


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", POSTGRESQL])
def open_any(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenDatabase]:
    """open_database() on a fresh database of each kind; the keywords are open_database's."""
    kept = request.getfixturevalue("kept_databases") if request.param == "postgresql" else None
    engines: list[Engine] = []

    def open_fresh(schema: SchemaName = "both", **keywords: float) -> Engine:
        where = kept.emptied(schema) if kept else tmp_path / "tasks.db"
        engine = open_database(where, schema=schema, **keywords)  # type: ignore[arg-type]
        engines.append(engine)
        return engine

    yield open_fresh
    for engine in engines:
        engine.dispose()


class KeptDatabases:
    """Databases on PostgreSQL, one for each schema: to empty the tables takes a tenth of the time of creating them."""

    def __init__(self) -> None:
        self._kept: dict[SchemaName, tuple[str, str]] = {}  # its URL, and what its catalog was when it was new

    def emptied(self, schema: SchemaName) -> str:
        """The URL of the one for `schema`, as it was when it was new."""
        url, catalog = self._kept.get(schema) or self._create(schema)
        with _connected(url) as connection:
            if _catalog(connection) == catalog:
                for statement in EMPTYING:
                    connection.execute(statement)
                return url
        return self._create(schema)[0]  # a test has changed more than rows

    def _create(self, schema: SchemaName) -> tuple[str, str]:
        url = start_postgres()
        open_database(url, schema=schema).dispose()
        with _connected(url) as connection:
            self._kept[schema] = url, _catalog(connection)
        return self._kept[schema]


@pytest.fixture(scope="session")
def kept_databases(postgresql_url: str) -> KeptDatabases:
    return KeptDatabases()


@pytest.fixture
def engine(open_any: OpenDatabase) -> Engine:
    return open_any()


@pytest.fixture
def queue(engine: Engine, clock: Clock) -> TaskQueue:
    return TaskQueue(engine, now=clock, jitter=lambda: 1.0)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "tasks.db")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_url() -> str:
    """A real PostgreSQL; where there is none for this platform, the tests are skipped, but never in CI."""
    try:
        return start_postgres()
    except errors.MissingExtra as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str) -> Iterator[Engine]:
    engine = open_database(start_postgres())
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql(postgresql_engine: Engine) -> Engine:
    """A database on PostgreSQL whose tables are empty; to create one each time would take far longer."""
    postgresql_engine.dispose()  # a test may have ended its connections
    with writing(postgresql_engine) as session:
        for statement in EMPTYING:
            session.execute(text(statement))
    return postgresql_engine


def _connected(url: str) -> Connection[TupleRow]:
    import psycopg

    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


def _catalog(connection: Connection[TupleRow]) -> str:
    """Every name that the database knows, and what it stands for, in one text."""
    (found,) = connection.execute(
        "SELECT coalesce(string_agg(what, ', ' ORDER BY what), '') FROM ("
        " SELECT concat('column ', attrelid::regclass, attname, atttypid, attnotnull) FROM pg_attribute"
        "  JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " UNION ALL SELECT concat('function ', proname, prosrc) FROM pg_proc"
        "  WHERE pronamespace = 'public'::regnamespace"
        ") AS found (what)"
    ).fetchone() or ("",)
    return found


def new_orders(engine: Engine, count: int = 3) -> list[Order]:
    """`count` orders whose ids are not those of the first tasks, read in a transaction that is over."""
    with writing(engine) as session:
        orders = [Order(id=101 + number, customer=f"customer {number}", amount=100) for number in range(count)]
        session.add_all(orders)
    return orders


def claim(queue: TaskQueue) -> RunningTask:
    """Claim one task in a transaction of its own; there must be one."""
    with writing(queue.engine) as session:
        task = queue.claim(session)
    assert task is not None
    return task


def in_transaction(engine: Engine, act: Callable[[Session], T]) -> T:
    """What `act` returns, run in a write transaction of its own."""
    with writing(engine) as session:
        return act(session)


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for a condition; an error if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
