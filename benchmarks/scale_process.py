"""A worker process of `scale.py`: says when it is ready, waits for the signal, and prints what it saw.

Started by `scale.py`, with the job, the database and a number as arguments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from taskref_edu import TaskQueue, Worker, open_database

Seen = dict[str, Any]


def work(where: str, synchronous: str = "NORMAL") -> Seen:
    """Run tasks with our worker until none is due."""
    ended: list[float] = []
    queue = TaskQueue(open_database(where, synchronous=synchronous))  # type: ignore[arg-type]
    queue.handler("work")(lambda task: ended.append(time.monotonic()))
    worker = Worker(queue)
    begun = wait_for_the_signal()
    worker.start()
    seen = -1
    while len(ended) > seen:  # seldom: looking takes the interpreter from the worker
        seen = len(ended)
        time.sleep(0.5)
    worker.stop()
    return {"begun": begun, "ended": ended[-1] if ended else begun, "run": len(ended)}


def work_procrastinate(where: str, fenced: bool = False) -> Seen:
    """Run jobs with Procrastinate's worker until none is due."""
    ended: list[float] = []
    queue = procrastinate_app(where, fenced)

    @queue.task(name="work")
    async def note() -> None:
        ended.append(time.monotonic())

    begun = wait_for_the_signal()
    queue.run_worker(wait=False, install_signal_handlers=False)
    return {"begun": begun, "ended": ended[-1] if ended else begun, "run": len(ended)}


def procrastinate_app(where: str, fenced: bool = False) -> Any:
    """An App as its users have it, or with our fence."""
    from procrastinate import App, PsycopgConnector

    from taskref_edu.beyond.procrastinate_lease import FencedJobManager

    connector = PsycopgConnector(conninfo=where.replace("postgresql+psycopg", "postgresql"), min_size=1)
    app = App(connector=connector)
    if fenced:
        app.job_manager = FencedJobManager(connector)
    return app


def wake_up(where: str, samples: int) -> Seen:
    """Seconds from each enqueue, whose time is the payload, to its start here."""
    queue, taken = TaskQueue(open_database(where)), list[float]()
    queue.handler("work")(lambda task: taken.append(time.monotonic() - task.payload))
    with Worker(queue) as worker:
        while worker.status.state != "idle":
            time.sleep(0.01)
        time.sleep(0.5)  # it listens
        begun = wait_for_the_signal()
        while len(taken) < samples:
            time.sleep(0.01)
    return {"begun": begun, "ended": time.monotonic(), "run": samples, "taken": taken}


def wake_up_procrastinate(where: str, samples: int) -> Seen:
    """The same with Procrastinate's worker."""
    taken: list[float] = []
    queue = procrastinate_app(where)

    @queue.task(name="work")
    async def note(at: float) -> None:
        taken.append(time.monotonic() - at)

    async def run() -> float:
        async with queue.open_async():
            worker = asyncio.create_task(queue.run_worker_async(install_signal_handlers=False))
            await asyncio.sleep(0.5)
            begun = wait_for_the_signal()
            while len(taken) < samples:
                await asyncio.sleep(0.01)
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        return begun

    return {"begun": asyncio.run(run()), "ended": time.monotonic(), "run": samples, "taken": taken}


def wait_for_the_signal() -> float:
    """When it came."""
    print("ready", flush=True)
    sys.stdin.readline()
    return time.monotonic()


JOBS: dict[str, Callable[[str, int], Seen]] = {
    "sqlite": lambda where, _: work(where),
    "sqlite-full": lambda where, _: work(where, "FULL"),
    "postgresql": lambda where, _: work(where),
    "postgresql-off": lambda where, _: work(where),
    "procrastinate": lambda where, _: work_procrastinate(where),
    "fenced": lambda where, _: work_procrastinate(where, fenced=True),
    "wake-up": wake_up,
    "wake-up-procrastinate": wake_up_procrastinate,
}


def main() -> None:
    _, job, place, number = sys.argv
    print(json.dumps(JOBS[job](place, int(number))), flush=True)
