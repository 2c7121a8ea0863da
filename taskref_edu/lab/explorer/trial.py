"""A trial: the stage, and what comes after each schedule, which is recovery and then the invariant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from ...database.transactions import reading_in, session_to_read
from .errors import PastTheExplorer
from .exploration import Exploration
from .outcome import Outcome
from .past_the_explorer import refuse_later
from .schedules import AllSchedules, replay
from .trace import Trace, traced
from .wording import error_text

# invariant(session), invariant(session, errors) or invariant(session, errors, results): a list of what is broken
Invariant = Callable[..., Sequence[str]]
Recover = Callable[[Engine], object]


class Trial:
    """Asks an invariant after each schedule of an exploration. Use it in a `with` block."""

    def __init__(self, exploration: Exploration, invariant: Invariant, recover: Recover | None = None) -> None:
        self.exploration = exploration
        self._engine = exploration.database.engine()
        self._invariant = invariant
        try:
            self.takes = arguments_of(invariant)
        except TypeError:
            exploration.database.close()  # nobody will enter this
            raise
        self._recover = recover
        self._seen: dict[tuple[str, ...], tuple[str, ...]] = {}  # the same lists come again and again

    def __enter__(self) -> Trial:
        # Kept: to take and return one costs as much as a question. No actor runs meanwhile, so no transaction either.
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._session = session_to_read(self._connection)
        self.exploration.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.close()
        self._engine.dispose()
        self.exploration.__exit__(*error)

    def problems(self, outcome: Outcome) -> tuple[str, ...]:
        """Recover, and return what is broken."""
        failed = self.recover()
        found = (*([failed] if failed else []), *self.judge(outcome))
        return self._seen.setdefault(found, found)

    @property
    def speaks_for(self) -> str:
        """On which database this is true."""
        return self.exploration.speaks_for

    @property
    def victim(self) -> str | None:
        """The letter of the actor that may die."""
        return None if self.exploration.crash is None else self.exploration.crash.letter

    def walk(self) -> AllSchedules:
        """Every schedule."""
        return AllSchedules(self.exploration)

    def replay(self, schedule: str, *, strict: bool = True) -> Outcome:
        """Run one schedule."""
        return replay(self.exploration, schedule, strict=strict)

    @property
    def recovers(self) -> bool:
        """Whether there is a recovery to run."""
        return self._recover is not None

    def recover(self) -> str | None:
        """Run the recovery; what it raised."""
        try:
            if self._recover is not None:
                refuse_later("recover", self._recover(self._engine))
        except PastTheExplorer:
            raise
        except Exception as error:
            return f"the recovery raised {error_text(error)}"
        return None

    def judge(self, outcome: Outcome) -> tuple[str, ...]:
        """What the invariant finds broken after this schedule."""
        with reading_in(self._session) as session:
            return asked(self._invariant, self.takes, session, outcome)

    def trace(self, schedule: str, *, unfinished: bool = False) -> Trace:
        """Run the schedule once more, and write down what happens."""
        recover = self.recover if self.recovers else None
        return traced(self.exploration, schedule, self.judge, recover=recover, unfinished=unfinished)


def asked(invariant: Invariant, takes: int, session: Session, outcome: Outcome) -> tuple[str, ...]:
    """What the invariant answers, which takes so many arguments. Raises TypeError for what is no list of strings."""
    known: tuple[Any, ...] = (outcome.errors, outcome.results)
    try:
        found = invariant(session, *known[: takes - 1])
    except Exception as error:
        error.add_note(f"raised by the invariant after the schedule {outcome.schedule!r}")
        raise
    refuse_later("the invariant", found)
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise TypeError(f"the invariant returned {found!r}: a list of strings expected, empty if nothing is broken")
    return tuple(found)


def arguments_of(invariant: Invariant) -> int:
    """How many arguments it takes, from 1 to 3."""
    parameters = inspect.signature(invariant).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    # A parameter with a default is somebody's own, unless it bears the name of ours.
    ours = [p for p in positional if p.default is p.empty or p.name in ("errors", "results")]
    if not 1 <= len(ours) <= 3:
        raise TypeError(f"an invariant of {len(ours)} arguments found: (session[, errors[, results]]) expected")
    return len(ours)
