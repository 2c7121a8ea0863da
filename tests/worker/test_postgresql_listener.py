"""A worker on PostgreSQL is woken by commits of other programs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from taskref_edu import TaskQueue, Worker, reading, writing
from taskref_edu.worker.postgresql_listener import Listener
from tests.conftest import until


@pytest.fixture
def engine(postgresql: Engine) -> Engine:
    return postgresql


@pytest.fixture
def queue(engine: Engine) -> TaskQueue:
    return TaskQueue(engine, lease=1.0, backoff=0.01)


def kill(engine: Engine, which: str) -> int:
    """End connections of the engine's database as a failing network would; how many."""
    other = create_engine(engine.url)
    with other.begin() as connection:
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which} AND pid <> pg_backend_pid()"
        count = len(connection.scalars(text(query)).all())
    other.dispose()
    return count


class TestListening:
    @pytest.fixture
    def idle(self, queue: TaskQueue) -> Iterator[Worker]:
        """A worker that has nothing to do and listens."""
        queue.handler("work")(lambda task: None)
        with Worker(queue) as worker:
            until(lambda: listening(queue.engine) == 1)  # that of the test before goes, too
            until(lambda: worker.status.state == "idle")
            time.sleep(0.2)  # it has looked once more since it listens
            yield worker

    def test_raw_sql_of_another_program_wakes_it_at_once(self, queue: TaskQueue, idle: Worker) -> None:
        started = insert_past_the_queue(queue.engine)
        until(lambda: idle.status.done == 1)
        assert time.monotonic() - started < 2.0, "far from the 5 s after which it looks by itself"

    def test_a_lost_listener_comes_back(self, queue: TaskQueue, idle: Worker) -> None:
        assert kill(queue.engine, "query LIKE 'LISTEN%'") >= 1
        until(lambda: listening(queue.engine))
        insert_past_the_queue(queue.engine)
        until(lambda: idle.status.done == 1)

    def test_without_notifications_it_looks_by_itself(self, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Listener, "_listen", lambda self, connection: self._ended.wait())
        queue.handler("work")(lambda task: None)
        with Worker(queue) as worker:
            until(lambda: worker.status.state == "idle")
            insert_past_the_queue(queue.engine)
            until(lambda: worker.status.done == 1)

    def test_workers_of_a_process_share_one_connection_and_give_it_back(self, queue: TaskQueue, idle: Worker) -> None:
        with Worker(queue, name="second") as second:
            until(lambda: second.status.state == "idle")
            until(lambda: listening(queue.engine) == 1)
        time.sleep(1.0)  # longer than a listener outlives its last user
        assert listening(queue.engine) == 1
        idle.stop()
        until(lambda: listening(queue.engine) == 0)

    def test_only_committed_work_rings(self, queue: TaskQueue, idle: Worker) -> None:
        with pytest.raises(ZeroDivisionError), writing(queue.engine) as session:
            queue.enqueue(session, "work")
            raise ZeroDivisionError
        time.sleep(0.2)
        assert idle.status.done == 0


def listening(engine: Engine) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    with reading(engine) as session:
        return session.scalar(text(query)) or 0


def insert_past_the_queue(engine: Engine) -> float:
    """Enqueue as another program does: no bell of this process rings. When it began."""
    other = create_engine(engine.url)
    started = time.monotonic()
    with other.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO task (type, status, attempt, max_attempts, lease_token, available_at, created_at)"
                " VALUES ('work', 'pending', 0, 3, 0, now(), now())"
            )
        )
    other.dispose()
    return started
