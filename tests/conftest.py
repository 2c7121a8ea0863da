"""Fixtures of the core: a database of each kind, a queue on it, and a clock that the test moves."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session

from taskref_edu import Order, Task, TaskQueue, errors, open_database, reading, writing
from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.cli.launch import UNUSED_PARSER
from taskref_edu.queue.running_task import RunningTask
from taskref_edu.schema import SchemaName

# One server for all tests that need one: they run one after the other, in the same process.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))
# Left out of a bare `pytest`, which ends within a minute; `make test` runs them.
THOROUGH = (
    "tests/exercises/test_break_the_worker.py",
    "tests/exercises/test_catalog.py",
    "tests/grading/",
    "tests/lab/explorer/test_as_written.py",
    "tests/lab/explorer/test_library.py",
    "tests/queue/test_claims.py",
    "tests/cli/test_launch.py",
    "tests/queue/test_machine.py",
    "tests/tools/test_setup.py",
    "tests/widgets/",
    "a_handler_that_takes_long",
    "postgresql",
)
# nbformat imports it, too, which takes 1.5 seconds in each process.
sys.modules.setdefault(UNUSED_PARSER, None)  # type: ignore[arg-type]
OpenDatabase = Callable[..., Engine]
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(part in item.nodeid for part in THOROUGH):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Two processes more than there are cores: many tests wait for a browser, a server or a child."""
    return (yield) + 2


@pytest.fixture(scope="session", autouse=True)
def a_profile_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """IPython in the tests neither reads nor writes the profile of whoever runs them; perhaps there is no home."""
    os.environ["IPYTHONDIR"] = str(tmp_path_factory.mktemp("ipython"))


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
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        _empty(url)
    engines: list[Engine] = []

    def open_fresh(schema: SchemaName = "both", **keywords: float) -> Engine:
        engine = open_database(url or tmp_path / "tasks.db", schema=schema, **keywords)  # type: ignore[arg-type]
        engines.append(engine)
        return engine

    yield open_fresh
    for engine in engines:
        engine.dispose()


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


@pytest.fixture
def empty_postgresql_url(postgresql_url: str) -> str:
    """Its database without any table."""
    _empty(postgresql_url)
    return postgresql_url


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
        for statement in ("DELETE FROM orders", "DELETE FROM task"):
            session.execute(text(statement))
        session.execute(text("SELECT setval('task_id_seq', 1, false), setval('orders_id_seq', 1, false)"))
    return postgresql_engine


def _empty(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET client_min_messages = warning"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


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


def enqueue(queue: TaskQueue, type: str = "work", payload: object = None, **keywords: object) -> Task:
    """Enqueue in a transaction of its own."""
    with writing(queue.engine) as session:
        return queue.enqueue(session, type, payload, **keywords)  # type: ignore[arg-type]


def row(queue: TaskQueue, task_id: int | None) -> Task:
    """The task as it is in the database."""
    with reading(queue.engine) as session:
        return session.get_one(Task, task_id)


def scalar(engine: Engine, sql: str) -> object:
    """What a query with one value returns."""
    with engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for a condition; an error if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
