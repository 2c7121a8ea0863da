"""How fast the race lab is: schedules per second, and the ratio to calling the same functions one after the other.

    python benchmarks/race.py            two actors of four autocommitted statements: 70 schedules, a few rounds
    python benchmarks/race.py --long     also three of them through Core: 34,650 schedules, time and memory

Both sides restore the database and ask the invariant, as often. Rounds alternate, since machines are noisy: trust the
ratio. Leaves out the start of an exploration (a file, its tables, the setup), which is printed by itself.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

from sqlalchemy import Engine, text, update
from sqlmodel import Session, col, select

from taskref_edu import Order, writing
from taskref_edu.lab import explore
from taskref_edu.lab.outcome import Limits, Outcome
from taskref_edu.lab.stage import Stage
from taskref_edu.lab.trial import Trial
from taskref_edu.lab.walk import Walk

READ, WRITE = text("SELECT amount FROM orders WHERE id = 1"), text("UPDATE orders SET amount = amount + 1 WHERE id = 1")
ORDER = select(Order).where(Order.id == 1)
PAY = update(Order).where(col(Order.id) == 1).values(amount=col(Order.amount) + 1)
TARGETS = {"driver": 2_000, "core": 1_000, "orm": 400}
ROUNDS = 9


def driver(engine: Engine) -> None:
    raw = engine.raw_connection()
    cursor = raw.cursor()
    for _ in range(2):
        cursor.execute("SELECT amount FROM orders WHERE id = 1").fetchall()
        cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = 1")
    raw.close()


def core(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(2):
            connection.execute(READ).all()
            connection.execute(WRITE)


def orm(engine: Engine) -> None:
    with Session(engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        for _ in range(2):
            session.exec(ORDER).one()
            session.execute(PAY)


def setup(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=1, customer="Ada", amount=0))


def invariant(session: Session) -> list[str]:
    amount = session.connection().exec_driver_sql("SELECT amount FROM orders").scalar()
    return [] if amount == 4 else [f"{amount} instead of 4"]


def trial(function: Callable[[Engine], Any], actors: int = 2) -> Trial:
    stage = Stage([function] * actors, setup=setup, schema="both", journal="wal", limits=Limits())
    return Trial(stage, invariant)


def explored(lab: Trial) -> int:
    return sum(1 for outcome in Walk(lab.stage) if lab.problems(outcome) is not None)


def one_after_the_other(lab: Trial, engines: list[Engine], schedules: int) -> None:
    outcome = Outcome("")
    for _ in range(schedules):
        lab.stage.world.restore()
        for actor, engine in zip(lab.stage.actors, engines, strict=True):
            actor.function(engine)
        lab.problems(outcome)


def compare(name: str, function: Callable[[Engine], Any]) -> None:
    times: list[tuple[float, float]] = []
    with trial(function) as lab:
        engines = [lab.stage.world.engine() for _ in lab.stage.actors]
        count = explored(lab)
        one_after_the_other(lab, engines, count)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            explored(lab)
            between = time.perf_counter()
            one_after_the_other(lab, engines, count)
            times.append((between - began, time.perf_counter() - between))
        for engine in engines:
            engine.dispose()
    ratio = median(one / other for one, other in times)
    rate = count / min(one for one, _ in times)
    print(
        f"{name:<8} {count} schedules: {rate:>7,.0f} a second at best (target {TARGETS[name]:,}),"
        f" {count / median(one for one, _ in times):>7,.0f} in the median;"
        f" {ratio:.2f} times the time of one after the other (target 1.7)"
    )


def start() -> None:
    began = time.perf_counter()
    for _ in range(10):
        with trial(driver):
            pass
    print(f"to start and end an exploration: {(time.perf_counter() - began) * 100:.1f} ms")


def long() -> None:
    tracemalloc.start()
    at: dict[int, int] = {}

    def progress(count: int) -> None:
        if count in (5_000, 30_000):
            at[count] = tracemalloc.get_traced_memory()[0]

    explore([core] * 3, setup=setup, invariant=lambda session: [], max_schedules=30_000, progress=progress)
    tracemalloc.stop()
    began = time.perf_counter()
    found = explore([core] * 3, setup=setup, invariant=lambda session: [], max_schedules=40_000)
    seconds = time.perf_counter() - began
    print(f"three actors through Core: {found.count:,} schedules in {seconds:.1f} s (target 60)")
    print(f"memory from 5,000 to 30,000 schedules: {(at[30_000] - at[5_000]) / 1024:+,.0f} KiB")


if __name__ == "__main__":
    start()
    for each_name, each_function in (("driver", driver), ("core", core), ("orm", orm)):
        compare(each_name, each_function)
    if "--long" in sys.argv:
        long()
