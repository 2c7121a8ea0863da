"""Nothing is lost, and nothing is applied twice: a short run of what `make soak` does for minutes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from taskref_edu import Task, TaskQueue, TaskStatus, Worker, reading, writing
from tests.conftest import until

from . import processes
from .kernel import kernel_kills
from .kills import random_kills, step_kills
from .payments import APPROACHES, audit, left, open_queue, open_shop, order_and_pay

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.mark.nightly
def test_processes_killed_at_random(path: Path) -> None:
    killed = random_kills(path, "inverted", seconds=1.2)
    assert killed.kills > 0
    assert killed.found.tasks > 10
    assert killed.found.faults == {}


@pytest.mark.parametrize(("approach", "died"), [("classic", "enqueue"), ("inverted", "thread")])
def test_a_death_before_each_step(path: Path, approach: str, died: str) -> None:
    killed = step_kills(path, approach, [died])
    assert killed.where[died] > {"enqueue": 3, "thread": 25}[died]
    assert killed.found.faults == {}


def test_a_database_whose_creation_was_interrupted_is_created_by_the_next_one(tmp_path: Path) -> None:
    died = 0
    for step in range(1, 200, 4):  # every fourth, to save time
        path = tmp_path / f"{step}.db"
        process = processes.start(processes.opening, path, "inverted", step)
        process.join(60)
        engine = open_shop(path, "inverted")
        order_and_pay(open_queue(engine, "inverted", lease=30), "inverted")
        assert audit(engine, "inverted").tasks == 1
        engine.dispose()
        if process.exitcode == 0:
            break
        assert process.exitcode == processes.KILLED
        died += 1
    assert died > 2


@pytest.mark.parametrize("approach", APPROACHES)
def test_a_task_that_kills_its_worker_each_time_fails_in_the_end(path: Path, approach: str) -> None:
    engine = open_shop(path, approach)
    queue = TaskQueue(engine, lease=0.2, max_attempts=2)
    order_and_pay(queue, approach)
    for _ in range(2):
        process = processes.start(processes.poisoned, path, approach, queue.lease)
        process.join(30)
        assert process.exitcode == processes.KILLED
    with Worker(queue):
        until(lambda: not left(engine))
    with reading(engine) as session:
        task = session.get_one(Task, 1)
        assert APPROACHES[approach].orders_in_process(session) == []
    assert (task.status, task.attempt) == (TaskStatus.FAILED, 2)
    assert "the lease ran out" in (task.error or "")
    engine.dispose()


@pytest.mark.nightly
def test_a_kernel_is_killed_and_restarted(path: Path) -> None:
    killed = kernel_kills(path, "inverted", leases=[1.5, 0.3])
    assert (killed.kills, killed.found.tasks) == (1, 200)
    assert killed.found.reruns <= 1, "none if it died between two tasks"
    assert killed.found.faults == {}


CORRUPTIONS = {
    "lost": "DELETE FROM task WHERE status = 'pending'",
    "twice": "INSERT INTO payment SELECT * FROM payment",
    "half": "DELETE FROM payment",
    "dangling": "UPDATE orders SET processing_task_id = 1 WHERE processing_task_id = 2",
    "orphans": "UPDATE orders SET processing_task_id = NULL",
}


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("fault", CORRUPTIONS)
def test_the_audit_finds_what_it_looks_for(path: Path, approach: str, fault: str) -> None:
    if approach == "classic" and fault in ("dangling", "orphans"):
        pytest.skip("classic has no reference to leave behind, and its foreign key refuses an orphan")
    engine = open_shop(path, approach)
    queue = open_queue(engine, approach, lease=30)
    order_and_pay(queue, approach, 2)
    Worker(queue).step()
    assert audit(engine, approach).faults == {}
    with writing(engine) as session:
        session.execute(text(CORRUPTIONS[fault]))
    assert fault in audit(engine, approach).faults
    engine.dispose()
