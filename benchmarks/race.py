"""How fast the race lab is: schedules a second, and the ratio to calling the same functions one after the other.

    python -m benchmarks.race [--quick]

Two actors of four autocommitted statements, 70 schedules; explorations of millions, whose states are merged; three
actors through Core, 34,650 schedules, every one run, with their time and memory. Where two sides are compared, both
restore the database and ask the invariant, as often, and take turns. The start of an exploration (a file, its tables,
the setup) is measured by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from taskref_edu import Order, writing
from taskref_edu.lab import explore
from taskref_edu.lab.explorer.experiment import Experiment, name_of
from taskref_edu.lab.explorer.schedule_outcome import Limits, ScheduleOutcome
from taskref_edu.lab.explorer.schedules import AllSchedules
from taskref_edu.lab.explorer.trial import Trial

from .goals import Goal
from .peers import environment
from .rounds import Spread, Table

READ, WRITE = text("SELECT amount FROM orders WHERE id = 1"), text("UPDATE orders SET amount = amount + 1 WHERE id = 1")
ORDER = select(Order).where(Order.id == 1)
BUY = text("UPDATE stock_of_the_benchmark SET left = left - 1 WHERE id = 1 AND left > 0")
PEER = Path(__file__).with_name("peer_race.py")
PAY = update(Order).where(col(Order.id) == 1).values(amount=col(Order.amount) + 1)
RATES = {"driver": 2_000, "core": 1_000, "orm": 400}
ROUNDS = 25  # short ones: a busy machine is slow for seconds


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
    with Session(engine) as session:
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
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
    return Trial(Experiment([function] * actors, invariant, setup), Limits())


def explored(lab: Trial) -> int:
    return sum(1 for outcome in AllSchedules(lab.exploration) if lab.problems(outcome) is not None)


def one_after_the_other(lab: Trial, engines: list[Engine], schedules: int) -> None:
    outcome = ScheduleOutcome("")
    for _ in range(schedules):
        lab.exploration.database.restore()
        for actor, engine in zip(lab.exploration.actors, engines, strict=True):
            actor.function(engine)
        lab.problems(outcome)


def compare(name: str, function: Callable[[Engine], Any], rounds: int) -> list[Goal]:
    """Its rate, and its ratio to calling the same functions as often; the two take turns."""
    ours: list[float] = []
    theirs: list[float] = []
    with trial(function) as lab:
        engines = [lab.exploration.database.engine() for _ in lab.exploration.actors]
        count = explored(lab)
        one_after_the_other(lab, engines, count)
        for _ in range(rounds):
            began = time.perf_counter()
            explored(lab)
            between = time.perf_counter()
            one_after_the_other(lab, engines, count)
            ours.append(between - began)
            theirs.append(time.perf_counter() - between)
        for engine in engines:
            engine.dispose()
    rate = Spread.of([count / seconds for seconds in ours])
    ratio = Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])
    return [
        Goal(f"{name}: {count} schedules", rate, RATES[name], unit="a second"),
        Goal(f"{name}: of the time of one after the other", ratio, 1.7, at_least=False),
    ]


def start(rounds: int) -> Goal:
    """What an exploration costs before its first schedule and after its last."""
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        with trial(driver):
            pass
        times.append((time.perf_counter() - began) * 1000)
    return Goal("to start and end an exploration", Spread.of(times), 50, False, "ms")


def long(most: int) -> list[Goal]:
    """Three actors through Core, as explore() runs them: the time, and what is kept of each schedule."""
    at: dict[int, int] = {}

    def progress(count: int) -> None:
        if count in (most // 6, most):
            at[count] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    explore([core] * 3, setup=setup, invariant=lambda session: [], merge=False, max_runs=most, progress=progress)
    tracemalloc.stop()
    grown = (at[most] - at[most // 6]) / 1024
    began = time.perf_counter()
    found = explore([core] * 3, setup=setup, invariant=lambda session: [], merge=False, max_runs=most + most // 3)
    seconds = time.perf_counter() - began
    return [
        Goal(
            f"three actors through Core: {found.count:,} schedules", Spread(seconds, seconds, seconds), 60, False, "s"
        ),
        Goal(f"memory from {most // 6:,} to {most:,} schedules", Spread(grown, grown, grown), 100, False, "KiB"),
    ]


class Stock(SQLModel, table=True):
    __tablename__ = "stock_of_the_benchmark"  # pyright: ignore[reportAssignmentType]
    id: int = Field(primary_key=True)
    left: int


def one_in_stock(engine: Engine) -> None:
    SQLModel.metadata.tables["stock_of_the_benchmark"].create(engine)
    with Session(engine) as session:
        session.add(Stock(id=1, left=1))
        session.commit()


def buy(engine: Engine) -> None:
    """Check in one session, write in another."""
    with Session(engine) as session:
        left = session.get_one(Stock, 1).left
    if left > 0:
        with Session(engine) as session:
            session.get_one(Stock, 1).left -= 1
            session.commit()


def buy_at_once(engine: Engine) -> None:
    """Check and write in one statement."""
    with Session(engine) as session:
        session.execute(BUY)
        session.commit()


def not_oversold(session: Session) -> list[str]:
    left = session.get_one(Stock, 1).left
    return [f"{left} left"] if left < 0 else []


STOCK: dict[str, Any] = {"setup": one_in_stock, "invariant": not_oversold, "schema": None}


def own_row(number: int, sums: bool) -> Callable[[Engine], None]:
    """Twelve statements on a row of its own; half of them, if asked, sums of the whole table."""

    def actor(engine: Engine) -> None:
        raw = engine.raw_connection()
        cursor = raw.cursor()
        for place in range(12):
            if sums and place % 2:
                cursor.execute("SELECT sum(amount) FROM orders").fetchall()
            else:
                cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = ?", (number,))
        raw.close()

    return actor


def two_orders(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([Order(id=number, customer="Ada", amount=0) for number in (1, 2)])


def merged() -> list[Goal]:
    """Explorations of many schedules: the processor's time, with the counts that are exact."""
    rows: dict[str, Any] = {"setup": two_orders, "invariant": lambda session: []}
    twelve = [own_row(number, False) for number in (1, 2)]
    asked: list[tuple[list[Callable[[Engine], Any]], dict[str, Any], float]] = [
        ([buy] * 3, STOCK, 0.5),
        ([buy] * 4, STOCK, 1.5),
        (twelve, rows, 1),
        ([own_row(number, True) for number in (1, 2)], rows, 15),
    ]
    goals = []
    for actors, options, most in asked:
        began = time.process_time()
        found = explore(actors, **options)
        seconds = time.process_time() - began
        counts = f"{found.count:,} schedules, {len(found.broken):,} break, {len(found.errors):,} with errors"
        name = f"{len(actors)} × {name_of(actors[0])}: {counts}, {found.runs:,} runs"
        goals.append(Goal(name, Spread(seconds, seconds, seconds), most, False, "s"))
    return goals


def beside_frontrun() -> Table:
    """Two and three buyers, wrong and right: what explore() says, and what frontrun does, run by its own command."""
    python = environment()
    rows, version = [], ""
    for actors in (2, 3):
        theirs = (_frontrun(python, actors) if python is not None else None) or {}
        version = theirs.get("version", version)
        answers = theirs.get("answers", [{"verdict": "not installed", "seconds": 0.0, "runs": 0}] * 2)
        for function, answer in zip((buy, buy_at_once), answers, strict=True):
            began = time.process_time()
            found = explore([function] * actors, **STOCK)
            seconds = time.process_time() - began
            said = "holds" if found.holds else f"breaks in {len(found.broken):,}"
            rows.append(
                [
                    f"{actors} × {function.__name__}",
                    f"{said} of {found.count:,}: {seconds:.2f} s, {found.runs} runs",
                    f"{answer['verdict']}: {answer['seconds']:.2f} s, {answer['runs']} runs",
                ]
            )
    note = (
        "Seconds of the processor. frontrun steps through bytecode on threads, and stops at the first interleaving that"
        " breaks; it is run by its own command, without which it does not see SQL. Each of its runs has a fresh"
        " database, which is a file with its tables."
    )
    return Table("The race lab beside frontrun", ["actors", "explore", f"frontrun {version}"], rows, note)


def _frontrun(python: Path, actors: int) -> dict[str, Any] | None:
    command = [str(python.with_name("frontrun")), str(python), str(PEER), str(actors)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def run(quick: bool = False) -> list[Table]:
    """The goals of the race lab, as a table."""
    rounds = 1 if quick else ROUNDS
    goals = [goal for name, function in ACTORS.items() for goal in compare(name, function, rounds)]
    goals += [start(rounds), *merged(), *long(60 if quick else 30_000)]
    note = (
        "Two actors of four autocommitted statements each, unless it says otherwise. Restoring the database and asking"
        " the invariant is included, on both sides."
    )
    tables = [Table("The race lab", ["what", "found", "aim", "reached"], [goal.row() for goal in goals], note)]
    return tables if quick else [*tables, beside_frontrun()]


ACTORS = {"driver": driver, "core": core, "orm": orm}

if __name__ == "__main__":
    for each in run("--quick" in sys.argv):
        print(each)
