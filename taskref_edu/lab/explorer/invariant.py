"""What decides that a schedule is broken: the invariant, checked after each schedule and its recovery.

Not covered: running the schedules (`trial.py` on SQLite, `postgresql.py` on a server).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from .errors import PastTheExplorer
from .errors_in_words import error_text
from .experiment import Experiment, Invariant
from .past_the_explorer import refuse_later
from .schedule_outcome import ScheduleOutcome


class InvariantCheck:
    """Runs the recovery, then checks the invariant. takes: how many arguments the invariant has.

    A subclass provides the session in which the invariant is checked, and the recovery's engine.
    """

    engine: Engine

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.takes = arguments_of(experiment.invariant)
        self._found: dict[tuple[str, ...], tuple[str, ...]] = {}  # equal results share one tuple

    def asking(self) -> AbstractContextManager[Session]:
        """The session for one check of the invariant."""
        raise NotImplementedError

    def problems(self, outcome: ScheduleOutcome) -> tuple[str, ...]:
        """Run the recovery, and return what is broken."""
        failed = self.recover()
        found = (*([failed] if failed else []), *self.judge(outcome))
        return self._found.setdefault(found, found)

    def recover(self) -> str | None:
        """Run the recovery; its error in words, None if it raised none."""
        try:
            if self.experiment.recover is not None:
                refuse_later("recover", self.experiment.recover(self.engine))
        except PastTheExplorer:
            raise
        except Exception as error:
            return f"the recovery raised {error_text(error)}"
        return None

    def judge(self, outcome: ScheduleOutcome) -> tuple[str, ...]:
        """What the invariant finds broken after this schedule. Raises TypeError if it returns no list of strings."""
        known: tuple[Any, ...] = (outcome.errors, outcome.results)
        with self.asking() as session:
            try:
                found = self.experiment.invariant(session, *known[: self.takes - 1])
            except Exception as error:
                error.add_note(f"raised by the invariant after the schedule {outcome.schedule!r}")
                raise
        refuse_later("the invariant", found)
        if isinstance(found, str) or not isinstance(found, Sequence):
            raise TypeError(f"the invariant returned {found!r}: a list of strings expected, empty if nothing is broken")
        return tuple(found)


def arguments_of(invariant: Invariant) -> int:
    """How many arguments the invariant takes, from 1 to 3. Raises TypeError for any other number."""
    parameters = inspect.signature(invariant).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    # A parameter with a default is not ours to pass, unless it has the name of one of ours.
    ours = [p for p in positional if p.default is p.empty or p.name in ("errors", "results")]
    if not 1 <= len(ours) <= 3:
        raise TypeError(f"an invariant of {len(ours)} arguments found: (session[, errors[, results]]) expected")
    return len(ours)
