"""Beyond one machine: a PostgreSQL server for learners, and the pattern on Procrastinate. Needs the extra `beyond`."""

from .embedded_postgresql import start_postgres

__all__ = ["start_postgres"]
