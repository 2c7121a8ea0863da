"""Many orders, created by bulk SQL, to measure how a query grows without waiting for the set-up.

Each order is linked to its payment both ways: the task's payload names the order, and while the payment is in process,
the order references the task. So both approaches search for the same orders in one database. A module of its own,
because notebooks and benchmarks need it without the shop's verbs.

Not covered: orders with different histories; orders whose payment was never requested.
"""

from __future__ import annotations

from sqlalchemy import Engine
from sqlmodel import Session, text

from ..database.opening import open_database
from ..database.transactions import writing
from ..schema import SchemaName

# The new ids, from :first on.
_IDS = "WITH RECURSIVE new(id) AS (SELECT :first UNION ALL SELECT id + 1 FROM new WHERE id < :last)"

_TASKS = text(f"""{_IDS}
INSERT INTO task (id, type, payload, status, attempt, max_attempts, lease_token,
                  available_at, lease_expires_at, created_at, finished_at)
SELECT id, 'process_payment', json_object('order_id', id),
       CASE WHEN NOT :live THEN 'succeeded' WHEN id % 2 THEN 'running' ELSE 'pending' END, 0, 3, 0,
       :now, CASE WHEN :live AND id % 2 THEN :now END, :now, CASE WHEN NOT :live THEN :now END
FROM new""")

_ORDERS = text(f"""{_IDS}
INSERT INTO orders (id, customer, amount, status, processing_task_id)
SELECT id, 'customer ' || id, 1000, CASE WHEN :live THEN 'new' ELSE 'paid' END, CASE WHEN :live THEN id END
FROM new""")


def many_orders(count: int, live: int, schema: SchemaName = "as_written") -> Engine:
    """A new database with `count` orders, the last `live` of them in process: half pending, half running."""
    if not 0 <= live <= count:
        raise ValueError(f"{live} live of {count} orders found; from none to all of them expected")
    engine = open_database(schema=schema)
    with writing(engine) as session:
        add_orders(session, count - live, live=False)
        add_orders(session, live, live=True)
    return engine


def add_orders(session: Session, count: int, *, live: bool) -> None:
    """Append `count` orders, in process or already paid; an order and its task have the same id."""
    first = session.execute(text("SELECT coalesce(max(id), 0) + 1 FROM orders")).scalar_one()
    values = {"first": first, "last": first + count - 1, "live": live, "now": "2030-01-01 12:00:00.000000"}
    for statement in (_TASKS, _ORDERS) if count else ():
        session.execute(statement, values)
