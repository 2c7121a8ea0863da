"""One exploration on a SQLite file: runs its schedules, and checks the invariant after each of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from ...database.transactions import reading_in, session_to_read
from .exploration import Exploration
from .invariant import Invariant, InvariantCheck, Recover
from .schedule_outcome import ScheduleOutcome
from .schedules import AllSchedules, replay


class Trial(InvariantCheck):
    """Runs schedules, recovers, and checks the invariant. Use it in a `with` block."""

    def __init__(self, exploration: Exploration, invariant: Invariant, recover: Recover | None = None) -> None:
        self.exploration = exploration
        try:
            super().__init__(invariant, recover)
        except TypeError:
            exploration.database.close()  # the `with` block that would close it is never entered
            raise
        self._engine = exploration.database.engine()

    def __enter__(self) -> Trial:
        # Kept open: checking a connection out and in costs as much as checking the invariant. In autocommit mode it
        # holds no lock between two checks.
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._session = session_to_read(self._connection)
        self.exploration.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.close()
        self._engine.dispose()
        self.exploration.__exit__(*error)

    def asking(self) -> AbstractContextManager[Session]:
        return reading_in(self._session)

    def recovery_engine(self) -> Engine:
        return self._engine

    @property
    def speaks_for(self) -> str:
        """The database for which the result holds."""
        return self.exploration.speaks_for

    @property
    def victim(self) -> str | None:
        """The letter of the actor that may die."""
        return None if self.exploration.crash is None else self.exploration.crash.letter

    def walk(self) -> AllSchedules:
        """Every schedule."""
        return AllSchedules(self.exploration)

    def replay(self, schedule: str, *, strict: bool = True) -> ScheduleOutcome:
        """Run one schedule."""
        return replay(self.exploration, schedule, strict=strict)
