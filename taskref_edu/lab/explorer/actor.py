"""An actor: an unmodified function that is stopped before each of its steps.

It observes the connections of its own engine. Before a step it switches to the explorer's greenlet. When it is resumed,
its statement runs; if the statement would have to wait for a lock, the actor is stopped again. A killed actor's
connections are closed, as those of a killed process are; Python's `finally` still runs, but reaches no database.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from greenlet import getcurrent, greenlet
from sqlalchemy import event

from ...database.observed_connection import ObservedConnection
from ...database.sqlite_engine import observers_of
from .database_snapshot import SnapshotDatabase
from .errors import ActorKilled, LabError, PastTheExplorer
from .experiment import ActorFunction, name_of
from .killed_connections import close_cursors, close_for_good, undo_unfinished
from .past_the_explorer import refuse_later
from .sqlite_locks import Locks, in_transaction, is_reading, waits
from .step_kinds import Classified, Classifier, Kind, Tables, is_many
from .watchdog import Hung, stuck_at


@dataclass(slots=True)
class Step:
    """A statement that an actor is about to run, or has run."""

    connection: ObservedConnection
    kind: Kind
    sql: str
    parameters: Any
    tables: Tables


class StepListener(Protocol):
    """Is called for each statement of an actor."""

    def free(
        self, actor: Actor, connection: ObservedConnection, statement: Classified, sql: str, run: Callable[[], Any]
    ) -> Any:
        """A statement that is not a step: call `run`, and return its result."""
        ...

    def stands(self, actor: Actor, step: Step) -> None:
        """The actor is stopped before a step."""
        ...

    def ran(self, actor: Actor, step: Step, cursor: Any, error: BaseException | None) -> None:
        """The step has run."""
        ...


class ActorGreenlet(greenlet):
    """Calls `act` at each begin(). Reused, because a new greenlet for each schedule would cost as much as a step.

    actor: tells the audit hook whose code is running. explorer: the greenlet that resumes the actor.
    """

    def __init__(self, actor: object, act: Callable[[], object]) -> None:
        super().__init__(self._again)
        self.actor = actor
        self.explorer = getcurrent()
        self._act = act

    def begin(self) -> None:
        """Call the function, and run it up to its first step."""
        self.gr_context = None  # context variables are not carried from one schedule to the next
        self.switch()

    def _again(self) -> None:
        while True:
            self._act()
            self.explorer.switch()


class Actor:
    """One of the functions of an exploration, run once in every schedule."""

    def __init__(
        self, letter: str, function: ActorFunction, database: SnapshotDatabase, locks: Locks, statements: Classifier
    ) -> None:
        self.letter = letter
        self.function = function
        self.engine = database.engine()
        self._life = ActorGreenlet(self, self._call)
        self.connections: list[ObservedConnection] = []
        self.listener: StepListener | None = None
        self._database = database
        self._locks = locks
        self._statements = statements
        self._savepoints: dict[ObservedConnection, list[str]] = {}  # the open ones, if one began the transaction
        observers_of(self.engine).active = (self,)
        event.listen(self.engine, "connect", self._connected)
        self._reset()
        self.ended = True  # until start()

    def _reset(self) -> None:
        self._cursors: list[weakref.ref[sqlite3.Cursor]] = []
        self.steps = 0
        self.step: Step | None = None  # the step before which it is stopped
        self.ended = self.dead = self.waiting = self.disturbed = self.refused = False
        self.stuck_at = ""
        self.result: Any = None
        self.error: BaseException | None = None
        self.fault: LabError | None = None

    # The explorer's side

    def start(self) -> None:
        """Run the function up to its first step, with a connection already open."""
        self._reset()
        if self._life.dead:
            self._life = ActorGreenlet(self, self._call)
        if not self.engine.pool.checkedin():  # type: ignore[attr-defined]
            self.engine.connect().close()
        self._life.begin()

    def advance(self) -> bool:
        """Run the next step and the code up to the following one; False if the step has to wait for a lock."""
        self.waiting = False
        self._life.switch()
        return not self.waiting

    def must_wait(self) -> bool:
        """Whether its step certainly has to wait; False means: try, SQLite decides."""
        step = self.step
        return step is not None and self._locks.must_wait(step.connection, step.kind)

    def die(self) -> None:
        """Kill it as a process is killed: transactions end without COMMIT, locks are released, later SQL is refused."""
        self.dead = self.ended = True
        undo_unfinished(self._cursors)
        self.renew()
        self._life.throw(ActorKilled)

    def tidy(self) -> None:
        """After the function has ended: replace connections that it left in another state."""
        left_open = self.engine.pool.checkedout() or any(in_transaction(each) for each in self.connections)  # type: ignore[attr-defined]
        if (
            left_open
            or self.disturbed
            or ((self.error or self.refused) and any(is_reading(each) for each in self.connections))
        ):
            self.renew()

    def renew(self) -> None:
        """Close all connections; the next schedule opens new ones."""
        close_for_good(self.connections, self._cursors)
        self.connections.clear()
        self._savepoints.clear()
        self.engine.dispose()

    def leave(self) -> None:
        """After the exploration: close the connections and end the greenlet."""
        self.renew()
        if self.ended and self._life:
            self._life.throw()

    # The function's side

    def _call(self) -> None:
        try:
            self.result = self.function(self.engine)
            refuse_later(f"actor {self.letter} ({name_of(self.function)})", self.result)
        except ActorKilled:
            pass
        except PastTheExplorer as fault:
            self.fault = self.fault or fault
        except Hung as stuck:
            self.stuck_at = stuck_at(stuck)
        except KeyboardInterrupt:
            raise  # it interrupts the exploration, and ends this greenlet
        except BaseException as error:
            self.error = error
        # A traceback or another variable may keep a cursor alive; an unfinished one keeps its read transaction open.
        close_cursors(self._cursors)
        self.ended = True

    def _connected(self, connection: ObservedConnection, _record: Any) -> None:
        self.connections.append(connection)

    def connects(self) -> None:
        """Called before this actor's code opens any connection."""
        if self.dead:
            raise ActorKilled
        if not observers_of(self.engine).connecting:
            self._fail("opened a connection of its own", "use the engine that it is given, or its raw_connection()")
        if self._database.is_exclusively_locked():
            self._fail(
                "opens another connection while somebody has locked the whole file, and SQLite would let it wait",
                "use BEGIN IMMEDIATE, or open the connection before the first statement",
            )

    def borrows(self, pool: Any, connection: Any) -> None:
        """Called before its code uses a connection of any pool."""
        if pool is self.engine.pool or any(
            isinstance(each, Actor) for each in getattr(getattr(connection, "observers", None), "active", ())
        ):
            return  # another actor's engine, whose own `around` refuses the use
        advice = "pass it the engine that it is given; docs/test-your-own-code.md shows how"
        self._fail("used another engine than its own", advice)

    def around(self, connection: ObservedConnection, sql: str, parameters: Any, run: Callable[[], Any]) -> Any:
        """Stop before a step until the explorer allows it."""
        current = getcurrent()
        if current is not self._life:
            return self._around_elsewhere(current, run)
        statement = self._statements.of(connection, sql, parameters)
        kind = statement.kind
        if kind is not Kind.READ and kind is not Kind.WRITE:
            kind = self._kind(connection, statement)
        if kind is Kind.FREE:
            return self._run_free(connection, statement, sql, run)
        if kind is Kind.WRITE and not connection.in_transaction and is_many(parameters) and len(parameters) > 1:
            self._fail("called executemany() outside a transaction", "begin one, or call execute() for each row")
        step = Step(connection, kind, sql, parameters, statement.tables)
        if self.listener is not None:
            self.listener.stands(self, step)
        while True:
            self._pause(step)
            try:
                result = run()
            except sqlite3.Error as error:
                if waits(connection, error):
                    self.waiting = True
                    continue
                self._done(step, None, error)
                raise
            self._done(step, result)
            self._lingers(connection, statement)
            if result is not None:
                self._cursors.append(weakref.ref(result))
            return result

    def _run_free(self, connection: ObservedConnection, statement: Classified, sql: str, run: Callable[[], Any]) -> Any:
        """A statement that is not a step."""
        if statement.lingers:
            self._expect_shared_file(statement, sql)
        result = run() if self.listener is None else self.listener.free(self, connection, statement, sql, run)
        self._locks.ran(connection, Kind.FREE)
        self._lingers(connection, statement)
        return result

    def _around_elsewhere(self, current: greenlet, run: Callable[[], Any]) -> Any:
        if current is self._life.explorer:
            return run()  # the explorer opens or closes a connection
        other = getattr(current, "actor", None)
        where = f"{other.letter}'s function" if other else "another thread or greenlet"
        self._fail(f"has its engine used by {where}", "only its own actor may use an engine")
        return None

    def _pause(self, step: Step) -> None:
        self.step = step
        self._life.explorer.switch()

    def _kind(self, connection: ObservedConnection, statement: Classified) -> Kind:
        kind = statement.kind
        if not connection.in_transaction:
            self._savepoints.pop(connection, None)
            if statement.word == "SAVEPOINT":
                self._savepoints[connection] = [statement.name]
        elif (opened := self._savepoints.get(connection)) is not None:
            if statement.word == "SAVEPOINT":
                opened.append(statement.name)
            elif statement.word == "RELEASE" and statement.name in opened:
                del opened[len(opened) - 1 - opened[::-1].index(statement.name) :]
                # To release the savepoint that began the transaction is to commit.
                kind = kind if opened else Kind.COMMIT
        ends = kind in (Kind.COMMIT, Kind.ROLLBACK)
        if ends and not (self._locks.rollback_journal or self._locks.writer is connection):
            return Kind.FREE  # the end of a transaction that has only read is not observable by others
        return kind

    def _done(self, step: Step, cursor: Any, error: BaseException | None = None) -> None:
        self.steps += 1
        self.step = None
        self.refused = self.refused or error is not None
        self._locks.ran(step.connection, step.kind, error)
        if self.listener is not None:
            self.listener.ran(self, step, cursor, error)

    def _expect_shared_file(self, statement: Classified, sql: str) -> None:
        """Refuse settings under which other connections cannot read, or that contradict the result's journal mode."""
        value = sql.upper().rpartition("=")[2].rpartition("(")[2].strip(" ;)'\"")
        other_mode = statement.name == "JOURNAL_MODE" and (value == "WAL") is self._locks.rollback_journal
        if other_mode or (statement.name == "LOCKING_MODE" and value == "EXCLUSIVE"):
            self._fail(f"sends {sql!r}", "leave it out; explore(journal=…) says how the file is opened, for everybody")

    def _lingers(self, connection: ObservedConnection, statement: Classified) -> None:
        if statement.lingers:
            self.disturbed = True
            if statement.name == "BUSY_TIMEOUT":  # SQLite must not wait by itself: all actors share this thread
                sqlite3.Cursor(connection).execute("PRAGMA busy_timeout = 0")

    def _fail(self, what: str, advice: str) -> None:
        self.fault = PastTheExplorer(f"actor {self.letter} ({name_of(self.function)}) {what}: {advice}")
        raise self.fault
