"""One exploration on a SQLite file: runs its schedules, and checks the invariant after each of them.

Apart from `invariant.py`, which explorations on a server share, and from `exploration.py`, which makes single steps.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from typing import Any

from sqlmodel import Session

from ...database.transactions import reading_in, session_to_read
from .experiment import Experiment
from .exploration import Exploration
from .invariant import InvariantCheck
from .schedule_outcome import Limits, ScheduleOutcome
from .schedules import AllSchedules, replay


class Trial(InvariantCheck):
    """Runs schedules, recovers, and checks the invariant. Use it in a `with` block.

    speaks_for: the database for which the result holds.
    """

    def __init__(self, experiment: Experiment, limits: Limits) -> None:
        super().__init__(experiment)
        self.exploration = Exploration(experiment, limits)
        self.engine = self.exploration.database.engine()
        journal = "WAL" if experiment.journal == "wal" else "rollback journal"
        self.speaks_for = f"SQLite {sqlite3.sqlite_version}, {journal}"

    def __enter__(self) -> Trial:
        # Kept open: checking a connection out and in costs as much as checking the invariant. In autocommit mode it
        # holds no lock between two checks.
        self._connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._session = session_to_read(self._connection)
        self.exploration.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.close()
        self.engine.dispose()
        self.exploration.__exit__(*error)

    def asking(self) -> AbstractContextManager[Session]:
        return reading_in(self._session)

    def walk(self) -> AllSchedules:
        """Every schedule."""
        return AllSchedules(self.exploration)

    def replay(self, schedule: str, *, strict: bool = True) -> ScheduleOutcome:
        """Run one schedule."""
        return replay(self.exploration, schedule, strict=strict)
