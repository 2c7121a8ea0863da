"""Model classes that a cell defines: a check defines them anew, although the notebook has done so already.

SQLModel keeps every table of the process in one place and refuses a second one of the same name. A module of its own,
because it reaches into SQLAlchemy's registries, which nothing else here does.
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
CELL = "__main__"  # the module of what a cell defines


@contextmanager
def models_apart() -> Iterator[None]:
    """Inside the block the tables that cells have defined are gone; afterwards they are there, and no others."""
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
