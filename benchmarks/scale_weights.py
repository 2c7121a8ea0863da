"""Bytes of a task in tables and indexes: as it waits, as a worker leaves it, and packed.

A claim and a completion each leave an old version of the row behind; VACUUM frees its place for the next ones.
Read next: `scale.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

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
    heads = ["", "waiting", "as run", "packed", "of that in indexes"]
    note = (
        f"{count:,} payments, each of an order of its own, whose row is counted, too. *Packed*: after VACUUM FULL, as a"
        " table is that nobody writes to. SQLite's file is not told apart into tables and indexes."
    )
    return Table("Bytes of a payment", heads, [*rows, _procrastinate(count)], note)


def _ours(name: str, count: int) -> list[object]:
    engine = open_database(start_postgres(), schema=name)  # type: ignore[arg-type]
    _enqueue(engine, name, count)
    waiting = _bytes(engine, count, "task", "orders")
    _pay(engine, name)
    row = [f"{name}, PostgreSQL", waiting, *_run_and_packed(engine, count, "task", "orders")]
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
        row = [f"{name}, SQLite", waiting, run, _file(engine, count), ""]
        engine.dispose()
    return row


def _procrastinate(count: int) -> list[object]:
    engine = open_database(start_postgres())
    queue = procrastinate.open_queue(engine)
    with writing(engine) as session:
        orders = [procrastinate.Order(customer="Ann", amount=1) for _ in range(count)]
        session.add_all(orders)
        session.flush()
        for order in orders:
            procrastinate.enqueue_payment(session, queue, order)
    tables = ("procrastinate_jobs", "procrastinate_events", "shop_orders")
    waiting = _bytes(engine, count, *tables)
    procrastinate.run_until_idle(queue)
    row = ["Procrastinate", waiting, *_run_and_packed(engine, count, *tables)]
    engine.dispose()
    return row


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


def _run_and_packed(engine: Engine, count: int, *tables: str) -> list[object]:
    run = _bytes(engine, count, *tables)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.execute(text(f"VACUUM FULL {table}"))
    return [run, _bytes(engine, count, *tables), _bytes(engine, count, *tables, what="pg_indexes_size")]


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
