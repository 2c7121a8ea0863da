"""A second queue for the other approach: the same orders, a database of its own."""

from __future__ import annotations

from sqlalchemy import insert, select, text

from ..database import open_database, reading, writing
from ..queue import TaskQueue
from .rows import ORDERS

COPIED = [ORDERS.c[name] for name in ("id", "customer", "amount", "status")]


def queue_beside(queue: TaskQueue) -> TaskQueue:
    """A queue on a fresh temporary database with a copy of the orders, so that their numbers agree; no tasks."""
    with reading(queue.engine) as session:
        orders = [dict(row) for row in session.execute(select(*COPIED)).mappings()]
        schema = session.execute(text("SELECT name FROM taskref_schema")).scalar_one()
    # Without anybody's index or trigger here, the other side shall have none either.
    engine = open_database(schema="as_written" if schema == "as_written" else "both")
    if orders:
        with writing(engine) as session:
            session.execute(insert(ORDERS), orders)
    return TaskQueue(engine, lease=queue.lease, max_attempts=queue.max_attempts, backoff=queue.backoff)
