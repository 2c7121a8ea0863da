"""Set up a reference in a database that others are writing to: it locks one table at a time, and only if it must.

PostgreSQL locks a table to create an index or a trigger on it. Holding locks on both tables could deadlock with a
writer, whichever was locked first: a new order is written before its task, but a claimed task before its order.

An existing index or trigger is judged by its definition, not by its name. Not covered: the text of the statements
(`clearing_trigger.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from ..clearing_trigger import (
    CLEARED,
    NAME_BYTES,
    ClearedColumn,
    clear_ended,
    cleared_columns,
    clearing_trigger,
    drop_trigger,
    index_name,
    reference_index,
    trigger_name,
)
from ..database.postgresql_engine import one_opens_at_a_time
from ..database.transactions import reading, writing
from ..errors import NameTaken, SchemaMissing

FIND_TABLE = text("""
    SELECT nspname, (SELECT format_type(atttypid, NULL) FROM pg_attribute
                     WHERE attrelid = pg_class.oid AND attname = :column AND NOT attisdropped)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass(CASE WHEN :schema <> '' THEN quote_ident(:schema) || '.' ELSE '' END
                                     || quote_ident(:table))
""")
FIND_INDEX = {
    "sqlite": "SELECT type, tbl_name, sql FROM sqlite_master WHERE lower(name) = lower(:name) AND :schema IS NULL",
    "postgresql": """
        SELECT CASE WHEN indisvalid THEN 'index' ELSE 'other' END, (SELECT relname FROM pg_class WHERE oid = indrelid),
            pg_get_indexdef(indexrelid)
        FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
        WHERE relname = :name AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema)""",
}


@dataclass(frozen=True)
class Reference:
    """A column that references the task at work on its row. schema: the model's, if it names one."""

    table: str
    column: str
    schema: str | None = None

    @property
    def index(self) -> str:
        """The name of its index."""
        return index_name(self.table, self.column, self.schema)

    @property
    def trigger(self) -> str:
        """The name of its clearing trigger."""
        return trigger_name(self.table, self.column, self.schema)


def install_reference(engine: Engine, reference: Reference) -> None:
    """Create the index and the trigger where they are missing, each in a transaction of its own.

    The index comes first: if the rows violate it, nothing is left behind. Once the trigger is there, what it has missed
    is cleared. An index or trigger that an earlier version created under another name is replaced. Raises SchemaMissing
    without the table, NameTaken if a name is in use for something else, TypeError for a column that cannot hold every
    task id.
    """
    with reading(engine) as session:  # first: to create what exists already would still wait for the table's writers
        connection = session.connection()
        schema = _schema_of(connection, reference)
        done = _has_index(connection, reference, schema) and _has_trigger(connection, reference, schema)
    for part in (_add_index, _add_trigger, _clear_ended) if not done else ():
        with writing(engine) as session:
            one_opens_at_a_time(connection := session.connection())
            part(connection, reference, schema)


def _schema_of(connection: Connection, reference: Reference) -> str | None:
    """The schema that the table is in on PostgreSQL; None on SQLite."""
    if connection.dialect.name == "sqlite":
        if reference.schema is not None:
            raise TypeError(
                f"{reference.table} is in the schema {reference.schema!r}; on SQLite a trigger reaches the tables of"
                " its own file alone: leave the schema out"
            )
        if not connection.dialect.has_table(connection, reference.table):
            raise SchemaMissing(f"table {reference.table!r} not found: create it, then install the reference")
        return None
    where = {"table": reference.table, "column": reference.column, "schema": reference.schema or ""}
    found = connection.execute(FIND_TABLE, where).first()
    if found is None or found[1] is None:
        what = f"{reference.table}.{reference.column}"
        raise SchemaMissing(f"{what} not found in the database: create the table, then install the reference")
    if found[1] != "bigint":
        raise TypeError(
            f"{reference.table}.{reference.column} is {found[1]}, bigint expected, as the ids of tasks are: "
            f"ALTER TABLE {reference.table} ALTER COLUMN {reference.column} TYPE bigint, and BigInteger in the model"
        )
    return found[0]


def _add_index(connection: Connection, reference: Reference, schema: str | None) -> None:
    if not _has_index(connection, reference, schema):
        index = reference_index(reference.table, reference.column, connection.dialect, schema, reference.index)
        connection.exec_driver_sql(index)
    former = _former(reference)[0]
    if former != reference.index and _stands(connection, reference, schema, former):
        quote = connection.dialect.identifier_preparer.quote
        connection.exec_driver_sql(f"DROP INDEX {quote(schema) + '.' if schema else ''}{quote(former)}")


def _add_trigger(connection: Connection, reference: Reference, schema: str | None) -> None:
    if not _has_trigger(connection, reference, schema):
        for statement in clearing_trigger(
            reference.table, reference.column, connection.dialect, schema, reference.trigger
        ):
            connection.exec_driver_sql(statement)
    former = _former(reference)[1]
    for cleared in cleared_columns(connection):
        if former == cleared.trigger != reference.trigger and _is_meant(cleared, reference, schema):
            connection.exec_driver_sql(drop_trigger(cleared, connection.dialect))


def _clear_ended(connection: Connection, reference: Reference, schema: str | None) -> None:
    """Clear references to tasks that ended before the trigger was there: their rows would look in process for ever."""
    connection.exec_driver_sql(clear_ended(reference.table, reference.column, connection.dialect, schema))


def _has_index(connection: Connection, reference: Reference, schema: str | None) -> bool:
    found = _stands(connection, reference, schema, reference.index)
    if found is False:
        raise NameTaken(
            f"{reference.index} is there and is not the unique index over {reference.table}.{reference.column} where it"
            " is not NULL: rename or drop it, then install the reference"
        )
    return bool(found)


def _stands(connection: Connection, reference: Reference, schema: str | None, name: str) -> bool | None:
    """Whether the index of this name is the reference's; None if nothing has this name."""
    query = text(FIND_INDEX[connection.dialect.name])
    found = connection.execute(query, {"name": name, "schema": schema}).first()
    if found is None:
        return None
    kind, table, sql = found
    expected = reference_index(reference.table, reference.column, connection.dialect, schema, name)
    tail = _plain(expected.partition(" (")[2])
    return kind == "index" and table == reference.table and _plain(sql).endswith(tail) and "UNIQUE" in sql


def _plain(sql: str) -> str:
    """SQL without quotes, spaces and brackets, which each database writes in its own way."""
    return re.sub(r'["\s()]', "", sql)


def _has_trigger(connection: Connection, reference: Reference, schema: str | None) -> bool:
    for cleared in cleared_columns(connection):
        if cleared.trigger == reference.trigger:
            if _is_meant(cleared, reference, schema):
                return True
            raise NameTaken(
                f"trigger {cleared.trigger} is there and clears {cleared.table}.{cleared.column}, not "
                f"{reference.table}.{reference.column}: rename or drop it, then install the reference"
            )
    return False


def _is_meant(cleared: ClearedColumn, reference: Reference, schema: str | None) -> bool:
    return (cleared.schema or schema, cleared.table, cleared.column) == (schema, reference.table, reference.column)


def _former(reference: Reference) -> tuple[str, str]:
    """The names that an earlier version gave to the index and the trigger; they could be ambiguous."""
    plain = f"{reference.table}_{reference.column}"
    index, trigger = (name.encode()[:NAME_BYTES].decode(errors="ignore") for name in (plain, plain + CLEARED))
    return index, trigger
