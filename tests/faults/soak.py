"""The long run: everything that is broken on purpose, for minutes; its figures go into docs/reliability.md.

    make soak                   or: python -m tests.faults [--quick] [--only PART]

--quick takes a minute and tells only that everything runs; it and --only write nothing. The exit code is 1 if a
promise did not hold.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.report import load as load_average
from benchmarks.report import machine
from benchmarks.rounds import Table
from tests.queue.test_machine import QueueMachine

from .kernel import kernel_kills
from .kills import HEADS, Kills, random_kills, step_kills
from .load import Load, load
from .memory import memory
from .mutants import MUTANTS, run_machine, steps_until_found
from .payments import APPROACHES

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- make soak: begin -->", "<!-- make soak: end -->"
MIB = 2**20


@dataclass(frozen=True)
class Sizes:
    """How long each part takes."""

    random_seconds: float = 45.0
    kernels: int = 6
    steps: int = 15_000
    mutants: int = len(MUTANTS)
    steady_seconds: float = 60.0
    flat_out_seconds: float = 20.0
    tasks: int = 200_000


QUICK = Sizes(3.0, 2, 200, 2, 2.0, 2.0, 4_000)
Found = tuple[Table, list[str]]  # what was measured, and which promises did not hold


def kills(sizes: Sizes, folder: Path) -> Found:
    """Processes and kernels, killed."""
    leases = [3.0, *[0.5] * (sizes.kernels - 1)]
    found: dict[str, Kills] = {}
    for approach in APPROACHES:
        found[f"{approach}, at random moments"] = random_kills(folder / f"1{approach}", approach, sizes.random_seconds)
        found[f"{approach}, before each step"] = step_kills(folder / f"2{approach}", approach)
        found[f"{approach}, the notebook's kernel"] = kernel_kills(folder / f"3{approach}", approach, leases)
    where = found["inverted, before each step"].where
    paths = ", ".join(f"{count} of {name}" for name, count in where.items())
    note = f"Steps of each path (inverted): {paths}. The first kernel's lease is longer than that of those after it."
    table = Table("Killed", ["what was killed", *HEADS], [[name, *each.row()] for name, each in found.items()], note)
    return table, [f"{name}: {each.found.faults}" for name, each in found.items() if each.found.faults]


def state_machine(sizes: Sizes, folder: Path) -> Found:
    """The queue against its model, then against itself with a guard missing."""

    class Counted(QueueMachine):
        steps = 0

    problems: list[str] = []
    try:
        run_machine(Counted, sizes.steps)
    except Exception as error:
        problems.append(f"the state machine: {error!r}")
    rows: list[list[object]] = [["none (the queue as it is)", f"{Counted.steps:,} steps, nothing found"]]
    for mutant in MUTANTS[: sizes.mutants]:
        steps = steps_until_found(mutant)
        rows.append([mutant.name, f"found after {steps:,} steps" if steps else "NOT FOUND"])
        if steps is None:
            problems.append(f"the state machine does not notice: {mutant.name}")
    if problems and problems[0].startswith("the state machine:"):
        rows[0][1] = "FAILED"
    return Table("The state machine, and whether it finds a missing guard", ["what is missing", ""], rows), problems


def everybody_at_once(sizes: Sizes, folder: Path) -> Found:
    """The load, at a steady pace and as fast as they can."""
    found = {
        "steady": load(folder / "steady", sizes.steady_seconds, pause=0.02),
        "flat out": load(folder / "flat_out", sizes.flat_out_seconds, pause=0.0),
    }
    note = (
        "2 worker threads, 2 worker processes, 4 producers, one who cancels and the panel's reader, with the default "
        "timeout. Steady: each producer pauses for 20 ms on average. Flat out: nobody pauses, so tasks pile up."
    )
    rows = [[name, *(line(each) for each in found.values())] for name, line in LINES.items()]
    table = Table("Everybody at once", ["", *found], rows, note)
    problems = [f"{name}: {error}" for name, each in found.items() for error in each.errors]
    problems += [
        f"{name}: a worker waited {each.longest_wait_of_a_worker:.1f} s for its turn"
        for name, each in found.items()
        if each.longest_wait_of_a_worker > 1
    ]
    return table, problems


LINES: dict[str, Callable[[Load], str]] = {
    "seconds": lambda each: f"{each.seconds:.0f}",
    "tasks": lambda each: f"{each.tasks:,}",
    "of these cancelled": lambda each: f"{each.cancelled:,}",
    "write transactions": lambda each: f"{each.turns:,}",
    "errors that reached anybody": lambda each: f"{len(each.errors)}",
    "longest wait of a worker for its turn to write": lambda each: f"{each.longest_wait_of_a_worker * 1000:.0f} ms",
    "longest wait of anybody": lambda each: f"{each.longest_wait * 1000:.0f} ms",
    "from enqueue to start, median": lambda each: f"{each.latency(0.5) * 1000:.0f} ms",
    "from enqueue to start, p99": lambda each: f"{each.latency(0.99) * 1000:.0f} ms",
    "largest size of the write-ahead log": lambda each: f"{each.largest_wal / MIB:.1f} MiB",
}


def growth(sizes: Sizes, folder: Path) -> Found:
    """The memory of a worker."""
    found = memory(folder / "memory", sizes.tasks)
    grown = found.late - found.early
    rows = [
        ["tasks", f"{found.tasks:,}"],
        ["seconds", f"{found.seconds:.0f}"],
        ["memory after a tenth of them", f"{found.early / MIB:.1f} MiB"],
        ["grown until the end by", f"{grown / MIB:.1f} MiB"],
    ]
    problems = [f"the worker has grown by {grown / MIB:.1f} MiB"] if grown > 0.1 * found.early else []
    return Table("Memory of a process that enqueues and runs", ["", ""], rows), problems


PARTS: list[Callable[[Sizes, Path], Found]] = [kills, state_machine, everybody_at_once, growth]


def main() -> int:
    """Run the parts and report; 1 if a promise did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute: does everything run?")
    parser.add_argument("--only", choices=[part.__name__ for part in PARTS], help="one part, nothing is written")
    chosen = parser.parse_args()
    parts = [part for part in PARTS if chosen.only in (None, part.__name__)]
    before, begun, tables, problems = load_average(), time.monotonic(), list[Table](), list[str]()
    for number, part in enumerate(parts, start=1):
        print(f"{number} of {len(parts)}: {part.__doc__} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="taskref-soak-") as folder:
            table, trouble = part(QUICK if chosen.quick else Sizes(), Path(folder))
        print(table, end=f"\n({time.monotonic() - begun:.0f} s so far)\n\n", flush=True)
        tables.append(table)
        problems += trouble
    if not chosen.quick and not chosen.only:
        write([*tables, machine(before)], time.monotonic() - begun, problems)
        print(f"written: {PAGE}")
    for problem in problems:
        print(f"DOES NOT HOLD: {problem}", file=sys.stderr)
    return 1 if problems else 0


def write(tables: list[Table], seconds: float, problems: list[str], page: Path = PAGE) -> None:
    """Put the figures between the markers of the page."""
    what_failed = "".join(f"- **does not hold**: {problem}\n" for problem in problems)
    head = f"Written by `make soak` on {date.today()}, which took {seconds / 60:.0f} minutes.\n\n{what_failed}"
    text = head + "\n\n".join(f"#{table.markdown()}" for table in tables)
    old = page.read_text(encoding="utf-8")
    assert old.count(BEGIN) == old.count(END) == 1, f"{page} has no place for the figures: {BEGIN} … {END} expected"
    new = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL)
    page.write_text(new, encoding="utf-8")
