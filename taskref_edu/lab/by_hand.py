"""One schedule, put together by hand: let A or B make a step, look at the rows, go back, try another way.

    game = ByHand([click, click], setup=one_order, invariant=one_live_payment)
    game.go("A"); game.go("B"); print(game)

Each step runs everything from the start again, so that nothing is held between two of them: no lock, no greenlet,
no thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from ..schema import SchemaName
from .explorer.actor import Function
from .explorer.database_snapshot import Journal
from .explorer.errors import CannotWriteTest, NoSuchSchedule, NotRepeatable
from .explorer.exploration import Exploration
from .explorer.outcome import Limits
from .explorer.question import Question
from .explorer.schedules import REPEATABLE
from .explorer.trace import Trace, lanes_as_html, lanes_as_text
from .explorer.trial import Invariant, Trial


class ByHand:
    """A schedule that grows with go() and shrinks with back(); prints and shows itself.

    The arguments are those of explore(), as are the errors. trace: what has happened so far.
    refused: why the latest go() made no step.
    """

    def __init__(
        self,
        actors: Sequence[Function],
        *,
        invariant: Invariant,
        setup: Callable[[Engine], object] | None = None,
        schema: SchemaName | None = "both",
        journal: Journal = "wal",
        patience: float = Limits.patience,
    ) -> None:
        def open_trial() -> Trial:
            limits = Limits(patience=patience)
            return Trial(Exploration(actors, setup=setup, schema=schema, journal=journal, limits=limits), invariant)

        self._open_trial = open_trial
        self._question = Question(actors, invariant, setup, schema=schema, journal=journal)
        self.refused = ""
        self.trace: Trace
        self.restart()

    @property
    def schedule(self) -> str:
        """The steps so far."""
        return self.trace.schedule

    @property
    def ended(self) -> bool:
        """Whether no step is left; `broken` is known then."""
        return not self.trace.standing

    @property
    def broken(self) -> tuple[str, ...]:
        """What is broken at the end."""
        return self.trace.broken

    def go(self, letter: str) -> bool:
        """Let this actor make its next step; False if it has to wait, or has ended."""
        self.refused = ""
        try:
            self._play(self.schedule + letter)
        except NoSuchSchedule as error:
            self.refused = error.why
            if error.after not in (None, self.schedule):
                raise NotRepeatable(f"{self.schedule!r} went well before, and now {error.why}: {REPEATABLE}") from None
            return False
        return True

    def as_test(self) -> str:
        """A pytest case for the schedule so far; or a comment that says why there can be none."""
        try:
            return self._question.test_of(self.schedule, self.broken or ("nothing broke",))
        except CannotWriteTest as error:
            return f"# {error}"

    def back(self) -> None:
        """Take the latest step back."""
        self._play(self.schedule[:-1])

    def restart(self) -> None:
        """Go back to the start."""
        self._play("")

    def _play(self, schedule: str) -> None:
        with self._open_trial() as trial:
            self.trace = trial.trace(schedule, unfinished=True)

    def __repr__(self) -> str:
        return lanes_as_text(self.trace)

    def _repr_html_(self) -> str:
        return lanes_as_html(self.trace)
