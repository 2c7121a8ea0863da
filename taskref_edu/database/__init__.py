"""Open a database, read from it, write to it: a SQLite file or a PostgreSQL server."""

from .opening import open_database
from .transactions import reading, writing

__all__ = ["open_database", "reading", "writing"]
