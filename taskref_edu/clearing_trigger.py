"""Who clears a reference: a trigger on `task`, as soon as the task ends. And the one index that a reference needs.

In the database rather than in Python, so that it also holds for raw SQL and for programs that do not know the model.

Not covered: creating them while others write (`approaches/reference_setup.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, Dialect, literal_column, select, text
from sqlalchemy import table as table_named

from .errors import CannotOpen

NAME_BYTES = 63  # PostgreSQL cuts longer names
CLEARED = "_cleared"  # the end of a clearing trigger's name


def reference_index(
    table: str, column: str, dialect: Dialect, schema: str | None = None, name: str | None = None
) -> str:
    """The statement for the one index that a reference needs: unique, and over the live references only.

    On SQLite, `IS NOT NULL` does not use a plain index. This one serves the list, the lookup, the clearing and the
    foreign key's SET NULL. schema: where the table is, on PostgreSQL.
    """
    quote = dialect.identifier_preparer.quote
    index, rows, named = quote(name or index_name(table, column)), _qualified(table, dialect, schema), quote(column)
    return f"CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {rows} ({named}) WHERE {named} IS NOT NULL"


def index_name(table: str, column: str, schema: str | None = None) -> str:
    """The name of the index over `table.column`; `schema` is the model's, if it names one.

    Table and column alone would be ambiguous (a_b + c equals a + b_c), so the name ends in a digest. It is cut to the
    63 bytes that PostgreSQL allows. The index on orders has a short name, because learners meet it in query plans.
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
    """An SQL condition: whether the table of tasks has this trigger."""
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
    """Statements that create the trigger: it clears `table.column` when the referenced task ends, whoever ends it.

    A task has ended once `finished_at` is set; the table's CHECK guarantees it. A trigger on `status` would do the
    same, but SQLite would also prepare OLD and NEW for it at every claim: draining a queue took a quarter longer.

    schema: where the table is, on PostgreSQL. Without it, the trigger's function would look the table up on the
    search_path of whoever ends the task, and could clear the reference of another tenant's order.
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
    """The statement inside the trigger; cleared_columns() parses it."""
    named = dialect.identifier_preparer.quote(column)
    return f"UPDATE {_qualified(table, dialect, schema)} SET {named} = NULL WHERE {named} = NEW.id;"


def clearing_function(name: str, clear: str) -> str:
    """The statement for the trigger's function on PostgreSQL; `name` must be quoted already."""
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {clear} RETURN NULL; END $$"
    )


@dataclass(frozen=True)
class ClearedColumn:
    """A column that a trigger on `task` clears, as read from the database. schema: as written in the trigger."""

    trigger: str
    function: str  # quoted and with its schema; on SQLite empty
    schema: str | None
    table: str
    column: str


def cleared_columns(connection: Connection) -> list[ClearedColumn]:
    """The columns that the triggers on `task` really clear, whatever the triggers are called."""
    found = []
    for trigger, function, source in connection.execute(text(_TRIGGERS[connection.dialect.name])):
        if match := re.search(_CLEARING, source or ""):
            names = {part: _unquoted(name) for part, name in match.groupdict().items()}
            found.append(ClearedColumn(trigger, function, names["schema"], names["table"] or "", names["column"] or ""))
    return found


def drop_trigger(cleared: ClearedColumn, dialect: Dialect) -> str:
    """The statements that drop this trigger, and its function."""
    trigger = dialect.identifier_preparer.quote(cleared.trigger)
    if not cleared.function:
        return f"DROP TRIGGER {trigger};"
    return f"DROP TRIGGER {trigger} ON task; DROP FUNCTION {cleared.function}();"


def clear_ended(table: str, column: str, dialect: Dialect, schema: str | None = None) -> str:
    """The statement that clears `table.column` where it names a task that has ended.

    Not where the task is gone, too: the server would look for a task that was enqueued meanwhile in a snapshot from
    before it.
    """
    rows, named = _qualified(table, dialect, schema), dialect.identifier_preparer.quote(column)
    ended = f"EXISTS (SELECT 1 FROM task WHERE task.id = {rows}.{named} AND task.finished_at IS NOT NULL)"
    return f"UPDATE {rows} SET {named} = NULL WHERE {named} IS NOT NULL AND {ended}"


def qualify_clearing_functions(connection: Connection, url: str) -> None:
    """Add the schema to clearing functions that an earlier version created without one. Only PostgreSQL has them."""
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
_CLEARING = (  # text: compiling it would slow down every import of this package
    rf"UPDATE\s+(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})\s+SET\s+(?P<column>{_NAME})\s+= NULL"
    rf" WHERE\s+{_NAME}\s+= NEW\.id"
)
_TRIGGERS = {
    "sqlite": "SELECT name, '', sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = 'task'",
    "postgresql": "SELECT tgname, quote_ident(nspname) || '.' || quote_ident(proname), prosrc FROM pg_trigger"
    " JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace ON pg_namespace.oid = pronamespace"
    " WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = to_regclass('task')",
}
# Which schema such a function means: the one in which the tasks are. Then its owner, and whether we have that role.
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
