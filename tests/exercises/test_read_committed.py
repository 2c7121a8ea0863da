"""The model of PostgreSQL behind exercise 9.3, compared with a real server: every schedule and its outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu.exercises.catalog._read_committed import REPEATABLE, Version, carry_out, every_schedule
from taskref_edu.exercises.catalog.e9_3_two_clicks_on_postgresql import VERSIONS
from taskref_edu.lab import explore

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]
TABLES = ("CREATE TABLE task (id BIGSERIAL PRIMARY KEY)", "CREATE TABLE orders (id INT PRIMARY KEY, task_id BIGINT)")


def start(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in (*TABLES, "INSERT INTO orders VALUES (7)"):
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
def test_the_model_does_what_postgresql_does(postgresql_url: str, version: Version) -> None:
    modelled = every_schedule(version)
    found = explore([really(version)] * 2, setup=start, invariant=tasks, schema=None, url=postgresql_url)
    assert found.problems == {schedule.letters: (str(schedule.tasks),) for schedule in modelled}
    assert set(found.errors) == {schedule.letters for schedule in modelled if schedule.errors}
    assert all("(SerializationFailure)" in said for said in found.graph.texts()[1])
