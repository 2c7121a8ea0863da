"""What a payment weighs: bytes of its task and its order, of the log; and what an old snapshot makes of a claim.

A claim and a completion each leave an old version of the row behind; VACUUM frees its place for the next ones, but
not while a transaction is open that might still see it. Read next: `scale.py`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text

from taskref_edu import Order, TaskQueue, Worker, classic, inverted, open_database, reading, writing
from taskref_edu.approaches import procrastinate
from taskref_edu.database import file_of
from taskref_edu.postgres import start_postgres

from .rounds import Table

APPROACHES = {"classic": classic, "inverted": inverted}


def weights(count: int) -> Table:
    """Bytes of a payment, by queue and by moment."""
    rows = [row for name in APPROACHES for row in (_ours(name, count), _on_sqlite(name, count))]
    heads = ["", "task, waiting", "as run", "packed", "of that in indexes", "its order, as run", "log"]
    note = (
        f"Bytes of each of {count:,} payments. *Packed*: after VACUUM FULL, as a table is that nobody writes to. *Log*:"
        " what PostgreSQL wrote to its write-ahead log from the enqueue to the end. SQLite's file holds both tables."
    )
    return Table("What a payment weighs", heads, [*rows, _procrastinate(count)], note)


def _ours(name: str, count: int) -> list[object]:
    engine = open_database(start_postgres(), schema=name)  # type: ignore[arg-type]
    before = _log(engine)
    _enqueue(engine, name, count)
    waiting = _bytes(engine, count, "task")
    _pay(engine, name)
    log = round((_log(engine) - before) / count)
    row = [f"{name}, PostgreSQL", waiting, *_run_and_packed(engine, count, ["task"], "orders"), log]
    engine.dispose()
    return row


def _on_sqlite(name: str, count: int) -> list[object]:
    with tempfile.TemporaryDirectory(prefix="taskref-bench-") as folder:
        engine = open_database(Path(folder, "x.db"), schema=name)  # type: ignore[arg-type]
        _enqueue(engine, name, count)
        waiting = _file(engine, count)
        _pay(engine, name)
        run = _file(engine, count)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
        row = [f"{name}, SQLite, both tables", waiting, run, _file(engine, count), "", "", ""]
        engine.dispose()
    return row


def _procrastinate(count: int) -> list[object]:
    engine = open_database(start_postgres())
    queue = procrastinate.open_queue(engine)
    before = _log(engine)
    with writing(engine) as session:
        orders = [procrastinate.Order(customer="Ann", amount=1) for _ in range(count)]
        session.add_all(orders)
        session.flush()
        for order in orders:
            procrastinate.enqueue_payment(session, queue, order)
    tables = ["procrastinate_jobs", "procrastinate_events"]
    waiting = _bytes(engine, count, *tables)
    procrastinate.run_until_idle(queue)
    log = round((_log(engine) - before) / count)
    row = ["Procrastinate, inverted", waiting, *_run_and_packed(engine, count, tables, "shop_orders"), log]
    engine.dispose()
    return row


def snapshots(sizes: Sequence[int]) -> Table:
    """Milliseconds of a claim after so many tasks ended while somebody's transaction stayed open, and after it."""
    rows = [[f"{size:,}", *_claims_beside_an_old_snapshot(size)] for size in sizes]
    note = "A report, a backup or a forgotten psql, open while the queue works: each claim walks over all that ended."
    heads = ["tasks ended meanwhile", "ms of a claim, while it is open", "after it, and a VACUUM"]
    return Table("What an old transaction does to the queue", heads, rows, note)


def _claims_beside_an_old_snapshot(size: int) -> list[str]:
    engine = open_database(start_postgres())
    queue = TaskQueue(engine)
    with writing(engine) as session:
        queue.enqueue_many(session, "work", [None] * size)
    with reading(engine) as old:
        old.execute(text("SELECT count(*) FROM task"))
        with writing(engine) as session:
            session.execute(text("UPDATE task SET status = 'cancelled', finished_at = now()"))
            queue.enqueue_many(session, "work", [None] * 40)
        while_open = _claim_ms(queue)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM task"))
    after = _claim_ms(queue)
    engine.dispose()
    return [f"{while_open:.1f}", f"{after:.1f}"]


def _claim_ms(queue: TaskQueue) -> float:
    """The median of twenty claims, each in a transaction that is rolled back."""
    taken = []
    for _ in range(20):
        with writing(queue.engine) as session:
            begun = time.perf_counter()
            queue.claim(session)
            taken.append(time.perf_counter() - begun)
            session.rollback()
    return 1000 * median(taken)


def _enqueue(engine: Engine, name: str, count: int) -> None:
    queue = TaskQueue(engine)
    with writing(engine) as session:
        orders = [Order(customer="Ann", amount=1) for _ in range(count)]
        session.add_all(orders)
        session.flush()
        for order in orders:
            APPROACHES[name].enqueue_payment(session, queue, order)


def _pay(engine: Engine, name: str) -> None:
    queue = TaskQueue(engine)
    queue.handler("process_payment")(APPROACHES[name].process_payment)
    Worker(queue).run_until_idle()


def _run_and_packed(engine: Engine, count: int, tables: list[str], orders: str) -> list[object]:
    run, order = _bytes(engine, count, *tables), _bytes(engine, count, orders)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.execute(text(f"VACUUM FULL {table}"))
    return [run, _bytes(engine, count, *tables), _bytes(engine, count, *tables, what="pg_indexes_size"), order]


def _log(engine: Engine) -> int:
    """Bytes that the server has ever written to its log."""
    with reading(engine) as session:
        return int(session.scalar(text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")) or 0)


def _bytes(engine: Engine, count: int, *tables: str, what: str = "pg_total_relation_size") -> int:
    asked = " + ".join(f"{what}('{table}')" for table in tables)
    with reading(engine) as session:
        return round((session.scalar(text(f"SELECT {asked}")) or 0) / count)


def _file(engine: Engine, count: int) -> int:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    path = file_of(engine)
    assert path
    return round(path.stat().st_size / count)
