"""Every order of the statements of unmodified functions on a PostgreSQL server: real connections, real locks.

    found = explore_on_server([click, click], engine, start=one_order, invariant=one_live_payment)

As explore(), and for a server: each actor has a thread and a connection of its own, and stops before each statement
until it is let go. Whether it then waits for somebody's lock the server says itself. A schedule names who was let go;
a small letter is a statement that had to wait: in "AABbA" B waits, and goes on when A has ended.

Not covered: crashes, plans, lanes, and deadlocks, which the server ends by itself after a second.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from string import ascii_uppercase
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlmodel import Session

from ..database.transactions import writing
from ..lab.explorer.wording import short_sql
from ..lab.tables import Table

Function = Callable[[Engine], Any]
Invariant = Callable[[Session], list[str]]
GLANCE = 0.003  # seconds after which a statement that has not ended may be waiting for a lock
NO_STEP = ("SAVEPOINT", "RELEASE")
PARAMETER = re.compile(r"%\((\w+)\)s(?:::\w+)?")
BLOCKED = text("SELECT pg_blocking_pids(:pid) <> '{}'")


@dataclass
class OnServer:
    """What was found; `broken` and `errors` hold schedules, the shortest first."""

    outcomes: dict[str, str] = field(default_factory=dict)  # by schedule: what is broken, or ""
    steps: dict[str, list[str]] = field(default_factory=dict, repr=False)  # by schedule: the SQL of each letter
    error_texts: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many schedules there are."""
        return len(self.outcomes)

    @property
    def broken(self) -> list[str]:
        """The schedules after which something is broken, those with the fewest switches first."""
        return sorted((s for s, said in self.outcomes.items() if said), key=lambda s: (_switches(s), s))

    @property
    def errors(self) -> list[str]:
        """The schedules in which an actor got an error."""
        return sorted(self.error_texts, key=lambda s: (_switches(s), s))

    def table(self, schedule: str) -> Table:
        """The steps of a schedule, a column for each actor."""
        steps = zip(schedule, self.steps[schedule], strict=True)
        empty = dict.fromkeys(sorted(set(schedule.upper())), "")
        return Table(
            {**empty, letter.upper(): sql + ("  (has to wait)" if letter.islower() else "")} for letter, sql in steps
        )

    def __repr__(self) -> str:
        lines = [f"{len(self.broken)} of {self.count} schedules break, {len(self.errors)} with errors"]
        lines += [f"{schedule}: {self.outcomes[schedule]}" for schedule in self.broken[:1]]
        lines += [f"{schedule}: {self.error_texts[schedule]}" for schedule in self.errors[:1]]
        return "\n".join(lines)


class _Actor(threading.Thread):
    """A function on a thread; between two steps it stands at its gate."""

    def __init__(self, letter: str, function: Function, engine: Engine, moved: threading.Condition) -> None:
        super().__init__(name=f"actor {letter}", daemon=True)
        self.letter, self.function, self.engine, self.moved = letter, function, engine, moved
        self.at_gate = self.ended = False
        self.pid = 0
        self.sql = ""  # the step that comes next
        self.wrote = False  # or locked: then the end of the transaction is a step
        self.error: BaseException | None = None

    def run(self) -> None:
        with self.moved:  # until it is known by its thread
            pass
        try:
            self.function(self.engine)
        except Exception as error:
            self.error = error
        with self.moved:
            self.ended = True
            self.moved.notify_all()

    def stop_at_gate(self, connection: Connection, sql: str) -> None:
        self.sql = sql
        self.pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        with self.moved:
            self.at_gate = True
            self.moved.notify_all()
            self.moved.wait_for(lambda: not self.at_gate)

    def let_go(self) -> None:
        with self.moved:
            self.at_gate = False
            self.moved.notify_all()

    @property
    def is_moving(self) -> bool:
        return not self.at_gate and not self.ended


@contextmanager
def _gates(engine: Engine, actors: Mapping[int, _Actor]) -> Iterator[None]:
    """Let the actors' threads stop before each step; other threads pass."""

    def before_statement(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        actor = actors.get(threading.get_ident())
        if actor and not statement.startswith(NO_STEP):
            actor.stop_at_gate(connection, short_sql(_filled(statement, parameters), 62))
            actor.wrote |= not statement.startswith("SELECT") or "FOR UPDATE" in statement

    def before_end(connection: Connection, *, how: str) -> None:
        actor = actors.get(threading.get_ident())
        if actor and actor.wrote:
            actor.stop_at_gate(connection, how)
            actor.wrote = False

    ends = {name: partial(before_end, how=name.upper()) for name in ("commit", "rollback")}
    listeners = {"before_cursor_execute": before_statement, **ends}
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


def explore_on_server(
    actors: Sequence[Function], engine: Engine, *, start: Callable[[Engine], object], invariant: Invariant
) -> OnServer:
    """Run every order of the actors' statements once, each from `start(engine)`, and ask what is broken after it."""
    found = OnServer()
    untried = [""]
    while untried:
        start(engine)
        schedule, steps, others, error = _run(actors, engine, untried.pop())
        untried += others
        found.steps[schedule] = steps
        with writing(engine) as session:
            found.outcomes[schedule] = "; ".join(invariant(session))
        if error is not None:
            said = " ".join(str(error).split())
            found.error_texts[schedule] = f"{type(error).__name__}: {said.partition(' [SQL')[0]}"
    return found


def _run(
    functions: Sequence[Function], engine: Engine, prefix: str
) -> tuple[str, list[str], list[str], BaseException | None]:
    """Follow the prefix, then always the first who can go on: the schedule, its SQL, other ways to go on, an error."""
    moved = threading.Condition()
    actors = [_Actor(ascii_uppercase[n], function, engine, moved) for n, function in enumerate(functions)]
    by_thread: dict[int, _Actor] = {}
    schedule, steps, others = "", [], []
    with _gates(engine, by_thread), engine.connect() as watcher:
        for actor in actors:
            with moved:
                actor.start()
                by_thread[actor.ident or 0] = actor
            _settle([actor], moved, watcher)
        while ready := [actor for actor in actors if actor.at_gate]:
            wanted = prefix[len(schedule) : len(schedule) + 1].upper()
            actor = next((actor for actor in ready if actor.letter == wanted), ready[0])
            if not wanted:
                others += [schedule + other.letter for other in ready[1:]]
            steps.append(actor.sql)
            actor.let_go()
            _settle(actors, moved, watcher)
            schedule += actor.letter.lower() if actor.is_moving else actor.letter
    return schedule, steps, others, next((actor.error for actor in actors if actor.error), None)


def _settle(actors: Sequence[_Actor], moved: threading.Condition, watcher: Connection) -> None:
    """Wait until each actor stands at its gate, has ended, or waits for somebody's lock."""
    while moving := [actor for actor in actors if actor.is_moving]:
        with moved:
            if moved.wait_for(lambda: not any(actor.is_moving for actor in moving), GLANCE):
                continue
        # All of them: one that came to its gate during the question may have freed one that was asked before it.
        if all(_waits(actor, watcher) and actor.is_moving for actor in moving):
            return


def _waits(actor: _Actor, watcher: Connection) -> bool:
    waits = bool(actor.pid) and watcher.execute(BLOCKED, {"pid": actor.pid}).scalar_one()
    watcher.rollback()  # no transaction stays open that others could wait for
    return bool(waits)


def _filled(statement: str, parameters: Any) -> str:
    """The statement with its values in it."""
    values = parameters if isinstance(parameters, dict) else {}
    shown = PARAMETER.sub(lambda found: repr(values.get(found[1], "…")), statement)
    return shown.replace("None", "NULL")


def _switches(schedule: str) -> int:
    return sum(one != other for one, other in pairwise(schedule.upper()))
