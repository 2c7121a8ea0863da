"""Handing in and taking the next task in one transaction: what it sends, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from taskref_edu import Task, TaskQueue, TaskStatus, Worker, reading, writing
from taskref_edu.lab import capture_sql, explore_crashes
from taskref_edu.worker.claims import TaskFetcher
from tests.conftest import Clock, OpenDatabase, claim, in_transaction, until


@pytest.fixture
def fetcher(queue: TaskQueue) -> Iterator[TaskFetcher]:
    with closing(TaskFetcher(queue)) as fetcher:
        yield fetcher


def two_tasks(engine: Engine) -> None:
    with writing(engine) as session:
        TaskQueue(engine).enqueue_many(session, "work", [1, 2])


def statuses(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(map(str, session.exec(select(Task.status).order_by(col(Task.id)))))


def test_one_is_completed_and_the_next_one_claimed(queue: TaskQueue, fetcher: TaskFetcher) -> None:
    with writing(queue.engine) as session:
        queue.enqueue_many(session, "work", [1, 2])
    first = fetcher.claim()
    assert first
    trouble, second = fetcher.complete(first, and_claim=True)
    assert (trouble, second and second.payload) == (None, 2)
    assert statuses(queue.engine) == ["succeeded", "running"]
    assert second
    assert fetcher.complete(second, and_claim=True) == (None, None)


def test_it_is_one_transaction_that_observers_see(sqlite: Engine) -> None:
    two_tasks(sqlite)
    fetcher = TaskFetcher(TaskQueue(sqlite))
    first = fetcher.claim()
    assert first
    with capture_sql(sqlite) as statements:
        fetcher.complete(first, and_claim=True)
    fetcher.close()
    assert [statement.sql.split()[0] for statement in statements] == ["BEGIN", "UPDATE", "UPDATE", "COMMIT"]


def test_a_stale_result_is_dropped_and_the_claim_goes_on(queue: TaskQueue, clock: Clock, fetcher: TaskFetcher) -> None:
    two = [in_transaction(queue.engine, lambda session: queue.enqueue(session, "work")) for _ in range(2)]
    first = fetcher.claim()
    clock.advance(queue.lease)
    in_transaction(queue.engine, queue.reclaim)
    holder = claim(queue)
    assert first
    trouble, second = fetcher.complete(first, and_claim=True)
    assert trouble
    assert "it is pending, not running; drop this result" in trouble.text
    assert second
    assert {holder.id, second.id} == {task.id for task in two}


def test_a_dead_workers_task_is_found_while_there_is_other_work(queue: TaskQueue, clock: Clock) -> None:
    in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", range(3)))
    claim(queue)
    clock.advance(queue.lease)
    with closing(TaskFetcher(queue)) as fetcher:
        assert fetcher.claim()
    assert statuses(queue.engine)[0] == "pending"


def test_a_crash_leaves_what_a_crash_of_two_transactions_could_leave() -> None:
    def hand_in(engine: Engine) -> None:
        fetcher = TaskFetcher(TaskQueue(engine))
        first = fetcher.claim()
        assert first
        fetcher.complete(first, and_claim=True)
        fetcher.close()

    def nothing_else(session: Session) -> list[str]:
        found = tuple(map(str, session.exec(select(Task.status).order_by(col(Task.id)))))
        possible = {("pending", "pending"), ("running", "pending"), ("succeeded", "running")}
        return [] if found in possible else [f"{found} found"]

    lost = explore_crashes(hand_in, setup=two_tasks, recover=lambda engine: None, invariant=nothing_else)
    assert lost.count >= 6
    assert lost.holds


def test_a_completion_that_cannot_be_fused_is_recorded_alone(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = TaskQueue(sqlite)
    queue.handler("work")(lambda task: None)
    two_tasks(sqlite)

    def broken(self: TaskFetcher, task: object, and_claim: bool) -> None:
        raise ValueError("a claim that cannot be")

    monkeypatch.setattr(TaskFetcher, "complete", broken)
    with Worker(queue):
        end = _until_succeeded(sqlite)
    assert end == ["succeeded", "succeeded"]


def test_text_that_is_no_json_fails_its_task_and_not_the_worker(sqlite: Engine) -> None:
    queue = TaskQueue(sqlite, max_attempts=1)
    seen: list[object] = []
    queue.handler("work")(lambda task: seen.append(task.payload))
    two_tasks(sqlite)
    with sqlite.begin() as connection:
        connection.exec_driver_sql("UPDATE task SET payload = '{oops' WHERE id = 1")
    with Worker(queue):
        _until_succeeded(sqlite)
    assert seen == ["{oops", 2]


def test_a_pool_gets_its_connection_back(open_any: OpenDatabase) -> None:
    engine = open_any()
    fetcher = TaskFetcher(TaskQueue(engine))
    fetcher.claim()
    held = engine.pool.checkedout()  # type: ignore[attr-defined]
    fetcher.close()
    fetcher.close()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert held == (1 if engine.dialect.name == "sqlite" else 0)


def _until_succeeded(engine: Engine) -> list[str]:
    until(lambda: set(statuses(engine)) == {str(TaskStatus.SUCCEEDED)})
    return statuses(engine)
