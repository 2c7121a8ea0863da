"""A notebook's kernel with a worker's thread in it, killed and restarted; its first cell is run again each time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from sqlalchemy import Engine

from .kills import Kills, must_hold, until_all_have_ended
from .payments import Approach, audit, left, open_queue, open_shop, order_and_pay

ROOT = Path(__file__).parents[2]
CELL = """
from pathlib import Path
from taskref_edu import Worker
from tests.faults.payments import open_queue, open_shop
worker = Worker(open_queue(open_shop(Path({path!r}), {approach!r}), {approach!r}, {lease}, slow=0.02))
worker.start()
"""


def kernel_kills(path: Path, approach: Approach, leases: Sequence[float], backlog: int = 100) -> Kills:
    """A kernel for each lease, in turn; all but the last are killed in the middle of their work."""
    begun, engine = time.monotonic(), open_shop(path, approach)
    queue = open_queue(engine, approach, max(leases))
    with running_kernel() as (manager, client):
        for number, lease in enumerate(leases):
            if number:
                os.kill(manager.provisioner.pid, signal.SIGKILL)  # type: ignore[union-attr]
                must_hold(audit(engine, approach))
                manager.restart_kernel(now=True)
                client.wait_for_ready(timeout=60)
            order_and_pay(queue, approach, backlog)
            reply = client.execute_interactive(CELL.format(path=str(path), approach=approach, lease=lease), timeout=60)
            assert reply["content"]["status"] == "ok", reply["content"]
            _until_half_is_done(engine)
        until_all_have_ended(engine, 60 + max(leases))
    found = audit(engine, approach)
    engine.dispose()
    return Kills(len(leases) - 1, time.monotonic() - begun, found)


@contextmanager
def running_kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel of this Python, and a client of it."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT), stderr=subprocess.DEVNULL)  # it warns of a missing encryption
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _until_half_is_done(engine: Engine) -> None:
    waiting, end = left(engine), time.monotonic() + 60
    while left(engine) > waiting / 2:
        assert time.monotonic() < end, "the worker in the kernel does not work"
        time.sleep(0.005)
