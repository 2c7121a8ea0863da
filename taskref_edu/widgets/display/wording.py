"""Errors in one line of plain words, for the status line."""

from __future__ import annotations

from sqlalchemy import exc as sqlalchemy_errors

from ...errors import DatabaseLocked
from ...worker.attempt import describe

LOCKED = "the database is locked by somebody; try again"


def plain(error: BaseException) -> str:
    """The error in one line, without the SQL and the links that SQLAlchemy adds."""
    cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) and error.orig else error
    text = " ".join(describe(cause).split())
    locked = isinstance(error, DatabaseLocked) or "lock timeout" in text  # PostgreSQL's words
    return LOCKED if locked else text
