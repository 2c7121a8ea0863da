"""What each approach adds to the two tables: indexes, a trigger, a generated column. As data: one SQL text each.

Not covered: migrations. A database written by another version is refused, not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from sqlalchemy import ColumnElement, Dialect, Table, literal_column, select, text
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import table as table_named

from .models import LIVE, PAYMENT, Base, sql_literals

SCHEMA_VERSION = 1
SchemaName = Literal["both", "classic", "inverted", "as_written", "queue"]

# Where PostgreSQL tells listeners that tasks were inserted. By a trigger, so that it holds for raw SQL, too; once a
# statement, and PostgreSQL once a transaction, since the notifications are all the same.
CHANNEL = "taskref_task"
NOTIFYING = (
    f"CREATE OR REPLACE FUNCTION task_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY {CHANNEL};"
    " RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER task_notify AFTER INSERT ON task FOR EACH STATEMENT EXECUTE FUNCTION task_notify()",
)

# The order's id inside a payload. An expression index serves this literal text and no other spelling:
# a bound path or SQLite's ->> scans.
PAYLOAD_ORDER_ID = {
    "sqlite": "json_extract(payload, '$.order_id')",
    "postgresql": "(payload->>'order_id')::bigint",
}


def reference_index(table: str, column: str, dialect: Dialect) -> str:
    """The one index that a reference needs: unique, and over the live references only.

    `IS NOT NULL` does not use a plain index on SQLite; this one serves the list, the look-up,
    the clearing and the foreign key's SET NULL.
    """
    quote = dialect.identifier_preparer.quote
    name, table, column = (quote(text) for text in (index_name(table, column), table, column))
    return f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({column}) WHERE {column} IS NOT NULL"


def index_name(table: str, column: str) -> str:
    """The name of the index over `table.column`."""
    return f"{table}_{column}"


def trigger_name(table: str, column: str) -> str:
    """The name of the trigger that clears `table.column`; repair() knows a reference by it."""
    return f"{table}_{column}_cleared"


def trigger_exists(name: str, dialect: Dialect) -> ColumnElement[bool]:
    """A condition for SQL: whether the table of tasks has this trigger."""
    catalog, this = "sqlite_master", "type = 'trigger' AND name = :trigger"
    if dialect.name == "postgresql":  # which cuts names that are too long
        catalog, this = "pg_trigger", "tgrelid = to_regclass('task') AND tgname = CAST(:trigger AS name)"
    return (
        select(literal_column("1"))
        .select_from(table_named(catalog))
        .where(text(this).bindparams(trigger=name))
        .exists()
    )


def clearing_trigger(table: str, column: str, dialect: Dialect) -> list[str]:
    """Statements that clear `table.column` when the task it names ends, whoever ends it.

    In the database, so that it also holds for raw SQL and for programs that do not know the model. A task has
    ended where `finished_at` is set: the CHECK of the table says so. A trigger on `status` would be the same,
    but SQLite would set up OLD and NEW for it at every claim, too: a drain took a quarter longer.
    """
    quote = dialect.identifier_preparer.quote
    name, table, column = (quote(text) for text in (trigger_name(table, column), table, column))
    when = "WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)"
    clear = f"UPDATE {table} SET {column} = NULL WHERE {column} = NEW.id;"
    if dialect.name == "sqlite":
        return [f"CREATE TRIGGER IF NOT EXISTS {name} AFTER UPDATE OF finished_at ON task {when} BEGIN {clear} END"]
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {clear} RETURN NULL; END $$",
        f"CREATE OR REPLACE TRIGGER {name} AFTER UPDATE OF finished_at ON task"
        f" FOR EACH ROW {when} EXECUTE FUNCTION {name}()",
    ]


def _inverted(dialect: Dialect) -> list[str]:
    return [
        reference_index("orders", "processing_task_id", dialect),
        *clearing_trigger("orders", "processing_task_id", dialect),
    ]


def _one_live_payment(dialect: Dialect) -> list[str]:
    """Classic's guard against duplicates: one live payment task for each order id in a payload."""
    return [
        f"CREATE UNIQUE INDEX task_live_payment ON task (({PAYLOAD_ORDER_ID[dialect.name]}))"
        f" WHERE type = '{PAYMENT}' AND status IN ({sql_literals(LIVE)})"
    ]


def _payload_foreign_key(dialect: Dialect) -> list[str]:
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
    """The tables that the schema `name` has."""
    return [table for table in Base.metadata.sorted_tables if name != "queue" or table.name == "task"]


def foreign_table(name: SchemaName, columns_of: Callable[[str], Iterable[str]]) -> str | None:
    """What is wrong if a table of another program has the name of one of ours, and what to do; None if none has.

    columns_of: the columns of the table with this name in the database; none if it is not there.
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
    """Create the tables and what the schema `name` adds to them, in the caller's transaction."""
    Base.metadata.create_all(connection, tables=tables_of(name))
    notifying = NOTIFYING if connection.dialect.name == "postgresql" else ()
    additions = [statement for addition in EXTRA_DDL[name] for statement in addition(connection.dialect)]
    for statement in (*notifying, *additions):
        connection.exec_driver_sql(statement)
