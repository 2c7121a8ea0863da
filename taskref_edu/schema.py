"""What each approach adds to the two tables: indexes, a trigger, a generated column. As data: one SQL text each.

Not covered: migrations between schema versions. A database of a newer version is refused, not changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from sqlalchemy import ColumnElement, Dialect, Table, func, literal_column, select, text
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import table as table_named

from .errors import CannotOpen
from .models import LIVE, PAYMENT, Base, sql_literals

SCHEMA_VERSION = 1
NAME_BYTES = 63  # of a name, that PostgreSQL keeps
CLEARED = "_cleared"  # the end of a clearing trigger's name
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


def reference_index(
    table: str, column: str, dialect: Dialect, schema: str | None = None, name: str | None = None
) -> str:
    """The one index that a reference needs: unique, and over the live references only.

    `IS NOT NULL` does not use a plain index on SQLite; this one serves the list, the look-up,
    the clearing and the foreign key's SET NULL. schema: where the table is, on PostgreSQL.
    """
    quote = dialect.identifier_preparer.quote
    index, rows, named = quote(name or index_name(table, column)), _qualified(table, dialect, schema), quote(column)
    return f"CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {rows} ({named}) WHERE {named} IS NOT NULL"


def index_name(table: str, column: str, schema: str | None = None) -> str:
    """The name of the index over `table.column`; `schema` is that of the model, if it says one.

    Table and column alone would be ambiguous: a_b + c is a + b_c. So there is a digest in it, and it fits into the 63
    bytes that PostgreSQL keeps of a name. The orders' own is as short as learners read it in plans.
    """
    plain = f"{table}_{column}"
    if (table, column, schema) == ("orders", "processing_task_id", None):
        return plain
    digest = sha256("\0".join((schema or "", table, column)).encode()).hexdigest()[:8]
    room = NAME_BYTES - len(f"_{digest}{CLEARED}")
    return f"{plain.encode()[:room].decode(errors='ignore')}_{digest}"


def trigger_name(table: str, column: str, schema: str | None = None) -> str:
    """The name of the trigger that clears `table.column`."""
    return index_name(table, column, schema) + CLEARED


def trigger_exists(name: str, dialect: Dialect) -> ColumnElement[bool]:
    """A condition for SQL: whether the table of tasks has this trigger."""
    catalog, this = "sqlite_master", "type = 'trigger' AND name = :trigger"
    if dialect.name == "postgresql":
        catalog, this = "pg_trigger", "tgrelid = to_regclass('task') AND tgname = CAST(:trigger AS name)"
    return (
        select(literal_column("1"))
        .select_from(table_named(catalog))
        .where(text(this).bindparams(trigger=name))
        .exists()
    )


def clearing_trigger(
    table: str, column: str, dialect: Dialect, schema: str | None = None, name: str | None = None
) -> list[str]:
    """Statements that clear `table.column` when the task it names ends, whoever ends it.

    In the database, so that it also holds for raw SQL and for programs that do not know the model. A task has
    ended where `finished_at` is set: the CHECK of the table says so. A trigger on `status` would be the same,
    but SQLite would set up OLD and NEW for it at every claim, too: a drain took a quarter longer.

    schema: where the table is, on PostgreSQL. There a function finds a table without it on the search_path of
    whoever ends the task, and would clear the reference of another tenant's order.
    """
    trigger = dialect.identifier_preparer.quote(name or trigger_name(table, column))
    when = "WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)"
    if dialect.name == "sqlite":
        clear = clearing(table, column, dialect)
        return [f"CREATE TRIGGER IF NOT EXISTS {trigger} AFTER UPDATE OF finished_at ON task {when} BEGIN {clear} END"]
    return [
        clearing_function(trigger, clearing(table, column, dialect, schema)),
        f"CREATE OR REPLACE TRIGGER {trigger} AFTER UPDATE OF finished_at ON task"
        f" FOR EACH ROW {when} EXECUTE FUNCTION {trigger}()",
    ]


def clearing(table: str, column: str, dialect: Dialect, schema: str | None = None) -> str:
    """The statement inside the trigger; cleared_columns() reads it again."""
    named = dialect.identifier_preparer.quote(column)
    return f"UPDATE {_qualified(table, dialect, schema)} SET {named} = NULL WHERE {named} = NEW.id;"


def clearing_function(name: str, clear: str) -> str:
    """PostgreSQL's function of such a trigger; `name` is quoted already."""
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {clear} RETURN NULL; END $$"
    )


@dataclass(frozen=True)
class ClearedColumn:
    """A column that a trigger on `task` clears, as read from the database. schema: as the trigger says it."""

    trigger: str
    function: str  # quoted and with its schema; on SQLite empty
    schema: str | None
    table: str
    column: str


def cleared_columns(connection: SqlConnection) -> list[ClearedColumn]:
    """What the triggers on `task` really clear, whatever their names say."""
    found = []
    for trigger, function, source in connection.execute(text(_TRIGGERS[connection.dialect.name])):
        if match := _CLEARING.search(source or ""):
            names = {part: _unquoted(name) for part, name in match.groupdict().items()}
            found.append(ClearedColumn(trigger, function, names["schema"], names["table"] or "", names["column"] or ""))
    return found


def qualify_clearing_functions(connection: SqlConnection, url: str) -> None:
    """Give the clearing functions of an earlier version the schema that they lack. PostgreSQL alone has them."""
    lacking = [cleared for cleared in cleared_columns(connection) if cleared.function and cleared.schema is None]
    for cleared in lacking:
        where = {"function": cleared.function, "table": cleared.table}
        schema, owner, ours = connection.execute(_WHERE_IT_CLEARS, where).one()
        if not ours:
            raise CannotOpen(
                f"{url}: the function {cleared.function} of an earlier version names no schema, and could clear another"
                f" tenant's rows; its owner {owner} can replace it: open_database(url) as {owner}, once"
            )
        clear = clearing(cleared.table, cleared.column, connection.dialect, schema)
        connection.exec_driver_sql(clearing_function(cleared.function, clear))


def _qualified(table: str, dialect: Dialect, schema: str | None) -> str:
    quote = dialect.identifier_preparer.quote
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def _unquoted(name: str | None) -> str | None:
    return name[1:-1].replace('""', '"') if name and name.startswith('"') else name


_NAME = r'(?:"(?:[^"]|"")+"|[^\s".]+)'
_CLEARING = re.compile(
    rf"UPDATE\s+(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})\s+SET\s+(?P<column>{_NAME})\s+= NULL"
    rf" WHERE\s+{_NAME}\s+= NEW\.id"
)
_TRIGGERS = {
    "sqlite": "SELECT name, '', sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = 'task'",
    "postgresql": "SELECT tgname, quote_ident(nspname) || '.' || quote_ident(proname), prosrc FROM pg_trigger"
    " JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace ON pg_namespace.oid = pronamespace"
    " WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = to_regclass('task')",
}
# The schema of the table that such a function means, which is that of its tasks; its owner, and whether we are that.
_WHERE_IT_CLEARS = text("""
    SELECT coalesce(
        (SELECT nspname FROM pg_class AS tasks JOIN pg_class AS rows USING (relnamespace)
         JOIN pg_namespace ON pg_namespace.oid = tasks.relnamespace
         WHERE tasks.oid = to_regclass('task') AND rows.relname = :table AND rows.relkind IN ('r', 'p')),
        (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE pg_class.oid = to_regclass(quote_ident(:table))),
        current_schema()),
    pg_get_userbyid(proowner), pg_has_role(proowner, 'USAGE')
    FROM pg_proc WHERE oid = CAST(:function || '()' AS regprocedure)
""")


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
    is_server = connection.dialect.name == "postgresql"
    notifying = NOTIFYING if is_server else ()
    schema = connection.scalar(select(func.current_schema())) if is_server else None
    additions = [statement for addition in EXTRA_DDL[name] for statement in addition(connection.dialect, schema)]
    for statement in (*notifying, *additions):
        connection.exec_driver_sql(statement)
