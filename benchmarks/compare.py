"""This queue beside others that pip installs and that keep their tasks in one SQLite file.

    python -m benchmarks.compare [--quick]

Every peer works on its own terms: what it promises after a crash stands in the table, beside its speed. All use WAL
and synchronous = NORMAL, one task at a time on one thread; the yardstick is the bare loop written by hand.
Not covered: brokers that run as servers, and peers without an SQLite file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from . import goals, ours, peers
from .loops import Bare
from .peer_adapters import PEERS as SMALL_PEERS
from .peer_django import DjangoTasks
from .processes import shared, wake_up_here
from .rounds import Progress, Results, Spread, Table, fresh_folder, interleave

JOBS = Path(__file__).with_name("peer_jobs.py")
PEERS: dict[str, Any] = {**SMALL_PEERS, "django-tasks-db": DjangoTasks}
OURS = "taskref_edu"


@dataclass(frozen=True)
class Size:
    """How much is measured. Some peers take a hundredth of a second for a task."""

    rounds: int = 7
    tasks: int = 1_500
    backlog: int = 20_000
    beside: int = 100
    shared: int = 1_500
    wake_ups: int = 30


QUICK = Size(1, 20, 50, 10, 40, 2)


def run(quick: bool = False) -> tuple[list[Table], dict[str, dict[str, float]]]:
    """Tables of the comparison, and the medians for the chart; neither where the peers cannot be installed."""
    python = peers.environment()
    if python is None:
        return [], {}
    size = QUICK if quick else Size()
    speed, versions = _speed(size, python)
    beside = _beside(size, python)
    wrong, wake_ups = _shared(size, python), _wake_ups(size, python)
    rows, chart = [], {}
    for name in [OURS, *PEERS]:
        ratio = {what: Spread.of(speed.ratios(name, "bare", what)) for what in ("enqueue", "drain")}
        slower = Spread.of(beside.ratios(f"{name}, alone", f"{name}, beside", "drain")).middle
        chart[name] = {what: spread.middle for what, spread in ratio.items()}
        rows.append([_named(name, versions), *ratio.values(), f"{slower:.1f}", wake_ups[name], wrong[name]])
    heads = [
        "",
        "enqueue ×",
        "drain ×",
        f"slower beside {size.backlog:,} + {size.backlog:,}",
        "wake-up, ms",
        "two processes",
    ]
    note = (
        "×: of a bare loop written by hand, medians and quartiles of interleaved rounds. *Beside*: how many times"
        " longer a task takes while so many finished and so many pending ones lie around (peers that delete finished"
        " tasks have only the pending ones). *Two processes*: what became of the tasks when two drained one file."
    )
    return [Table("Peers", heads, rows, note), _semantics(versions)], chart


def _named(name: str, versions: dict[str, str]) -> str:
    return f"{name} {versions[name]}" if name in versions else f"**{name}**"


def _semantics(versions: dict[str, str]) -> Table:
    mine = "at least once; each completion durable before the next start; effect and completion can be one transaction"
    rows = [[f"**{OURS}**", mine], *([_named(name, versions), peer.semantics] for name, peer in PEERS.items())]
    return Table("What the peers promise", ["", "after a crash"], rows)


def ask(python: Path, name: str, job: str, folder: Path, *numbers: int) -> dict[str, Any]:
    """What a peer reports from its own environment."""
    command = [str(python), str(JOBS), name, job, str(folder), *map(str, numbers)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{name} {job}: {found.stderr[-2000:]}")
    return json.loads(found.stdout.splitlines()[-1])


def _speed(size: Size, python: Path) -> tuple[Results, dict[str, str]]:
    versions: dict[str, str] = {}

    def peer(name: str, folder: Path) -> dict[str, float]:
        found = ask(python, name, "drain", folder, size.tasks)
        versions[name] = found["version"]
        assert sorted(found["seen"]) == list(range(size.tasks)), f"{name} lost or doubled tasks"
        return {what: found[what] for what in ("enqueue", "drain")}

    contestants: dict[str, Callable[[Path], dict[str, float]]] = {
        "bare": partial(goals.loop, Bare, size.tasks, 10, "NORMAL"),
        OURS: partial(ours.whole, count=size.tasks, many=10),
        **{name: partial(peer, name) for name in PEERS},
    }
    return interleave("peers", contestants, size.rounds), versions


def _beside(size: Size, python: Path) -> Results:
    def peer(name: str, backlog: int, folder: Path) -> dict[str, float]:
        return {"drain": ask(python, name, "beside", folder, size.beside, backlog, backlog)["drain"]}

    contestants: dict[str, Callable[[Path], dict[str, float]]] = {}
    for place, backlog in (("alone", 1), ("beside", size.backlog)):
        contestants[f"{OURS}, {place}"] = partial(ours.beside, count=size.beside, finished=backlog, pending=backlog)
        contestants |= {f"{name}, {place}": partial(peer, name, backlog) for name in PEERS}
    return interleave("peers beside a backlog", contestants, max(1, size.rounds // 3))


def _shared(size: Size, python: Path) -> dict[str, str]:
    """What two processes do to the tasks of one file, as words."""
    progress, found = Progress("peers with two processes", len(PEERS) + 1), {}
    progress.step(OURS)
    with fresh_folder() as folder:
        wrong = shared("ours", 2, size.shared, folder)["wrong"]
        found[OURS] = "each task once" if not wrong else f"{wrong:.0f} wrong"
    for name in PEERS:
        progress.step(name)
        with fresh_folder() as folder:
            ask(python, name, "fill", folder, size.shared)
            found[name] = _verdict(size.shared, _share(python, name, folder, size.shared))
    progress.end()
    return found


def _share(python: Path, name: str, folder: Path, tasks: int) -> list[dict[str, Any]]:
    command = [str(python), str(JOBS), name, "share", str(folder), str(tasks)]
    pipe = subprocess.PIPE
    others = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) for _ in range(2)
    ]
    for other in others:
        assert other.stdout
        while other.stdout.readline() not in ("ready\n", ""):
            pass
    for other in others:
        assert other.stdin
        other.stdin.write("go\n")
        other.stdin.flush()
    answers = [other.communicate()[0] for other in others]
    return [json.loads(answer.splitlines()[-1]) if answer else {"seen": [], "error": "died"} for answer in answers]


def _verdict(tasks: int, reports: list[dict[str, Any]]) -> str:
    seen = Counter(number for report in reports for number in report["seen"])
    twice, lost = sum(times > 1 for times in seen.values()), tasks - len(seen)
    errors = {report["error"].split(":")[0] for report in reports if report["error"]}
    parts = [
        f"{twice} of {tasks} run twice" if twice else "",
        f"{lost} not run" if lost else "",
        ", ".join(sorted(errors)),
    ]
    return "; ".join(filter(None, parts)) or "each task once"


def _wake_ups(size: Size, python: Path) -> dict[str, str]:
    progress, found = Progress("peers' wake-up", len(PEERS) + 1), {}
    progress.step(OURS)
    with fresh_folder() as folder:
        found[OURS] = f"{wake_up_here(size.wake_ups, folder)['ms']:.2f}"
    for name, peer in PEERS.items():
        progress.step(name)
        if not hasattr(peer, "wait_for_work"):
            found[name] = "none: the caller polls"
            continue
        with fresh_folder() as folder:
            taken = median(ask(python, name, "wake_up", folder, size.wake_ups)["milliseconds"])
            found[name] = f"{taken:.2f}" if taken < 10 else f"{taken:.0f}"
    progress.end()
    return found


if __name__ == "__main__":
    begun = time.perf_counter()
    for each in run("--quick" in sys.argv)[0]:
        print(each, end="\n\n")
    print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr)
