"""How near the queue comes to SQLite itself: each goal, measured beside loops written by hand.

    python -m benchmarks.goals [--quick]

Not covered: other queues (`compare.py`), and the two approaches (`references.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from taskref_edu import TaskQueue, open_database, writing
from taskref_edu.clearing_trigger import reference_index
from taskref_edu.database.sqlite_engine import PAGE_BYTES

from . import ours
from .loops import Bare, Guarded, count, in_a_session
from .processes import ROOT, shared, wake_up_here, wake_up_there
from .rounds import Results, Spread, Table, interleave

NOTHING = lambda payload: None  # noqa: E731 - a handler


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 9
    throughput: int = 25  # rounds: a machine's speed may change within one, and here the goals are near
    tasks: int = 4_000
    many: int = 20_000
    durable: int = 400  # with a wait for the disk at each commit
    backlog: int = 200_000
    beside: int = 1_000
    wake_ups: int = 200
    shared: int = 6_000
    imports: int = 15

    @property
    def fewer(self) -> int:
        """The rounds of what takes long: half of them, and at least five of the usual nine."""
        return (self.rounds + 1) // 2


QUICK = Size(1, 1, 40, 100, 10, 300, 20, 3, 60, 1)


@dataclass(frozen=True)
class Goal:
    """One line of the report: what was measured, what was aimed at, and whether it was reached."""

    what: str
    found: Spread
    aim: float
    at_least: bool = True
    unit: str = "×"

    def row(self) -> list[str]:
        reached = self.found.middle >= self.aim if self.at_least else self.found.middle <= self.aim
        sign = "≥" if self.at_least else "≤"
        return [self.what, f"{self.found} {self.unit}", f"{sign} {self.aim} {self.unit}", "yes" if reached else "no"]


def run(quick: bool = False) -> list[Table]:
    """All goals, and the rates that stand behind them."""
    size = QUICK if quick else Size()
    found, rates = throughput(size)
    goals = [*found, *(goal for part in PARTS for goal in part(size))]
    note = (
        "Median of the rounds, quartiles in brackets; a ratio is taken within a round. WAL, synchronous = NORMAL, a"
        " handler that does nothing, one worker thread, lease and token on. *Guarded*: a loop written by hand on our"
        " tables with our guards, claim and completion in two transactions. *Bare*: the same on a table of four"
        " columns, without guards, lease or times, and on SQLite's own page size."
    )
    table = Table("Goals", ["what", "found", "aim", "reached"], [goal.row() for goal in goals], note)
    return [table, rates, also(size)]


def loop(
    kind: Callable[..., Bare | Guarded], tasks: int, many: int, synchronous: str, folder: Path
) -> dict[str, float]:
    """The three figures of a loop written by hand."""
    hand = kind(folder / "hand.db", synchronous)
    begun = time.perf_counter()
    for _ in range(tasks):
        hand.enqueue(ours.PAYLOAD)
    enqueued = time.perf_counter()
    assert hand.drain(NOTHING) == tasks
    drained = time.perf_counter()
    hand.enqueue_many([ours.PAYLOAD] * many)
    ended = time.perf_counter()
    hand.close()
    return {
        "enqueue": tasks / (enqueued - begun),
        "drain": tasks / (drained - enqueued),
        "enqueue_many": many / (ended - drained),
    }


def _three(tasks: int, many: int, synchronous: str = "NORMAL") -> dict[str, Callable[[Path], dict[str, float]]]:
    return {
        "ours": partial(ours.whole, count=tasks, many=many, synchronous=synchronous),
        "guarded": partial(loop, Guarded, tasks, many, synchronous),
        "bare": partial(loop, Bare, tasks, many, synchronous),
    }


def throughput(size: Size) -> tuple[list[Goal], Table]:
    found = interleave("throughput", _three(size.tasks, size.many), size.throughput)
    ratio = lambda what, yardstick: Spread.of(found.ratios("ours", yardstick, what))  # noqa: E731
    goals = [
        Goal("drain, of the guarded loop", ratio("drain", "guarded"), 1.0),
        Goal("drain, of the bare loop", ratio("drain", "bare"), 0.85),
        Goal("enqueue, one transaction each, of the bare loop", ratio("enqueue", "bare"), 0.2),
        Goal("enqueue_many, of executemany on our table", ratio("enqueue_many", "guarded"), 0.5),
    ]
    return goals, _rates(found, "Tasks a second behind the goals", ["bare", "guarded", "ours"])


def _rates(found: Results, title: str, names: list[str]) -> Table:
    whats = ["enqueue", "enqueue_many", "drain"]
    rows = [[name, *(Spread.of(found.of(name, what)) for what in whats)] for name in names]
    return Table(title, ["", *whats], rows)


def referenced(size: Size) -> list[Goal]:
    def by_hand(folder: Path) -> dict[str, float]:
        engine = open_database(folder / "hand.db", schema="as_written")
        with writing(engine) as session:
            session.connection().exec_driver_sql(reference_index("orders", "processing_task_id", engine.dialect))
        ours.reference_all(engine, TaskQueue(engine), size.tasks)
        engine.dispose()
        hand = Guarded(folder / "hand.db", schema="as_written", clears=True)
        begun = time.perf_counter()
        assert hand.drain(NOTHING) == size.tasks
        rate = size.tasks / (time.perf_counter() - begun)
        hand.close()
        assert count(folder / "hand.db", "SELECT count(processing_task_id) FROM orders") == 0
        return {"drain": rate}

    contestants = {"ours": partial(ours.referenced, count=size.tasks), "hand": by_hand}
    found = interleave("drain, each task referenced", contestants, size.rounds)
    ratio = Spread.of(found.ratios("ours", "hand", "drain"))
    return [Goal("drain, an order references each task, of a guarded loop that clears", ratio, 0.9)]


def on_the_calling_thread(size: Size) -> list[Goal]:
    def by_hand(folder: Path) -> dict[str, float]:
        hand = Guarded(folder / "hand.db")
        hand.enqueue_many([ours.PAYLOAD] * size.tasks)
        begun = time.perf_counter()
        assert hand.drain(NOTHING) == size.tasks
        rate = size.tasks / (time.perf_counter() - begun)
        hand.close()
        return {"drain": rate}

    contestants = {"ours": partial(ours.drain_here, count=size.tasks), "hand": by_hand}
    found = interleave("run_until_idle()", contestants, size.rounds)
    return [Goal("run_until_idle(), of the guarded loop", Spread.of(found.ratios("ours", "hand", "drain")), 0.8)]


def backlog(size: Size) -> list[Goal]:
    contestants = {
        "alone": partial(ours.beside, count=size.beside, finished=1, pending=size.beside),
        "beside": partial(ours.beside, count=size.beside, finished=size.backlog, pending=size.backlog),
    }
    found = interleave("drain beside a backlog", contestants, size.fewer)
    slower = Spread.of(found.ratios("alone", "beside", "drain"))
    what = f"drain beside {size.backlog:,} + {size.backlog:,} tasks, times slower than beside {size.beside:,}"
    return [Goal(what, slower, 1.25, at_least=False)]


def wake_up(size: Size) -> list[Goal]:
    found = interleave(
        "wake-up",
        {"in process": partial(wake_up_here, size.wake_ups), "across": partial(wake_up_there, size.wake_ups)},
        size.fewer,
    )
    return [
        Goal("enqueue to start, idle, in process", Spread.of(found.of("in process", "ms")), 1.5, False, "ms"),
        Goal("enqueue to start, idle, across processes", Spread.of(found.of("across", "ms")), 12, False, "ms"),
    ]


def two_processes(size: Size) -> list[Goal]:
    sides = [(side, workers) for side in ("ours", "hand") for workers in (1, 2)]
    contestants = {f"{side}, {workers}": partial(shared, side, workers, size.shared) for side, workers in sides}
    found = interleave("two processes", contestants, size.rounds)
    mine = Spread.of(found.ratios("ours, 2", "ours, 1", "drain"))
    hand = median(found.ratios("hand, 2", "hand, 1", "drain"))
    of_hand = Spread(mine.middle / hand, mine.low / hand, mine.high / hand)
    wrong = sum(found.of("ours, 2", "wrong"))
    return [
        Goal("two worker processes on one file, of one", mine, 0.75),
        Goal("the same, of the guarded loop's own ratio", of_hand, 1.0),
        Goal("tasks run twice, lost, or ended by a lock", Spread(wrong, wrong, wrong), 0, False, "tasks"),
    ]


def import_time(size: Size) -> list[Goal]:
    # As installed: compiled once, not for each import.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(module: str, folder: Path) -> dict[str, float]:
        program = f"import time; begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"
        command = [sys.executable, "-c", program]
        found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return {"s": float(found.stdout)}

    modules = {module: partial(seconds, module) for module in ("taskref_edu", "sqlmodel")}
    ratios = interleave("import", modules, size.imports).ratios("taskref_edu", "sqlmodel", "s")
    return [Goal("import taskref_edu, times import sqlmodel", Spread.of(ratios), 1.15, at_least=False)]


def also(size: Size) -> Table:
    """What has no goal, and belongs to the picture."""
    full = interleave("WAL and FULL", _three(size.durable, size.many // 10, "FULL"), size.fewer)
    rows: list[list[object]] = []
    for what in ("enqueue", "drain"):
        ratio = Spread.of(full.ratios("ours", "bare", what))
        rows.append([f"synchronous = FULL: {what}, of the bare loop", ratio, Spread.of(full.of("ours", what))])
    alike = {
        "ours": partial(ours.whole, count=size.tasks, many=size.durable),
        "bare": partial(loop, partial(Bare, page_size=PAGE_BYTES), size.tasks, size.durable, "NORMAL"),
    }
    small = interleave("a bare loop on pages of our size", alike, size.rounds)
    what = f"drain, of the bare loop on pages of {PAGE_BYTES:,} bytes, as ours are"
    rows.append([what, Spread.of(small.ratios("ours", "bare", "drain")), Spread.of(small.of("ours", "drain"))])
    alone = {
        "ours": partial(ours.whole, count=size.tasks, many=size.durable),
        "session": partial(in_a_session, payload=ours.PAYLOAD, count=size.tasks),
    }
    session = interleave("a session that only inserts", alone, size.rounds)
    what = "enqueue, of a plain session that only hands an INSERT to the driver"
    rows.append(
        [what, Spread.of(session.ratios("ours", "session", "enqueue")), Spread.of(session.of("ours", "enqueue"))]
    )
    order = interleave("enqueue with its order", {"ours": partial(ours.with_order, count=size.tasks // 4)}, size.fewer)
    what = "enqueue with a new order that references the task, one transaction"
    rows.append([what, "", Spread.of(order.of("ours", "enqueue"))])
    watched = {
        name: partial(ours.observed, count=size.tasks, watched=name == "observed") for name in ("observed", "not")
    }
    looked = interleave("an observer", watched, size.fewer)
    ratio = Spread.of(looked.ratios("observed", "not", "drain"))
    what = "drain while an observer looks at each statement, of a drain without"
    rows.append([what, ratio, Spread.of(looked.of("observed", "drain"))])
    return Table("Also measured", ["what", "ratio", "tasks a second"], rows)


PARTS = (on_the_calling_thread, referenced, backlog, wake_up, two_processes, import_time)

if __name__ == "__main__":
    for each in run("--quick" in sys.argv):
        print(each, end="\n\n")
