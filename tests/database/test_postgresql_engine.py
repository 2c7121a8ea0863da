"""PostgreSQL when it is not there, refuses, or goes away in the middle: named errors, and nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, errors, inverted, open_database, reading, writing
from taskref_edu.beyond.embedded_postgresql import new_server, start_postgres
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import claim, in_transaction, new_orders, until

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]


@pytest.fixture
def engine(postgresql: Engine) -> Engine:
    return postgresql


@pytest.fixture
def queue(engine: Engine) -> TaskQueue:
    return TaskQueue(engine, lease=1.0, backoff=0.01)


@pytest.fixture
def fresh(postgresql_url: str) -> str:
    """The URL of an empty database."""
    return start_postgres()


@pytest.fixture(scope="module")
def server(postgresql_url: str) -> Iterator[Any]:
    """A server of our own, to be stopped and started."""
    server = new_server()
    yield server
    server.cleanup()


def url_of(server: Any) -> str:
    return server.get_uri(driver="psycopg")


def changed(url: str, **parts: object) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


def kill(engine: Engine, which: str) -> int:
    """End connections of the engine's database as a failing network would; how many."""
    other = create_engine(engine.url)
    with other.begin() as connection:
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which} AND pid <> pg_backend_pid()"
        count = len(connection.scalars(text(query)).all())
    other.dispose()
    return count


def kill_that_of(session: Session) -> None:
    pid = session.scalar(text("SELECT pg_backend_pid()"))
    assert kill(session.get_bind().engine, f"pid = {pid}") == 1


def status(engine: Engine, task_id: int = 1) -> TaskStatus:
    with reading(engine) as session:
        return session.get_one(Task, task_id).status


class TestOpening:
    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ({"username": "nobody"}, 'role "nobody" does not exist: correct the user in the URL'),
            ({"database": "nowhere"}, 'database "nowhere" does not exist: .*createdb'),
            ({"host": "127.0.0.1", "port": 1, "query": {}}, "refused.*: is the server running"),
            ({"host": "host.invalid", "query": {}}, "host.invalid.*: is the server running, and are host and port"),
        ],
    )
    def test_what_is_wrong_with_the_url_is_named(
        self, postgresql_url: str, parts: dict[str, object], message: str
    ) -> None:
        with pytest.raises(errors.ServerNotReached, match=message):
            open_database(changed(postgresql_url, **parts))

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("mysql://host/x", "'mysql'.* a path to a SQLite file, or postgresql"),
            ("postgresql+psycopg2://host/x", "driver 'psycopg2' found, psycopg expected"),
            ("postgresql://host:port/x", "is not a database URL"),
        ],
    )
    def test_what_is_no_database_of_ours_is_named(self, url: str, message: str) -> None:
        with pytest.raises(errors.CannotOpen, match=message):
            open_database(url)

    def test_a_url_without_a_driver_will_do(self, postgresql_url: str) -> None:
        engine = open_database(changed(postgresql_url, drivername="postgresql"))
        assert engine.url.drivername == "postgresql+psycopg"
        engine.dispose()

    @pytest.mark.nightly
    def test_a_wrong_password_is_named_and_not_shown(self, server: Any) -> None:
        rules = Path(str(make_url(url_of(server)).query["host"])) / "pg_hba.conf"
        rules.write_text("local all ann scram-sha-256\n" + rules.read_text())
        admin = create_engine(url_of(server))
        with admin.begin() as connection:
            for statement in ("CREATE ROLE ann LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()"):
                connection.execute(text(statement))
        admin.dispose()
        with pytest.raises(
            errors.ServerNotReached, match=r"password authentication failed.*: correct user and"
        ) as found:
            until(lambda: open_database(changed(url_of(server), username="ann", password="wr0ng")))
        assert "wr0ng" not in str(found.value)

    def test_a_user_who_may_not_create_the_tables_is_named(self, engine: Engine, fresh: str) -> None:
        with writing(engine) as session:
            session.execute(text("CREATE ROLE guest LOGIN"))
        try:
            with pytest.raises(errors.CannotOpen, match="permission denied for schema public"):
                open_database(changed(fresh, username="guest"))
        finally:
            in_transaction(engine, lambda session: session.execute(text("DROP ROLE guest")))

    def test_an_old_server_is_named(self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("taskref_edu.database.postgresql_engine.LOWEST_POSTGRESQL", 99)
        with pytest.raises(errors.CannotOpen, match=r"PostgreSQL 1\d found, 99 or newer needed"):
            open_database(postgresql_url)

    def test_without_psycopg_the_error_has_the_line_that_installs_it(self) -> None:
        program = """
import sys
sys.modules["psycopg"] = None
from taskref_edu import errors, open_database
try:
    open_database("postgresql+psycopg://host/x")
except errors.MissingExtra as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert errors.install_line("postgres") in done.stdout

    def test_missing_tables_are_named__other_peoples_are_not_ours(self, fresh: str) -> None:
        engine = open_database(fresh)
        in_transaction(engine, lambda session: session.execute(text("DROP TABLE task CASCADE")))
        with pytest.raises(errors.SchemaMissing, match=r'"task" does not exist.*open_database\(url\) creates'):
            in_transaction(engine, TaskQueue(engine).claim)
        with pytest.raises(Exception, match="no_such_table") as found:
            in_transaction(engine, lambda session: session.execute(text("SELECT * FROM no_such_table")))
        assert not isinstance(found.value, errors.TaskrefError)
        engine.dispose()

    @pytest.mark.nightly
    def test_programs_may_open_an_empty_database_at_the_same_moment(self, fresh: str) -> None:
        program = f"from taskref_edu import open_database; open_database({fresh!r})"
        started = [subprocess.Popen([sys.executable, "-W", "error", "-c", program]) for _ in range(3)]
        assert [process.wait() for process in started] == [0, 0, 0]


class TestConnectionLost:
    @pytest.mark.parametrize("when", ["in the middle", "before the commit"])
    def test_in_a_claim__the_task_stays(self, queue: TaskQueue, when: str) -> None:
        in_transaction(queue.engine, lambda session: queue.enqueue(session, "work"))
        with pytest.raises(errors.ConnectionLost, match=r"rolled back.*COMMIT, the outcome is unknown: check before"):
            with writing(queue.engine) as session:
                queue.claim(session)
                kill_that_of(session)
                if when == "in the middle":
                    queue.next_due(session)
        assert status(queue.engine) is TaskStatus.PENDING
        assert claim(queue).attempt == 1

    def test_in_a_completion__paid_by_the_next_attempt(self, queue: TaskQueue) -> None:
        (order,) = new_orders(queue.engine, 1)
        in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, order))

        def pay(task: RunningTask) -> None:
            with task.completing() as session:
                inverted.order_for(session, task).status = "paid"
                session.flush()
                if task.attempt == 1:
                    kill_that_of(session)

        queue.handler("process_payment")(pay)
        worker = Worker(queue)
        assert worker.step()
        with reading(queue.engine) as session:
            task, found = session.get_one(Task, 1), session.get_one(Order, order.id)
        assert (task.status, found.status) == (TaskStatus.PENDING, "new")
        assert (task.error or "").startswith("ConnectionLost: ")
        until(worker.step)
        with reading(queue.engine) as session:
            assert session.get_one(Order, order.id).status == "paid"

    def test_beside_a_running_task__the_heartbeat_goes_on(self, queue: TaskQueue) -> None:
        killed: list[int] = []

        def handler(task: RunningTask) -> None:
            end = time.monotonic() + 1.5 * queue.lease
            while time.monotonic() < end or (sum(killed) < 2 and time.monotonic() < end + 10):
                killed.append(kill(queue.engine, "datname = current_database() AND state = 'idle'"))
                time.sleep(0.4)

        queue.handler("work")(handler)
        in_transaction(queue.engine, lambda session: queue.enqueue(session, "work"))
        with Worker(queue) as worker:
            until(lambda: worker.status.done == 1)
        with reading(queue.engine) as session:
            task = session.get_one(Task, 1)
        assert (task.status, task.attempt) == (TaskStatus.SUCCEEDED, 1), "the lease never ran out"
        assert sum(killed) >= 2


def crash(server: Any) -> None:
    """End the server without letting it write anything more; what it finds at its next start is its log."""
    folder = Path(str(make_url(url_of(server)).query["host"]))
    os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    until(lambda: not (folder / "postmaster.pid").exists())


@pytest.mark.fault
class TestServerDown:
    @pytest.mark.parametrize("end", [lambda server: server.stop(), crash], ids=["stopped", "crashed"])
    def test_workers_say_so_come_back_and_nothing_is_lost(self, server: Any, end: Callable[[Any], None]) -> None:
        engine = open_database(url_of(server))
        in_transaction(engine, lambda session: session.execute(text("TRUNCATE orders, task")))
        queue = TaskQueue(engine, lease=10.0, backoff=0.01)
        orders = new_orders(engine, 20)

        def pay(task: RunningTask) -> None:
            time.sleep(0.03)
            with task.completing() as session:
                inverted.order_for(session, task).amount += 1

        queue.handler("process_payment")(pay)
        with writing(engine) as session:
            for order in orders:
                inverted.enqueue_payment(session, queue, order)
        workers = [Worker(queue, name=f"worker {number}") for number in range(2)]
        for worker in workers:
            worker.start()
        until(lambda: sum(worker.status.done for worker in workers) >= 3)
        end(server)
        try:
            until(lambda: all(worker.status.state == "blocked" for worker in workers))
            until(lambda: all("ServerNotReached" in (worker.status.error or "") for worker in workers))
            with pytest.raises(errors.ServerNotReached), writing(engine) as session:
                queue.enqueue(session, "work")
        finally:
            server.start()
        until(lambda: in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED] == len(orders), 30)
        assert all(worker.stop() for worker in workers)
        with reading(engine) as session:
            found = session.exec(select(Order)).all()
            assert {(order.amount, order.processing_task_id) for order in found} == {(101, None)}, "each once"
        engine.dispose()

    def test_an_idle_worker_says_when_it_tries_again(self, server: Any) -> None:
        engine = open_database(url_of(server))
        with Worker(TaskQueue(engine)) as worker:
            until(lambda: worker.status.state == "idle")
            server.stop()
            try:
                until(lambda: "(next try in " in (worker.status.error or ""))
                assert worker.status.state == "blocked"
            finally:
                server.start()
            until(lambda: worker.status.state == "idle")
        engine.dispose()
