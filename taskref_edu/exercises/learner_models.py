"""Model classes defined in a cell: lets a check define them again, although the notebook has already done so.

SQLModel registers every table of the process, and refuses a second one of the same name. A module of its own, because
only this uses SQLAlchemy's internal registries.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Table
from sqlalchemy.exc import SAWarning
from sqlmodel import SQLModel

from ..models import Base

SHARED = (SQLModel.metadata, Base.metadata)
CELL = "__main__"  # the module of everything that cells define


@contextmanager
def models_apart() -> Iterator[None]:
    """Hide the tables that cells have defined for the duration of the block; afterwards restore exactly those."""
    before = [(metadata, dict(metadata.tables)) for metadata in SHARED]
    for table in _tables_of_cells():
        table.metadata.remove(table)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This declarative base already contains a class", SAWarning)
            yield
    finally:
        for metadata, tables in before:
            for table in [*metadata.tables.values()]:
                metadata.remove(table)
            for table in tables.values():
                metadata._add_table(table.name, table.schema, table)


def _tables_of_cells() -> list[Table]:
    mappers = SQLModel._sa_registry.mappers  # type: ignore[attr-defined]
    tables = {mapper.local_table for mapper in mappers if mapper.class_.__module__ == CELL}
    return [table for metadata in SHARED for table in metadata.tables.values() if table in tables]
