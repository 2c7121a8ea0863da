"""The other process of a measurement: says when it is ready, works, and prints what it saw as a line of JSON.

Started by `goals.py`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskref_edu import TaskQueue, Worker, open_database

from .loops import Guarded


def wake_up(path: Path, samples: int) -> Any:
    """Seconds from each enqueue, whose time is the payload, to its start here."""
    queue, taken = TaskQueue(open_database(path)), list[float]()
    queue.handler("work")(lambda task: taken.append(time.monotonic() - task.payload))
    with Worker(queue) as worker:
        while worker.status.state != "idle":
            time.sleep(0.01)
        print("ready", flush=True)
        while len(taken) < samples:
            time.sleep(0.01)
    return taken


def share_ours(path: Path, tasks: int) -> Any:
    """Run tasks beside another process until none is due."""
    ended: list[float] = []
    queue = TaskQueue(open_database(path))
    queue.handler("work")(lambda task: ended.append(time.monotonic()))
    worker = Worker(queue)
    _wait_for_the_signal()
    begun = time.monotonic()
    worker.start()
    seen = -1
    while len(ended) > seen:  # rarely: looking takes the interpreter from the worker
        seen = len(ended)
        time.sleep(0.5)
    errors = int(worker.status.error is not None)
    worker.stop()
    return {"begun": begun, "ended": ended[-1] if ended else begun, "run": len(ended), "errors": errors}


def share_hand(path: Path, tasks: int) -> Any:
    """The same by the loop written by hand."""
    hand = Guarded(path)
    _wait_for_the_signal()
    begun = time.monotonic()
    run = hand.drain(lambda payload: None)
    return {"begun": begun, "ended": time.monotonic(), "run": run, "errors": 0}


def _wait_for_the_signal() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


JOBS: dict[str, Callable[[Path, int], Any]] = {"wake_up": wake_up, "share_ours": share_ours, "share_hand": share_hand}

if __name__ == "__main__":
    _, job, path, number = sys.argv
    print(json.dumps(JOBS[job](Path(path), int(number))), flush=True)
