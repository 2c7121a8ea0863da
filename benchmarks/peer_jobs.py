"""One peer, one job: run by the interpreter of the peers' own environment, which knows nothing of this package.

    python peer_jobs.py PEER drain FOLDER COUNT        a line of JSON comes back

Started by `compare.py`.
"""

# The peers live in an environment of their own.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import peer_adapters  # a sibling: this is run as a script
from peer_django import DjangoTasks


def enqueue_and_drain(peer: Any, count: int) -> dict[str, Any]:
    """Tasks a second for each, and which tasks the handler saw."""
    seen: list[int] = []
    peer.handler = seen.append
    begun = time.perf_counter()
    for number in range(count):
        peer.enqueue(number)
    enqueued = time.perf_counter()
    peer.drain(count)
    ended = time.perf_counter()
    return {"enqueue": count / (enqueued - begun), "drain": count / (ended - enqueued), "seen": seen}


def drain_beside(peer: Any, count: int, finished: int, pending: int) -> dict[str, Any]:
    """Tasks a second while so many other rows lie around."""
    seen: list[int] = []
    peer.handler = seen.append
    for number in range(count):
        peer.enqueue(number)
    if pending:
        peer.backlog(finished, pending)
    begun = time.perf_counter()
    peer.drain(count)
    return {"drain": count / (time.perf_counter() - begun), "seen": seen}


def fill(peer: Any, count: int) -> dict[str, Any]:
    """Enqueue for the two processes that drain next."""
    for number in range(count):
        peer.enqueue(number)
    return {}


def share(peer: Any, count: int) -> dict[str, Any]:
    """Drain beside another process that does the same: wait for the signal, then go on until nothing is left."""
    seen: list[int] = []
    peer.handler = seen.append
    print("ready", flush=True)
    sys.stdin.readline()
    begun, error = time.monotonic(), None
    try:
        peer.drain(count)
    except Exception as found:
        error = f"{type(found).__name__}: {found}"
    return {"begun": begun, "ended": time.monotonic(), "seen": seen, "error": error}


def wake_up(peer: Any, count: int) -> dict[str, Any]:
    """Milliseconds from the call of enqueue to the start of the handler, in one process."""
    started: list[float] = []
    peer.handler = lambda number: started.append(time.perf_counter())
    peer.wait_for_work()
    time.sleep(0.5)
    taken = []
    for number in range(count):
        begun = time.perf_counter()
        peer.enqueue(number)
        while len(started) <= number:
            time.sleep(0.0002)
        taken.append((started[number] - begun) * 1000)
        time.sleep(0.05)
    return {"milliseconds": taken}


JOBS = {"drain": enqueue_and_drain, "beside": drain_beside, "fill": fill, "share": share, "wake_up": wake_up}

if __name__ == "__main__":
    name, job, folder, *numbers = sys.argv[1:]
    chosen = {**peer_adapters.PEERS, "django-tasks-db": DjangoTasks}[name](Path(folder))
    result = JOBS[job](chosen, *map(int, numbers))
    print(json.dumps({"version": version(chosen.package), **result}), flush=True)
    os._exit(0)  # a peer's threads may wait for ever
