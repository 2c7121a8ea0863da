"""What needs more than one thread or process: how soon an idle worker starts, and two workers on one file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from taskref_edu import TaskQueue, Worker, open_database, writing

from . import ours
from .loops import count

ROOT = Path(__file__).parent.parent


def wake_up_here(samples: int, folder: Path) -> dict[str, float]:
    """Median milliseconds from enqueue to start, the worker on a thread of this process."""
    queue, taken = TaskQueue(open_database(folder / "x.db")), list[float]()
    queue.handler("work")(lambda task: taken.append(time.monotonic() - task.payload))
    with Worker(queue):
        _send(queue, samples, lambda: len(taken))
    queue.engine.dispose()
    return {"ms": median(taken) * 1000}


def wake_up_there(samples: int, folder: Path) -> dict[str, float]:
    """The same, the worker in another process."""
    queue = TaskQueue(open_database(folder / "x.db"))
    other = _other_process("wake_up", folder / "x.db", samples)
    _send(queue, samples, None)
    taken = json.loads(other.communicate()[0])
    queue.engine.dispose()
    return {"ms": median(taken) * 1000}


def _send(queue: TaskQueue, samples: int, started: Callable[[], int] | None) -> None:
    """Enqueue one task at a time to a worker that has nothing else to do; the payload says when."""
    for number in range(samples):
        time.sleep(0.02 + number % 7 * 0.003)
        with writing(queue.engine) as session:
            queue.enqueue(session, "work", time.monotonic())
        while started and started() <= number:
            time.sleep(0.001)


def shared(side: str, workers: int, tasks: int, folder: Path) -> dict[str, float]:
    """Tasks a second that so many processes drain from one file; how many were run twice, lost, or met an error."""
    path = folder / "x.db"
    engine = open_database(path)
    ours.enqueue_many(TaskQueue(engine), tasks)
    engine.dispose()
    others = [_other_process(f"share_{side}", path, tasks) for _ in range(workers)]
    for other in others:  # both are ready before one begins
        assert other.stdin
        other.stdin.write("go\n")
        other.stdin.flush()
    reports = [json.loads(other.communicate()[0]) for other in others]
    seconds = max(report["ended"] for report in reports) - min(report["begun"] for report in reports)
    done = count(path, "SELECT count(*) FROM task WHERE status = 'succeeded' AND attempt = 1")
    run = sum(report["run"] for report in reports)
    errors = sum(report["errors"] for report in reports)
    return {"drain": tasks / seconds, "wrong": abs(run - tasks) + abs(done - tasks) + errors}


def _other_process(job: str, path: Path, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.other_process", job, str(path), str(number)]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline() == "ready\n"
    return other
