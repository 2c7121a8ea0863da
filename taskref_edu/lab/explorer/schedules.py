"""Runs schedules on SQLite: each one once, or a given one.

A schedule is the sequence of completed steps, as a string of the actors' letters. The tree of all schedules is visited
depth first. To backtrack to a branch, the schedule is run again from the start: the database is restored, the functions
are called again, and the same choices lead to the same state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .actor import Actor
from .errors import NoSuchSchedule, NotRepeatable
from .exploration import Exploration
from .graph import Graph
from .schedule_outcome import ScheduleOutcome

REPEATABLE = "let the functions depend on the database only, not on time, chance or variables that they change"


class AllSchedules:
    """Every schedule, in alphabetical order. If an actor may die: every schedule in which it does."""

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._path: list[list[str]] = []  # for each step: the move that was made, and those still to be tried
        self._able: list[tuple[str, ...]] = []  # for each step: all the moves that could be made

    def __iter__(self) -> Iterator[ScheduleOutcome]:
        while True:
            outcome = self._run()
            if outcome is not None:
                if self._exploration.crash is None or outcome.crashed is not None:
                    yield outcome
                outcome.forget()
            if not self._backtrack():
                return

    def mark_untried(self, graph: Graph) -> None:
        """Record in the graph where moves were left untried."""
        number = 0
        for options in self._path:
            graph.states[number].unexplored = len(options) - 1
            number = graph.states[number].edges.get(options[0], number)

    @property
    def share(self) -> float:
        """The estimated part of all schedules that has been run; exact for actors without branches that never wait.

        The estimate assumes that a branch is as large as its actor's share of the steps that were left there.
        """
        left = Counter(options[0] for options in self._path)
        done, here = 0.0, 1.0
        for options, able in zip(self._path, self._able, strict=True):
            sizes = {index: max(1, left[index]) for index in able}
            whole = sum(sizes.values())
            done += here * sum(size for index, size in sizes.items() if index not in options) / whole
            here *= sizes[options[0]] / whole
            left[options[0]] -= 1
        return done + here if self._path else 0.0

    def _backtrack(self) -> bool:
        """Backtrack to the latest place with an option left."""
        while self._path:
            self._path[-1].pop(0)
            if self._path[-1]:
                return True
            self._path.pop()
            self._able.pop()
        return False

    def _run(self) -> ScheduleOutcome | None:
        """Repeat the path and continue from its end; None if its last step turned out to have to wait."""
        outcome = self._exploration.start()
        for place, options in enumerate(self._path):
            if self._exploration.go(options[0], outcome):
                continue
            if place < len(self._path) - 1:
                raise NotRepeatable(_not_repeatable(outcome.schedule, options[0]))
            if not self._go_next(options, outcome):
                self._abandon()
                return None
        while self._exploration.going:
            options = self._exploration.moves()
            if self._go_first(options, outcome) or self._go_next(options, outcome):
                self._path.append(options)
                self._able.append(tuple(options))
            else:
                self._exploration.give_up(outcome)
        return self._exploration.end(outcome)

    def _go_first(self, options: list[str], outcome: ScheduleOutcome) -> bool:
        return bool(options) and self._exploration.go(options[0], outcome)

    def _go_next(self, options: list[str], outcome: ScheduleOutcome) -> bool:
        """The first option has to wait: try the next ones."""
        while options:
            options.pop(0)
            if self._go_first(options, outcome):
                return True
        return False

    def _abandon(self) -> None:
        for actor in self._exploration.going:
            self._exploration.kill(actor)
        self._path[-1] = [""]  # for _backtrack() to drop


def _not_repeatable(done: str, move: str) -> str:
    where = done or "the start"
    return f"after {where}, {move} made a step the first time and none the second: {REPEATABLE}"


def replay(exploration: Exploration, schedule: str, *, strict: bool = True) -> ScheduleOutcome:
    """Run one schedule.

    strict: raise NoSuchSchedule if it cannot be followed to the letter. Otherwise skip the steps that do not exist or
    have to wait, and run the remaining steps in alphabetical order.
    """
    try:
        outcome = exploration.start()
        for move in schedule:
            actor = _mover(exploration, move, schedule)
            if not exploration.go(move, outcome) and strict:
                why = f"{actor.letter} has no step left" if actor.ended else exploration.why_waiting(actor)
                raise NoSuchSchedule(schedule, f"cannot happen: after {outcome.schedule!r}, {why}")
        while exploration.going:
            rest = "; ".join(f"{actor.letter}: {actor.step.sql}" for actor in exploration.going if actor.step)
            if not any(exploration.go(actor.letter, outcome) for actor in exploration.going):
                exploration.give_up(outcome)
            elif strict:
                raise NoSuchSchedule(schedule, f"ends too early: steps are left ({rest})")
        return exploration.end(outcome)
    finally:
        for actor in exploration.actors:
            exploration.kill(actor)


def _mover(exploration: Exploration, move: str, schedule: str) -> Actor:
    try:
        return exploration.mover(move)
    except KeyError:
        letters = ", ".join(actor.letter for actor in exploration.actors)
        raise NoSuchSchedule(schedule, f"names {move!r}; the actors are {letters}") from None
