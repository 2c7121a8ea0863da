"""Each task is claimed by exactly one: threads at a barrier, and processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter

import pytest
from sqlalchemy import Engine

from taskref_edu import TaskQueue, TaskStatus, Worker, writing
from taskref_edu.database.sqlite_engine import file_of
from tests.conftest import OpenDatabase, in_transaction, until


def test_eight_threads_at_a_barrier(open_any: OpenDatabase) -> None:
    engine = open_any(timeout=30.0)
    queue, tasks, threads = TaskQueue(engine), 120, 8
    in_transaction(engine, lambda session: queue.enqueue_many(session, "work", range(tasks)))
    barrier, claimed = threading.Barrier(threads), []

    def drain() -> None:
        barrier.wait()
        misses = 0
        # SKIP LOCKED may pass over the last rows while others hold them: ask again before giving up.
        while misses < 3:
            with writing(engine) as session:
                task = queue.claim(session)
                if task is not None:
                    queue.complete(session, task)
            misses = misses + 1 if task is None else 0
            if task is not None:
                claimed.append(task.id)

    started = [threading.Thread(target=drain) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert Counter(claimed) == Counter(range(1, tasks + 1))
    assert in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED] == tasks


PROGRAM = """
import json, sys
from taskref_edu import TaskQueue, Worker, open_database
engine = open_database(sys.argv[1], timeout=60)
queue, done = TaskQueue(engine), []
queue.handler("work")(lambda task: done.append((task.id, task.token)))
sys.stdin.readline()  # all start together
Worker(queue).run_until_idle()
print(json.dumps(done))
"""


def test_four_processes(sqlite: Engine) -> None:
    queue, tasks = TaskQueue(sqlite), 400
    in_transaction(sqlite, lambda session: queue.enqueue_many(session, "work", range(tasks)))
    command = [sys.executable, "-c", PROGRAM, str(file_of(sqlite))]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    done: list[list[int]] = []
    for process in processes:
        output, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        done += json.loads(output)
    assert sorted(done) == [[task_id, 1] for task_id in range(1, tasks + 1)]


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_of_one_process_share_a_queue(sqlite: Engine, workers: int) -> None:
    queue, seen = TaskQueue(sqlite), []
    queue.handler("work")(lambda task: seen.append(task.payload))
    in_transaction(sqlite, lambda session: queue.enqueue_many(session, "work", range(100)))
    started = [Worker(queue, name=f"worker {number}") for number in range(workers)]
    for worker in started:
        worker.start()
    until(lambda: in_transaction(sqlite, queue.counts)[TaskStatus.SUCCEEDED] == 100)
    assert all(worker.stop() for worker in started)
    assert sorted(seen) == list(range(100))
