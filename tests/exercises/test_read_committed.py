"""The model of PostgreSQL behind exercise 9.3, compared with a real server: every schedule and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text
from sqlmodel import Session

from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.beyond.explore_on_server import explore_on_server
from taskref_edu.database.postgresql_engine import server_engine
from taskref_edu.exercises.catalog._read_committed import REPEATABLE, Version, carry_out, every_schedule
from taskref_edu.exercises.catalog.e9_3_two_clicks_on_postgresql import VERSIONS

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]
TABLES = ("CREATE TABLE task (id BIGSERIAL PRIMARY KEY)", "CREATE TABLE orders (id INT PRIMARY KEY, task_id BIGINT)")


@pytest.fixture(scope="module")
def engine(postgresql_url: str) -> Iterator[Engine]:
    engine = server_engine(make_url(start_postgres()))
    with engine.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
    yield engine
    engine.dispose()


def start(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in ("DELETE FROM task", "DELETE FROM orders", "INSERT INTO orders VALUES (7)"):
            connection.execute(text(statement))


def tasks(session: Session) -> list[str]:
    return [str(session.execute(text("SELECT count(*) FROM task")).scalar_one())]


def really(version: Version) -> Callable[[Engine], None]:
    """The version on a connection of the server."""

    def actor(engine: Engine) -> None:
        with engine.connect() as connection:

            def run(sql: str, **values: Any) -> Any:
                if sql.startswith("BEGIN"):
                    if sql == REPEATABLE:
                        connection.execution_options(isolation_level="REPEATABLE READ")
                    return None
                if sql in ("COMMIT", "ROLLBACK"):
                    return connection.commit() if sql == "COMMIT" else connection.rollback()
                result = connection.execute(text(sql), values)
                return result.first() if result.returns_rows else None

            if error := carry_out(version, run):
                raise error

    return actor


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.__name__)
def test_the_model_does_what_postgresql_does(engine: Engine, version: Version) -> None:
    modelled = every_schedule(version)
    found = explore_on_server([really(version)] * 2, engine, start=start, invariant=tasks)
    assert found.outcomes == {schedule.letters: str(schedule.tasks) for schedule in modelled}
    assert found.error_texts.keys() == {schedule.letters for schedule in modelled if schedule.errors}
    assert all("could not serialize access due to concurrent update" in said for said in found.error_texts.values())
