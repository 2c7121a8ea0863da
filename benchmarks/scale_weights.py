"""What a payment weighs: bytes of its task and of its order, and what it writes to the log.

A claim and a completion each leave an old version of the row behind; VACUUM frees its place for the next ones.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import Engine, text

from taskref_edu import Order, TaskQueue, Worker, classic, inverted, open_database, reading, writing
from taskref_edu.beyond import procrastinate_inverted as procrastinate
from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.database.sqlite_engine import file_of

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
        alone(engine, "VACUUM")
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
    alone(engine, *(f"VACUUM FULL {table}" for table in tables))
    return [run, _bytes(engine, count, *tables), _bytes(engine, count, *tables, what="pg_indexes_size"), order]


def alone(engine: Engine, *statements: str) -> None:
    """Execute what cannot be part of a transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def _log(engine: Engine) -> int:
    """Bytes that the server has ever written to its log."""
    with reading(engine) as session:
        return int(session.scalar(text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")) or 0)


def _bytes(engine: Engine, count: int, *tables: str, what: str = "pg_total_relation_size") -> int:
    asked = " + ".join(f"{what}('{table}')" for table in tables)
    with reading(engine) as session:
        return round((session.scalar(text(f"SELECT {asked}")) or 0) / count)


def _file(engine: Engine, count: int) -> int:
    alone(engine, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = file_of(engine)
    assert path
    return round(path.stat().st_size / count)
