"""Behind PgBouncer in transaction mode: each transaction may run on another connection of the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from taskref_edu import TaskQueue, TaskStatus, Worker, open_database
from tests.conftest import in_transaction, until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = [
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.slow,
    pytest.mark.skipif(
        PGBOUNCER is None and not os.environ.get("CI"), reason="pgbouncer is not installed; .ci/run installs it"
    ),
]


@pytest.fixture
def pooled_url(empty_postgresql_url: str, tmp_path: Path) -> Iterator[str]:
    """The test's database behind a PgBouncer of its own, with two connections to the server."""
    server = make_url(empty_postgresql_url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = f"host={server.query['host']} dbname={server.database} user={server.username}"
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(f"""[databases]
shop = {where}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
""")
    settings.chmod(0o644)
    assert PGBOUNCER, "pgbouncer is not installed"
    # Not as root, which it refuses: as who owns the server, and so may use its socket. It reads its settings before.
    user = ["-u", Path(str(server.query["host"])).owner()] if os.getuid() == 0 else []
    process = subprocess.Popen([PGBOUNCER, "-q", *user, str(settings)], stderr=subprocess.PIPE)
    try:
        until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        yield f"postgresql+psycopg://{server.username}@127.0.0.1:{port}/shop"
    finally:
        process.terminate()
        process.communicate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_many_workers_run_everything_and_nobody_listens(pooled_url: str, empty_postgresql_url: str) -> None:
    engine = open_database(pooled_url, transaction_pooler=True)
    queue = TaskQueue(engine)
    queue.handler("work")(lambda task: None)
    workers = [Worker(queue, name=f"worker {number}") for number in range(4)]
    for worker in workers:
        worker.start()
    for number in range(40):
        in_transaction(engine, lambda session, number=number: queue.enqueue(session, "work", number))
    until(lambda: in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED] == 40, 30)
    assert {worker.status.error for worker in workers} == {None}
    until(lambda: {worker.status.state for worker in workers} == {"idle"})
    server = create_engine(empty_postgresql_url)
    with server.begin() as connection:  # past the pooler: nobody could be notified, and a worker reads by itself
        connection.execute(
            text("INSERT INTO task SELECT (jsonb_populate_record(task, '{\"id\": 99}')).* FROM task LIMIT 1")
        )
        new = "status = 'pending', finished_at = NULL, attempt = 0, available_at = now()"
        connection.execute(text(f"UPDATE task SET {new} WHERE id = 99"))
        assert connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")) == 0
    until(lambda: in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED] == 41, 5)
    for worker in workers:
        worker.stop()
    engine.dispose()
    server.dispose()
