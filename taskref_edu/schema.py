"""What each approach adds to the two tables: indexes, a trigger, a generated column. As data: one SQL text each.

Not covered: the trigger's text (`clearing_trigger.py`); migrations between schema versions. A database of a newer
version is refused, not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Dialect, Table, func, select

from .clearing_trigger import clearing_trigger, reference_index
from .models import LIVE, PAYMENT, Base, sql_literals

SCHEMA_VERSION = 1
SchemaName = Literal["both", "classic", "inverted", "as_written", "queue"]

# The channel on which PostgreSQL notifies listeners of inserted tasks. A trigger sends it, so raw SQL counts, too: once
# for each statement. PostgreSQL merges equal notifications, so a transaction sends one.
CHANNEL = "taskref_task"
NOTIFYING = (
    f"CREATE OR REPLACE FUNCTION task_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY {CHANNEL};"
    " RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER task_notify AFTER INSERT ON task FOR EACH STATEMENT EXECUTE FUNCTION task_notify()",
)

# The order's id inside a payload. An expression index serves this exact text only: with the path as a parameter, or
# with SQLite's ->>, the query scans the table.
PAYLOAD_ORDER_ID = {
    "sqlite": "json_extract(payload, '$.order_id')",
    "postgresql": "(payload->>'order_id')::bigint",
}


def _inverted(dialect: Dialect, schema: str | None) -> list[str]:
    return [
        reference_index("orders", "processing_task_id", dialect, schema),
        *clearing_trigger("orders", "processing_task_id", dialect, schema),
    ]


def _one_live_payment(dialect: Dialect, _schema: str | None) -> list[str]:
    """Classic's guard against duplicates: one live payment task for each order id in a payload."""
    return [
        f"CREATE UNIQUE INDEX task_live_payment ON task (({PAYLOAD_ORDER_ID[dialect.name]}))"
        f" WHERE type = '{PAYMENT}' AND status IN ({sql_literals(LIVE)})"
    ]


def _payload_foreign_key(dialect: Dialect, _schema: str | None) -> list[str]:
    """Classic's guard against typos: the id in the payload as a column that the database can check."""
    kind = {"sqlite": "VIRTUAL", "postgresql": "STORED"}[dialect.name]
    return [
        f"ALTER TABLE task ADD COLUMN order_id BIGINT GENERATED ALWAYS AS ({PAYLOAD_ORDER_ID[dialect.name]}) {kind}"
        " CONSTRAINT task_order REFERENCES orders (id)"
        f" CONSTRAINT task_payment_has_order CHECK (type <> '{PAYMENT}' OR order_id IS NOT NULL)"
    ]


# "both" leaves the generated column out: its CHECK would refuse inverted's tasks, which have no payload.
EXTRA_DDL = {
    "both": (_inverted, _one_live_payment),
    "classic": (_one_live_payment, _payload_foreign_key),
    "inverted": (_inverted,),
    "as_written": (),
    "queue": (),  # the table of tasks alone, for the models of an application
}
ADDITIONS = EXTRA_DDL  # its former name, in notebooks that learners already have


def tables_of(name: SchemaName) -> list[Table]:
    """The tables in the schema `name`."""
    return [table for table in Base.metadata.sorted_tables if name != "queue" or table.name == "task"]


def foreign_table(name: SchemaName, columns_of: Callable[[str], Iterable[str]]) -> str | None:
    """An error message if another program's table has the name of one of ours; None if there is no such table.

    columns_of: returns the columns of the table with this name in the database; none if there is no such table.
    """
    for table in tables_of(name):
        found = set(columns_of(table.name))
        missing = [column.name for column in table.columns if column.name not in found]
        if found and missing:
            remedy = "use another database, or a schema of its own on PostgreSQL (search_path)"
            if table.name != "task":
                remedy = f'open_database(…, schema="queue") works without a table {table.name}; or {remedy}'
            return (
                f"it has a table {table.name} of another program, without the column {missing[0]}: {remedy};"
                " nothing was written"
            )
    return None


def create_schema(connection: SqlConnection, name: SchemaName) -> None:
    """Create the tables, and what the schema `name` adds to them, in the caller's transaction."""
    Base.metadata.create_all(connection, tables=tables_of(name))
    is_server = connection.dialect.name == "postgresql"
    notifying = NOTIFYING if is_server else ()
    schema = connection.scalar(select(func.current_schema())) if is_server else None
    additions = [statement for addition in EXTRA_DDL[name] for statement in addition(connection.dialect, schema)]
    for statement in (*notifying, *additions):
        connection.exec_driver_sql(statement)
