"""Set up a reference in a database that others are writing to: one table locked at a time, and none without need.

PostgreSQL locks a table to give it an index or a trigger. With both tables locked, this could deadlock with a writer
whichever it locked first: a new order is written before its task, and a claimed task before its order.

Not covered: what the statements say (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, text

from ..database.postgresql_engine import one_opens_at_a_time
from ..database.transactions import reading, writing

# Asked first: IF NOT EXISTS and OR REPLACE lock the table, and wait for its writers, even with nothing to do.
IS_THERE = text(
    "SELECT to_regclass(quote_ident(:index)) IS NOT NULL AND EXISTS (SELECT FROM pg_trigger"
    " WHERE tgname = CAST(:trigger AS name) AND tgrelid = to_regclass(quote_ident(:tasks)))"
)


def set_up(engine: Engine, index: Sequence[str], trigger: Sequence[str]) -> None:
    """Create a reference's index and trigger with these statements, each in a transaction of its own.

    The index first: if the table's rows refuse it, nothing is left behind.
    """
    for statements in (index, trigger):
        with writing(engine) as session:
            one_opens_at_a_time(connection := session.connection())
            for statement in statements:
                connection.exec_driver_sql(statement)


def is_set_up(engine: Engine, index: str, trigger: str, tasks: str = "task") -> bool:
    """Whether PostgreSQL has this index, and this trigger on the table `tasks`; on SQLite always False."""
    if engine.dialect.name != "postgresql":
        return False
    with reading(engine) as session:
        return session.execute(IS_THERE, {"index": index, "trigger": trigger, "tasks": tasks}).scalar_one()
