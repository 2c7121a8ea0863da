"""What an old transaction does to a queue on PostgreSQL.

A task that has ended leaves old versions of its row behind, and VACUUM may not free their place while a transaction
is open that might still see them; each claim walks over them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from sqlalchemy import text

from taskref_edu import TaskQueue, open_database, reading, writing
from taskref_edu.beyond.embedded_postgresql import start_postgres

from .rounds import Table
from .scale_weights import alone


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
    alone(engine, "VACUUM task")
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
