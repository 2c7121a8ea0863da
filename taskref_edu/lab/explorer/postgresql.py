"""Every interleaving of unmodified functions on a PostgreSQL server: real connections, real locks.

As on SQLite, a schedule is a string of letters. A lower-case letter is a statement that had to wait for a lock: in
"AABbA" B waits, and continues by itself when A has ended. The server resolves a deadlock with an error. Every
schedule is run for real, on a scratch database that is created and dropped.

Not covered: raw driver connections (`engine.raw_connection()`), SERIALIZABLE (its victims depend on timing).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from ..player.recording import DEATHS, DIES, DIES_IN_COMMIT
from . import watchdog
from .errors import ActorNeverEnds, Deadlock, NoSuchSchedule
from .experiment import Experiment
from .graph import Graph
from .invariant import InvariantCheck
from .past_the_explorer import begin_guarding, end_guarding
from .schedule_outcome import Limits, ScheduleOutcome
from .scratch_database import ScratchDatabase
from .server_actor import ServerActor, is_open, put_gates

LOCK_CHECK_AFTER = 0.003  # seconds after which an unfinished statement is checked for waiting on a lock
BLOCKED = text("SELECT pg_blocking_pids(:pid) <> '{}'")
HOLDERS = text("SELECT pg_blocking_pids(:pid)")
GONE = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")
ENDED = text("SELECT pg_terminate_backend(:pid)")
OnStep = Callable[[str, ServerActor, str], None]  # the move, its actor, and the SQL


class ServerTrial(InvariantCheck):
    """As Trial, on a server: runs schedules, recovers, and checks the invariant. Use it in a `with` block."""

    def __init__(self, experiment: Experiment, limits: Limits) -> None:
        assert experiment.url is not None
        super().__init__(experiment)
        self._limits = limits
        self.database = ScratchDatabase(experiment.url, experiment.setup, experiment.schema)
        self.speaks_for = self.database.speaks_for
        self._engines = [self.database.engine() for _ in experiment.actors]
        self.engine = self.database.engine()
        for engine in self._engines:
            put_gates(engine)
        self.actors: list[ServerActor] = []  # of the latest schedule
        self._moved = threading.Condition()

    def __enter__(self) -> ServerTrial:
        begin_guarding()
        return self

    def __exit__(self, *error: Any) -> None:
        end_guarding()
        self.database.close()

    def asking(self) -> Session:
        return Session(self.database.connection)

    # As Trial does

    def walk(self) -> ServerWalk:
        """Every schedule."""
        return ServerWalk(self)

    def replay(self, schedule: str, *, strict: bool = True) -> ScheduleOutcome:
        """Run one schedule."""
        outcome, _ = self.run(schedule)
        if strict and outcome.schedule != schedule:
            raise NoSuchSchedule(schedule, f"cannot be followed: it became {outcome.schedule!r}")
        return outcome

    def rows_of(self, actor: ServerActor) -> tuple[Any, bool]:
        """The rows after a step; if the actor's transaction has written, as that transaction sees them.

        Not in a SERIALIZABLE one: reading in it could make the server abort it.
        """
        connection = actor.connection
        if actor.at_gate and actor.wrote and connection is not None and is_open(connection):
            isolation = connection.connection.cursor().execute("SHOW transaction_isolation").fetchone()
            if isolation != ("serializable",):
                return self.database.rows(connection), False
        return self.database.rows(), True

    # A schedule

    def run(
        self, prefix: str, on_step: OnStep | None = None, file: str | None = None
    ) -> tuple[ScheduleOutcome, list[str]]:
        """Follow the prefix, then always the first actor that can go on. Returns the outcome, and the other choices.

        file: whose line numbers are recorded, by default each actor's own.
        """
        self.database.restore()
        outcome, others = ScheduleOutcome(""), list[str]()
        self.actors = []
        try:
            self._start(file)
            while moves := self._moves():
                done = len(outcome.schedule)
                wanted = prefix[done : done + 1]
                wanted = wanted if wanted in DEATHS else wanted.upper()
                move = wanted if wanted in moves else next(iter(moves))
                if done >= len(prefix):
                    others += [outcome.schedule + other for other in moves if other != move]
                self._make(move, moves[move], outcome, on_step)
                if not any(actor.at_gate for actor in self.actors):
                    self._wait_for_the_server(outcome)
        finally:
            self._end()
        self._collect(outcome)
        return outcome, others

    def _start(self, file: str | None) -> None:
        """Run each function up to its first step, one after the other."""
        for (letter, function), engine in zip(self.experiment.functions.items(), self._engines, strict=True):
            actor = ServerActor(letter, function, engine, self._moved, file)
            self.actors.append(actor)
            engine.connect().close()
            actor.start()
            self._settle()

    def _moves(self) -> dict[str, ServerActor]:
        """The moves that can be made, each with its actor."""
        moves = {actor.letter: actor for actor in self.actors if actor.at_gate}
        victim = moves.get(self.experiment.victim or "")
        if victim is not None:
            moves[DIES] = victim
            if victim.sql == "COMMIT":
                moves[DIES_IN_COMMIT] = victim
        return moves

    def _make(self, move: str, actor: ServerActor, outcome: ScheduleOutcome, on_step: OnStep | None) -> None:
        dies, sql = move in DEATHS, actor.sql
        if dies:
            outcome.crashed = sql
        actor.let_go(move if dies else "")
        self._settle()
        if dies:
            self._wait_until_gone(actor)
            self._settle()
        outcome.schedule += move if dies or not actor.is_moving else move.lower()
        if on_step is not None:
            on_step(outcome.schedule[-1], actor, sql)
        if actor.steps > self._limits.steps:
            raise ActorNeverEnds(
                f"{actor.letter} made {actor.steps} steps in {outcome.schedule!r} and goes on with {actor.sql!r}:"
                " does it try again in a loop? (max_steps= allows more)"
            )

    def _settle(self) -> None:
        """Wait until each actor is at its gate, has ended, or waits for another actor's lock."""
        end = time.monotonic() + self._limits.patience
        while moving := [actor for actor in self.actors if actor.is_moving]:
            with self._moved:
                if self._moved.wait_for(lambda: not any(actor.is_moving for actor in moving), LOCK_CHECK_AFTER):
                    continue
            # Check all again: an actor that reached its gate meanwhile may have released one checked before it.
            if all(self.waits(actor) and actor.is_moving for actor in moving):
                return
            if time.monotonic() > end:
                for actor in moving:
                    watchdog.raise_in_thread(actor.ident or 0, ActorNeverEnds)
                names = ", ".join(actor.letter for actor in moving)
                raise ActorNeverEnds(
                    f"{names} took more than {self._limits.patience} seconds from one step to the next"
                )

    def waits(self, actor: ServerActor) -> bool:
        """Whether the server reports that the actor's statement waits for a lock."""
        return bool(actor.pid and self.database.connection.execute(BLOCKED, {"pid": actor.pid}).scalar_one())

    def whom(self, actor: ServerActor) -> str:
        """Whose locks the actor's statement waits for."""
        pids = self.database.connection.execute(HOLDERS, {"pid": actor.pid}).scalar_one()
        return " and ".join(other.letter for other in self.actors if other.pid in pids) or "itself"

    def _wait_until_gone(self, actor: ServerActor) -> None:
        end = time.monotonic() + self._limits.patience
        while not self.database.connection.execute(GONE, {"pid": actor.pid}).scalar_one():
            if time.monotonic() > end:
                raise ActorNeverEnds(f"the server keeps the connection of {actor.letter}, which is dead")
            time.sleep(LOCK_CHECK_AFTER)

    def _wait_for_the_server(self, outcome: ScheduleOutcome) -> None:
        """All actors wait. The server ends a deadlock that it detects; we end any other, as of an actor with itself."""
        waiting = [actor for actor in self.actors if actor.is_moving]
        if not waiting:
            return
        with self._moved:
            patience = 3 * self.database.deadlock_seconds + 0.2
            self._moved.wait_for(lambda: any(not actor.is_moving for actor in waiting), patience)
        stuck = [actor for actor in waiting if actor.is_moving]
        if stuck == waiting:
            for actor in stuck:
                outcome.errors[actor.letter] = Deadlock(f"{actor.letter} waits for itself ({actor.sql})")
                self.database.connection.execute(ENDED, {"pid": actor.pid})
                actor.dead = True
        self._settle()

    def _end(self) -> None:
        """End all actors, however the schedule ended."""
        end = time.monotonic() + self._limits.patience
        while any(actor.is_alive() for actor in self.actors) and time.monotonic() < end:
            for actor in self.actors:
                if actor.at_gate:
                    actor.let_go(DIES)
                elif actor.is_alive():
                    actor.join(LOCK_CHECK_AFTER)

    def _collect(self, outcome: ScheduleOutcome) -> None:
        """Collect errors and results after all actors have ended."""
        for actor in self.actors:
            if actor.fault is not None:
                raise actor.fault
            if actor.dead:
                continue  # errors of its code after the kill do not count
            if actor.error is not None:
                outcome.errors.setdefault(actor.letter, actor.error)
            elif actor.letter not in outcome.errors:
                outcome.results[actor.letter] = actor.result


class ServerWalk:
    """Every schedule of a trial, each once. If an actor may die: every schedule in which it does."""

    def __init__(self, trial: ServerTrial) -> None:
        self._trial = trial
        self._stack = [""]
        self._done = 0
        self.share = 0.0

    def __iter__(self) -> Iterator[ScheduleOutcome]:
        while self._stack:
            outcome, others = self._trial.run(self._stack.pop())
            self._stack += others
            self._done += 1
            self.share = self._done / (self._done + len(self._stack))
            if self._trial.experiment.victim is None or outcome.crashed is not None:
                yield outcome

    def mark_untried(self, graph: Graph) -> None:
        """Record in the graph where choices were left untried."""
        for branch in self._stack:
            with suppress(KeyError):  # a schedule without a crash
                graph.states[graph.walk(branch[:-1])[-1]].unexplored += 1
