"""The run-time of an exploration on SQLite: its actors and their database, advanced one step at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..player.recording import DIES
from . import watchdog as guard
from .actor import Actor
from .database_snapshot import SnapshotDatabase
from .errors import ActorNeverEnds, Deadlock, LabError
from .experiment import Experiment
from .past_the_explorer import begin_guarding, end_guarding
from .schedule_outcome import Limits, ScheduleOutcome
from .sqlite_locks import Locks
from .step_kinds import Classifier


class Exploration:
    """The actors of an exploration and their database. Use it in a `with` block.

    crash: the actor that may die. A move is an actor's letter, or DIES if that actor dies.
    """

    def __init__(self, experiment: Experiment, limits: Limits) -> None:
        self.limits = limits
        self.database = SnapshotDatabase(experiment.setup, experiment.schema, experiment.journal)
        self.locks = Locks(experiment.journal == "delete", self._connections, self.database.is_locked)
        statements = Classifier(self.database.root_pages(), self.database.functions(), self.database.observer)
        self.actors = [
            Actor(letter, function, self.database, self.locks, statements)
            for letter, function in experiment.functions.items()
        ]
        self.crash = None if experiment.crash is None else self.actors[experiment.crash]
        self._by_letter = {actor.letter: actor for actor in self.actors}
        self.turn = 0
        self.running = False
        self._current = self.actors[0]

    def __enter__(self) -> Exploration:
        begin_guarding()
        self._watchdog = guard.Watchdog(self, self.limits.patience)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            for actor in self.actors:
                with suppress(LabError):
                    self.kill(actor)
                actor.leave()
        finally:
            self._watchdog.close()
            end_guarding()
            self.database.close()
        if kind is guard.Hung:  # raised after its actor had already handed back control
            raise ActorNeverEnds(self._too_slow())

    @property
    def going(self) -> list[Actor]:
        """The actors that have not ended."""
        return [actor for actor in self.actors if not actor.ended]

    def start(self) -> ScheduleOutcome:
        """Restore the database, and run every function up to its first step."""
        if any(actor.disturbed for actor in self.actors):
            self.database.restore_file()  # it may have changed a setting of the file
        elif not self.database.restore():
            for actor in self.actors:
                actor.renew()  # its prepared statements belong to the changed schema
        for actor in self.actors:
            self._let(actor, actor.start)
        return ScheduleOutcome("")

    def may_go(self, actor: Actor) -> bool:
        """False if the actor's step certainly has to wait; True means: try, SQLite decides."""
        return not actor.ended and not actor.must_wait()

    def moves(self) -> list[str]:
        """The moves to try, in alphabetical order; some may turn out to have to wait."""
        found = [actor.letter for actor in self.actors if self.may_go(actor)]
        return [*found, DIES] if self.crash is not None and not self.crash.ended else found

    def go(self, move: str, outcome: ScheduleOutcome) -> bool:
        """Make a move: an actor's step, or its death; False if the actor has to wait, or has ended."""
        actor = self.mover(move)
        if actor.ended:
            return False
        if move == DIES:
            outcome.crashed = actor.step.sql if actor.step else ""
            self._let(actor, actor.die)
        elif actor.must_wait() or not self._let(actor, actor.advance):
            return False
        outcome.schedule += move
        if not actor.ended and actor.steps >= self.limits.steps:
            raise ActorNeverEnds(self._too_many_steps(actor, outcome))
        return True

    def mover(self, move: str) -> Actor:
        """The actor of a move. Raises KeyError if there is none."""
        if move == DIES and self.crash is not None:
            return self.crash
        return self._by_letter[move]

    def kill(self, actor: Actor) -> None:
        """End the actor, wherever it is stopped."""
        if not actor.ended:
            self._let(actor, actor.die)

    def give_up(self, outcome: ScheduleOutcome) -> None:
        """End a schedule in which every actor waits."""
        waiting = "; ".join(self.why_waiting(actor) for actor in self.going)
        for actor in self.going:
            self.kill(actor)
            actor.error = Deadlock(waiting)

    def why_waiting(self, actor: Actor) -> str:
        """Which actor holds the lock that this one waits for, and the SQL that waits."""
        sql = actor.step.sql if actor.step else "no step"
        return f"{actor.letter} waits for {self.holder_before(actor)} ({sql})"

    def holder_before(self, actor: Actor) -> str:
        """The letter of the actor that holds the lock which this one waits for."""
        holders = [other.letter for other in self.actors if self.locks.writer in other.connections]
        return "itself" if holders == [actor.letter] else " and ".join(holders) or "whoever reads"

    def end(self, outcome: ScheduleOutcome) -> ScheduleOutcome:
        """Collect errors and results after all actors have ended."""
        for actor in self.actors:
            if actor.error is not None:
                outcome.errors[actor.letter] = actor.error
            elif not actor.dead:
                outcome.results[actor.letter] = actor.result
            actor.tidy()
            actor.error = actor.result = None
        return outcome

    def interrupt(self) -> None:
        """Stop the current actor's SQL."""
        for connection in self._current.connections:
            with suppress(sqlite3.Error):  # closed meanwhile
                connection.interrupt()

    def _let(self, actor: Actor, act: Callable[[], Any]) -> Any:
        self.turn += 1
        self._current, self.running = actor, True
        result = None
        try:
            result = act()
        except guard.Hung:
            pass
        finally:
            with self._watchdog.lock:
                self.running = False
        if self._watchdog.fired_at == self.turn:
            self._watchdog.cancel()
            raise ActorNeverEnds(self._too_slow())
        for each in self.actors:  # the fault may be recorded on the actor whose engine this one used
            if each.fault is not None:
                raise each.fault
        return result

    def _connections(self) -> list[sqlite3.Connection]:
        return [connection for actor in self.actors for connection in actor.connections]

    def _too_slow(self) -> str:
        seconds = f"{self._current.letter} took more than {self.limits.patience} seconds"
        return (
            f"{seconds} from one statement to the next{self._current.stuck_at}: does it loop without touching the"
            " database, or wait for a lock that another actor holds? (patience= allows more)"
        )

    def _too_many_steps(self, actor: Actor, outcome: ScheduleOutcome) -> str:
        next_sql = actor.step.sql if actor.step else ""
        return (
            f"{actor.letter} made {actor.steps} steps in {outcome.schedule!r} and goes on with {next_sql!r}:"
            " does it try again in a loop? (max_steps= allows more)"
        )
