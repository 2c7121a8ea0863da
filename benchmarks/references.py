"""The document's claim, measured: what each approach costs, and how that grows with the number of tasks.

    python -m benchmarks.references [--quick]

Five databases with the same orders, a tenth of them in process: classic and inverted as the document writes them,
classic with an index on status, and both at their best. Steps of SQLite's virtual machine are exact and the same on
every machine; microseconds are this one's, without the commit.

Not covered: races and typos, which no index prevents; see the notebooks. What is compared: `reference_variants.py`.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import writing
from taskref_edu.lab import measure

from .reference_variants import ACTS, VARIANTS, Shop
from .rounds import Progress, Table

SIZES = [1_000, 10_000, 100_000, 1_000_000]
QUICK_SIZES = [100, 1_000]
FIXED = 100  # orders in process, however many there are
SECONDS = 0.5  # for the timing of one act


@dataclass(frozen=True)
class Figure:
    """What one act costs on one database."""

    steps: int
    microseconds: float


Figures = dict[str, dict[str, dict[int, Figure]]]  # act -> variant -> orders -> figure


def figures(sizes: list[int], live: Callable[[int], int], acts: list[str], title: str) -> Figures:
    """Each act of each variant at each size; `live` is how many orders are in process then."""
    found: Figures = {act: {name: {} for name in VARIANTS} for act in acts}
    progress = Progress(title, len(sizes) * len(VARIANTS))
    for size in sizes:
        for name, variant in VARIANTS.items():
            progress.step(f"{name}, {size:,}")
            engine = variant.engine(size, live(size))
            shop = Shop.of(engine, size)
            for act in acts:
                found[act][name][size] = _figure(engine, lambda session, do=variant.acts[act], at=shop: do(session, at))
            engine.dispose()
    progress.end()
    return found


def _figure(engine: Engine, act: Callable[[Session], Any]) -> Figure:
    steps = measure(engine, act).vm_steps
    taken, end = [], time.perf_counter() + SECONDS
    while len(taken) < 3 or (time.perf_counter() < end and len(taken) < 50):
        with writing(engine) as session:
            begun = time.perf_counter()
            act(session)
            session.flush()
            taken.append((time.perf_counter() - begun) * 1e6)
            session.rollback()
    return Figure(steps, median(taken))


def exponent(points: Mapping[int, float]) -> float:
    """b in cost ≈ a · nᵇ, fitted to the logarithms: 0 is flat, 1 grows as the table does."""
    places = sorted(points)
    return linear_regression([math.log(x) for x in places], [math.log(points[x]) for x in places]).slope


def run(quick: bool = False) -> tuple[list[Table], dict[str, dict[str, dict[int, float]]]]:
    """Tables, and for the charts act -> variant -> orders -> VM steps."""
    sizes = QUICK_SIZES if quick else SIZES
    tenth = figures(sizes, lambda size: size // 10, ACTS, "references, a tenth in process")
    fixed = figures(sizes, lambda size: min(FIXED, size // 2), ["list"], f"references, {FIXED} in process")
    tables = [_table(act, tenth[act], sizes, "A tenth of the orders is in process.") for act in ACTS]
    note = (
        f"{FIXED} orders are in process, however many there are: a list that costs no more than its result stays flat."
    )
    tables.append(_table("list of a fixed length", fixed["list"], sizes, note))
    tables.append(_per_listed(tenth["list"], sizes))
    return tables, {act: {name: _steps(at) for name, at in of.items()} for act, of in tenth.items()}


def _steps(at: dict[int, Figure]) -> dict[int, float]:
    return {size: float(figure.steps) for size, figure in at.items()}


def _table(act: str, of: dict[str, dict[int, Figure]], sizes: list[int], note: str) -> Table:
    heads = ["", *(f"{size:,} orders" for size in sizes), "steps grow as", "time grows as"]
    rows = []
    for name, at in of.items():
        cells = [f"{at[size].steps:,} ({_time(at[size].microseconds)})" for size in sizes]
        growth = [exponent(_steps(at)), exponent({n: f.microseconds for n, f in at.items()})]
        rows.append([name, *cells, *(f"n^{value:.2f}" for value in growth)])
    return Table(f"VM steps and time: {act}", heads, rows, note)


def _per_listed(of: dict[str, dict[int, Figure]], sizes: list[int]) -> Table:
    rows = [[name, *(f"{at[size].steps / (size // 10):.1f}" for size in sizes)] for name, at in of.items()]
    note = "The list of a tenth of the orders, divided by its length. Classic as written lists the pending half only."
    return Table("VM steps for each order in process", ["", *(f"{size:,} orders" for size in sizes)], rows, note)


def _time(microseconds: float) -> str:
    if microseconds < 1_000:
        return f"{microseconds:.0f} µs"
    return f"{microseconds / 1_000:,.1f} ms"


if __name__ == "__main__":
    for each in run("--quick" in sys.argv)[0]:
        print(each, end="\n\n")
