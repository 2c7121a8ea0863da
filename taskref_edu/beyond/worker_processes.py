"""Real worker processes of Procrastinate to kill, suspend and resume: `procrastinate --app shop.queue worker`.

    workers = WorkerProcesses(url, "ABC")  # three processes, each a worker; they need a second to start
    workers.click(11)                      # an order, with the job that pays it
    victim = workers.first_to_charge()     # it stays in the slow part of its handler until it is released
    workers.kill(victim)                   # SIGKILL

They end when they are closed, when others are started, or at the latest when this process ends. After `fence(False)`
they run Procrastinate unchanged, without the lease token of `procrastinate_lease.py`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from ..database.opening import open_database
from ..database.transactions import reading, writing
from .experiments import Unavailable

PROCESS_TIMEOUT = 30.0  # seconds
STALE = "StaleLease: "
# A worker ends, too, when its notebook's process is gone; a suspended one cannot, so close() ends it.
SHOP = """
import os, threading, time
from contextlib import contextmanager
from pathlib import Path
from procrastinate.manager import JobManager
from taskref_edu import open_database, writing
from taskref_edu.beyond import procrastinate_inverted as procrastinate

name, parent = os.environ["NAME"], os.getppid()

def charge(order):
    with open("charges", "a") as charges:
        charges.write(f"{order.id}\\n")
    Path(f"charging-{name}").touch()
    while Path(f"hold-{name}").exists():
        time.sleep(0.01)
    Path(f"charging-{name}").unlink()

def end_with_parent():
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
queue = procrastinate.open_queue(open_database(os.environ["SHOP"]), charge)
procrastinate.schedule_upkeep(queue, stalled_after=1.0, rescue_at="* * * * * */1")

fenced_completing, fenced_finish = procrastinate.completing, queue.job_manager.finish_job
as_it_comes = JobManager(queue.connector)

def is_fenced():
    return not Path("no-fence").exists()

@contextmanager
def without_a_lease(context):
    with writing(procrastinate.engine_of(context)) as session:
        yield session

def completing(context):
    return (fenced_completing if is_fenced() else without_a_lease)(context)

async def finish_job(*arguments, **named):
    await (fenced_finish if is_fenced() else as_it_comes.finish_job)(*arguments, **named)

procrastinate.completing, queue.job_manager.finish_job = completing, finish_job
"""
_running: list[WorkerProcesses] = []


class WorkerProcesses:
    """Worker processes by letter, on a shop of their own in the database at `url`."""

    def __init__(self, url: str, letters: str) -> None:
        from . import procrastinate_inverted as procrastinate  # needs the extra `beyond`

        close_all()
        self.shop = procrastinate
        self.engine = open_database(url)
        self.queue = procrastinate.open_queue(self.engine)
        self.folder = Path(tempfile.mkdtemp(prefix="taskref-crew-"))
        (self.folder / "shop.py").write_text(SHOP, encoding="utf-8")
        _running.append(self)
        self.hold(*letters)
        self.processes = {letter: self._start(letter, url) for letter in letters}

    def click(self, *ids: int) -> None:
        """New orders with these ids, each with its job: one transaction."""
        with writing(self.engine) as session:
            for id in ids:
                session.add(order := self.shop.Order(id=id, customer="Ann", amount=2500))
                self.shop.enqueue_payment(session, self.queue, order)

    def hold(self, *letters: str) -> None:
        """From now on, these workers' charges do not finish."""
        for letter in letters:
            (self.folder / f"hold-{letter}").touch()

    def fence(self, on: bool) -> None:
        """With or without the lease token, from the next write on."""
        (self.folder / "no-fence").unlink(missing_ok=True) if on else (self.folder / "no-fence").touch()

    def release(self, *letters: str) -> None:
        """Let these workers' charges finish, present and later ones."""
        for letter in letters:
            (self.folder / f"hold-{letter}").unlink(missing_ok=True)

    def charging(self) -> list[str]:
        """The workers that are in the slow part of their handler."""
        return sorted(path.name[-1] for path in self.folder.glob("charging-*"))

    def first_to_charge(self) -> str:
        """The letter of a worker that is charging; waits until there is one."""
        self._wait(self.charging, "a worker charging")
        return self.charging()[0]

    def wait_until_another_charges(self, letter: str) -> None:
        """Return as soon as another worker is charging."""
        self._wait(lambda: {*self.charging()} - {letter}, f"another worker than {letter} charging")

    def charges(self) -> list[str]:
        """The ids of the charged orders, one for each charge that was started."""
        kept = self.folder / "charges"
        return kept.read_text(encoding="utf-8").split() if kept.exists() else []

    def finish(self) -> list[dict[str, Any]]:
        """Release all, wait until every order is paid, and return the rows."""
        self.release(*self.processes)
        self._wait(lambda: all(row["order is"] == "paid" for row in self.rows()), "every order paid")
        return self.rows()

    def kill(self, letter: str) -> None:
        """SIGKILL: the process ends at once; no code of it runs any more."""
        self.processes[letter].kill()
        self.processes[letter].wait()
        (self.folder / f"charging-{letter}").unlink(missing_ok=True)

    def stop(self, letter: str) -> None:
        """SIGSTOP: the process is suspended, as on a sleeping laptop. Raises Unavailable on Windows."""
        self._signal(letter, "SIGSTOP")

    def wake(self, letter: str) -> None:
        """SIGCONT, and its charge finishes: it continues where it was suspended, unaware of the time in between."""
        self.release(letter)
        self._signal(letter, "SIGCONT")

    def outcome_of_write(self, letter: str) -> str:
        """What happened to the write of a resumed worker: "it paid the order", or the refusal in its log."""

        def refusals() -> list[str]:
            return [line for line in self._log(letter).splitlines() if STALE in line]

        def paid() -> bool:
            return self.rows()[-1]["job is"] == "succeeded"

        self._wait(lambda: refusals() or paid(), f"worker {letter} refused, or the order paid")
        return STALE + refusals()[0].partition(STALE)[2] if refusals() else "it paid the order"

    def rows(self) -> list[dict[str, Any]]:
        """Each order and the latest job that paid it or will."""
        with reading(self.engine) as session:
            orders = session.exec(select(self.shop.Order).order_by(col(self.shop.Order.id))).all()
            mine = self.shop.JobRow.task_name == self.shop.PAYMENT
            jobs = session.exec(select(self.shop.JobRow).where(mine).order_by(col(self.shop.JobRow.id))).all()
        return [
            {
                "order": order.id,
                "order is": order.status,
                "references": f"job {order.processing_task_id}" if order.processing_task_id else "nothing",
                "job is": job.status,
                "attempts": job.attempts,
                "charges": self.charges().count(str(order.id)),
            }
            for order, job in zip(orders, jobs, strict=True)
        ]

    def close(self) -> None:
        """End every worker; safe to call twice."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self in _running:
            _running.remove(self)

    def _start(self, letter: str, url: str) -> subprocess.Popen[bytes]:
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join([str(self.folder), package, os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "NAME": letter, "SHOP": url, "PYTHONPATH": path}
        command = [sys.executable, "-m", "procrastinate", "--app", "shop.queue", "worker"]
        with (self.folder / f"log-{letter}").open("w") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _signal(self, letter: str, name: str) -> None:
        if not hasattr(signal, name):
            raise Unavailable(f"this system has no {name}")
        self.processes[letter].send_signal(getattr(signal, name))

    def _log(self, letter: str) -> str:
        return (self.folder / f"log-{letter}").read_text(encoding="utf-8", errors="replace")

    def _wait(self, there: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PROCESS_TIMEOUT
        while not there():
            if time.monotonic() > deadline:
                logs = "\n".join(f"{letter}: {self._log(letter)[-600:]}" for letter in self.processes)
                raise TimeoutError(
                    f"{what}: not within {PROCESS_TIMEOUT:.0f} seconds; the workers' logs end with:\n{logs}"
                )
            time.sleep(0.01)


@atexit.register
def close_all() -> None:
    """End all worker processes that still run."""
    for crew in list(_running):
        crew.close()
