"""The document's claim, measured: what each approach costs, and how that grows with the number of tasks.

    python -m benchmarks.references [--quick]

Five databases with the same orders, a tenth of them in process: classic and inverted as the document writes them,
classic with an index on status, and both at their best. Steps of SQLite's virtual machine are exact and the same on
every machine; microseconds are this one's, without the commit.

Leaves out: races and typos, which no index mends. See the notebooks.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Any

from sqlalchemy import Engine, func, update
from sqlalchemy.dialects import sqlite
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, classic, inverted, writing
from taskref_edu.lab import measure
from taskref_edu.lab.many_orders import many_orders
from taskref_edu.running import RunningTask
from taskref_edu.schema import ADDITIONS, SchemaName

from .rounds import Progress, Table

SIZES = [1_000, 10_000, 100_000, 1_000_000]
QUICK_SIZES = [100, 1_000]
FIXED = 100  # orders in process, however many there are
SECONDS = 0.5  # for the timing of one act

Act = Callable[[Session, "Shop"], Any]


@dataclass(frozen=True)
class Shop:
    """A database of so many orders, and those that the acts work on."""

    queue: TaskQueue
    free: Order  # paid long ago, its task ended
    taken: Order  # in process, its task pending
    running: RunningTask  # the task of another one in process

    @classmethod
    def of(cls, engine: Engine, count: int) -> Shop:
        pending = count - count % 2
        running = RunningTask(pending - 1, inverted.PAYMENT, {"order_id": pending - 1}, 0, 0, TaskQueue(engine))
        return cls(TaskQueue(engine), _order(1), _order(pending), running)


def _order(order_id: int) -> Order:
    return Order(id=order_id, customer="customer", amount=1000)


# The document's statements, in the caller's transaction (see approaches/as_written.py).


def _payments_of(order: Order) -> list[Any]:
    return [Task.type == classic.PAYMENT, func.json_extract(Task.payload, "$.order_id") == order.id]


def classic_check(session: Session, shop: Shop) -> None:
    session.exec(select(Task.id).where(*_payments_of(shop.taken), Task.status == TaskStatus.PENDING)).first()


def classic_cancel(session: Session, shop: Shop) -> None:
    for task_id in session.exec(select(Task.id).where(*_payments_of(shop.taken))).all():
        shop.queue.cancel(session, task_id or 0)


def classic_list(session: Session, shop: Shop) -> None:
    tasks = session.exec(
        select(Task.id, Task.payload).where(Task.type == classic.PAYMENT, Task.status == TaskStatus.PENDING)
    )
    ids = [payload["order_id"] for _, payload in tasks]
    for start in range(0, len(ids), 10_000):  # the document passes all of them; SQLite takes 32,766
        session.exec(select(Order).where(col(Order.id).in_(ids[start : start + 10_000]))).all()


def classic_enqueue(session: Session, shop: Shop) -> None:
    shop.queue.enqueue(session, classic.PAYMENT, {"order_id": shop.free.id})


def inverted_check(session: Session, shop: Shop) -> None:
    session.exec(select(Order.processing_task_id).where(Order.id == shop.taken.id)).one()


def inverted_cancel(session: Session, shop: Shop) -> None:
    task_id = session.exec(select(Order.processing_task_id).where(Order.id == shop.taken.id)).one()
    shop.queue.cancel(session, task_id or 0)
    session.execute(update(Order).where(col(Order.id) == shop.taken.id).values(processing_task_id=None))


def inverted_list(session: Session, shop: Shop) -> None:
    session.exec(select(Order).where(col(Order.processing_task_id).is_not(None))).all()


def inverted_enqueue(session: Session, shop: Shop) -> None:
    task = shop.queue.enqueue(session, inverted.PAYMENT)
    session.execute(update(Order).where(col(Order.id) == shop.free.id).values(processing_task_id=task.id))


def complete(session: Session, shop: Shop) -> None:
    shop.queue.complete(session, shop.running)


def _best(approach: Any) -> dict[str, Act]:
    return {
        "duplicate check": lambda session, shop: approach.enqueue_payment_once(session, shop.queue, shop.taken),
        "cancel": lambda session, shop: approach.cancel_payment(session, shop.queue, shop.taken),
        "list": lambda session, shop: approach.orders_in_process(session),
        "enqueue": lambda session, shop: approach.enqueue_payment(session, shop.queue, shop.free),
        "complete": complete,
    }


CLASSIC_AS_WRITTEN: dict[str, Act] = {
    "duplicate check": classic_check,
    "cancel": classic_cancel,
    "list": classic_list,
    "enqueue": classic_enqueue,
    "complete": complete,
}
INVERTED_AS_WRITTEN: dict[str, Act] = {
    "duplicate check": inverted_check,
    "cancel": inverted_cancel,
    "list": inverted_list,
    "enqueue": inverted_enqueue,
    "complete": complete,
}


@dataclass(frozen=True)
class Variant:
    """An approach: its acts, and what its database has beyond the two tables."""

    acts: Mapping[str, Act]
    add: tuple[str, ...] = ()
    schema: SchemaName = "as_written"

    def engine(self, count: int, live: int) -> Engine:
        """Filled first, then indexed: that is much faster."""
        engine = many_orders(count, live)
        with writing(engine) as session:
            added = [statement for addition in ADDITIONS[self.schema] for statement in addition(engine.dialect)]
            for statement in (*added, *self.add):
                session.connection().exec_driver_sql(statement)
        return engine


# Without the generated column of schema="classic": it is about typos, not about speed.
ONE_LIVE_PAYMENT = tuple(ADDITIONS["classic"][0](sqlite.dialect()))
VARIANTS = {
    "classic, as written": Variant(CLASSIC_AS_WRITTEN),
    "classic, index on status": Variant(CLASSIC_AS_WRITTEN, ("CREATE INDEX task_status ON task (type, status)",)),
    "classic, expression index": Variant(_best(classic), ONE_LIVE_PAYMENT),
    "inverted, as written": Variant(INVERTED_AS_WRITTEN),
    "inverted, partial index": Variant(_best(inverted), schema="inverted"),
}
ACTS = list(CLASSIC_AS_WRITTEN)


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
    steps = {
        act: {name: {n: float(f.steps) for n, f in at.items()} for name, at in of.items()} for act, of in tenth.items()
    }
    return tables, steps


def _steps(at: dict[int, Figure]) -> dict[int, float]:
    return {size: float(figure.steps) for size, figure in at.items()}


def _table(act: str, of: dict[str, dict[int, Figure]], sizes: list[int], note: str) -> Table:
    heads = ["", *(f"{size:,} orders" for size in sizes), "steps grow as", "time grows as"]
    rows = []
    for name, at in of.items():
        cells = [f"{at[size].steps:,} ({_time(at[size].microseconds)})" for size in sizes]
        growth = [exponent({n: f.steps for n, f in at.items()}), exponent({n: f.microseconds for n, f in at.items()})]
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
