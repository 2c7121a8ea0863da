"""What each approach adds to the two tables: indexes, a trigger, a generated column. As data: one SQL text each.

Not covered: the trigger's text (`clearing_trigger.py`); migrations between schema versions. A database of a newer
version is refused, not changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from sqlalchemy import Connection, Dialect, Table, func, select

from .clearing_trigger import clearing_trigger, reference_index
from .models import INDEXES, LIVE, PAYMENT, Base, sql_literals

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


# The kind and the name of what is in the database; on PostgreSQL, of what has one of the names in the schema in which
# we would create ours. A function is looked for because CREATE OR REPLACE would replace it; a trigger's name is its
# table's own there.
OBJECTS = {
    "sqlite": "SELECT type, lower(name) FROM sqlite_master",
    "postgresql": """
        SELECT CASE WHEN relkind IN ('v', 'm') THEN 'view' WHEN relkind IN ('i', 'I') THEN 'index'
            WHEN relkind = 'S' THEN 'sequence' ELSE 'table' END, relname
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = current_schema() AND relname = ANY (:names)
        UNION ALL SELECT 'function', proname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname = current_schema() AND proname = ANY (:names) AND pronargs = 0
        UNION ALL SELECT 'type', typname FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
        WHERE nspname = current_schema() AND typname = ANY (:names) AND typrelid = 0""",
}
_CREATED = r"CREATE (?:OR REPLACE )?(?:UNIQUE )?(?:INDEX|TRIGGER|FUNCTION) (?:IF NOT EXISTS )?(\w+)"


def tables_of(name: SchemaName) -> list[Table]:
    """The tables in the schema `name`."""
    return [table for table in Base.metadata.sorted_tables if name != "queue" or table.name == "task"]


def foreign_object(name: SchemaName, dialect: Dialect, found: Iterable[tuple[str, str]]) -> str | None:
    """An error message if another program's table, view, index, … has a name of ours; None if none has.

    found: the kind and the name of what is in the database, by OBJECTS. Whether its columns are like ours does not
    matter: what this package creates stands beside its taskref_schema.
    """
    ours = names_of(name, dialect)
    for kind, there in found:
        if there in ours:
            what = f"{'an' if kind == 'index' else 'a'} {kind} {there}"
            remedy = "use another database, or on PostgreSQL another schema (CREATE SCHEMA, and search_path in the URL)"
            if there not in names_of("queue", dialect):
                remedy = f'open_database(…, schema="queue") works without {what}; or {remedy}'
            return f"it has {what} of another program, and no taskref_schema of ours: {remedy}; nothing was written"
    return None


def names_of(name: SchemaName, dialect: Dialect) -> set[str]:
    """The names that create_schema() and open_database() give to what they create."""
    named = (re.match(_CREATED, statement) for statement in (*INDEXES[dialect.name], *_statements(name, dialect, None)))
    return {"taskref_schema", *(table.name for table in tables_of(name)), *(found[1] for found in named if found)}


def create_schema(connection: Connection, name: SchemaName) -> None:
    """Create the tables, and what the schema `name` adds to them, in the caller's transaction."""
    # checkfirst would also find another program's table in a later schema of the search_path, and create none.
    Base.metadata.create_all(connection, tables=tables_of(name), checkfirst=False)
    is_server = connection.dialect.name == "postgresql"
    schema = connection.scalar(select(func.current_schema())) if is_server else None
    for statement in _statements(name, connection.dialect, schema):
        connection.exec_driver_sql(statement)


def _statements(name: SchemaName, dialect: Dialect, schema: str | None) -> list[str]:
    notifying = NOTIFYING if dialect.name == "postgresql" else ()
    return [*notifying, *(statement for addition in EXTRA_DDL[name] for statement in addition(dialect, schema))]
