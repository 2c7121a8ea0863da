"""A small model of what PostgreSQL does with one order's row and two connections, to run every schedule without one.

It knows the statements of exercise 9.3 and no others. A SELECT sees what was committed when it began (READ COMMITTED)
or when its transaction's first statement began (REPEATABLE READ), and its own changes. An UPDATE or a FOR UPDATE takes
the row's lock and waits for whoever holds it; then it looks at the row again (READ COMMITTED), or gives up if the row
has changed (REPEATABLE READ). `tests/exercises/test_read_committed.py` runs the same schedules on a real server and
compares every outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from types import SimpleNamespace
from typing import Any

from greenlet import greenlet

LOOK = "SELECT task_id FROM orders WHERE id = 7"
LOCK = f"{LOOK} FOR UPDATE"
NEW_TASK = "INSERT INTO task DEFAULT VALUES RETURNING id"
SET = "UPDATE orders SET task_id = :id WHERE id = 7"
TAKE = f"{SET} AND task_id IS NULL RETURNING id"
REPEATABLE = "BEGIN ISOLATION LEVEL REPEATABLE READ"
Run = Callable[..., Any]
Version = Callable[[Run], object]


class SerializationFailure(Exception):
    """What PostgreSQL answers where it can neither wait nor look again."""


@dataclass
class ModelServer:
    """What is committed: the order's reference, how often it was changed, and how many tasks there are."""

    reference: int | None = None
    changes: int = 0
    tasks: int = 0
    holder: ModelConnection | None = None  # of the lock of the order's row
    ids: count[int] = field(default_factory=lambda: count(1))


@dataclass(eq=False)
class ModelConnection:
    """One transaction after another; `execute` returns False for a statement that has to wait."""

    server: ModelServer
    repeatable: bool = False
    snapshot: tuple[int | None, int] | None = None
    own: list[int] = field(default_factory=list)  # references that it has set, and not committed
    tasks: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether an end of this transaction would change nothing for anybody."""
        return not self.tasks and self.server.holder is not self

    def begin(self, sql: str) -> None:
        """A new transaction."""
        self.repeatable, self.snapshot, self.own, self.tasks = sql == REPEATABLE, None, [], 0

    def must_wait(self, sql: str) -> bool:
        """Whether somebody else holds the lock that this statement needs."""
        return sql in (LOCK, SET, TAKE) and self.server.holder not in (None, self)

    def execute(self, sql: str, id: int | None = None) -> Any:
        """The statement's row. Raises SerializationFailure."""
        server, latest = self.server, (self.server.reference, self.server.changes)
        if self.snapshot is None or not self.repeatable:
            self.snapshot = latest
        match sql:
            case "COMMIT" | "ROLLBACK":
                return self._end(keep=sql == "COMMIT")
            case _ if sql == NEW_TASK:
                self.tasks += 1
                return SimpleNamespace(id=next(server.ids))
            case _ if sql == LOOK:
                return SimpleNamespace(task_id=self._sees(self.snapshot[0]))
            case _ if sql in (LOCK, SET, TAKE):
                return self._lock_and(sql, id, has_changed=self.snapshot[1] != server.changes)
        raise ValueError(f"{sql!r} found; this model does not know it")

    def _lock_and(self, sql: str, id: int | None, *, has_changed: bool) -> Any:
        if has_changed:
            raise SerializationFailure("could not serialize access due to concurrent update")
        found = self._sees(self.server.reference)
        if sql == LOCK:
            self.server.holder = self
            return SimpleNamespace(task_id=found)
        if sql == TAKE and found is not None:
            return None
        self.server.holder = self
        self.own.append(id or 0)
        return SimpleNamespace(id=7) if sql == TAKE else None

    def _sees(self, committed: int | None) -> int | None:
        return self.own[-1] if self.own else committed

    def _end(self, *, keep: bool) -> None:
        server = self.server
        if keep:
            server.tasks += self.tasks
            if self.own:
                server.reference, server.changes = self.own[-1], server.changes + 1
        if server.holder is self:
            server.holder = None
        self.begin("BEGIN")


@dataclass
class Schedule:
    """One schedule that was run: its letters (a small one had to wait), each step as a line, what came of it."""

    letters: str = ""
    lines: list[str] = field(default_factory=list)
    tasks: int = 0
    errors: int = 0

    @property
    def switches(self) -> int:
        """How often another actor goes on."""
        return sum(one != other for one, other in pairwise(self.letters.upper()))


class _Actor:
    """A version that runs on a connection of the model, up to its next step."""

    def __init__(self, letter: str, version: Version, server: ModelServer, done: Schedule) -> None:
        self.letter, self.connection, self.done = letter, ModelConnection(server), done
        self.step: tuple[str, dict[str, Any]] | None = None  # the statement that comes next
        self.waits = False
        self._greenlet = greenlet(lambda: carry_out(version, self._run))
        self._go(self._greenlet.switch)

    def _run(self, sql: str, **values: Any) -> Any:
        if sql.startswith("BEGIN"):
            return self.connection.begin(sql)
        if sql in ("COMMIT", "ROLLBACK") and self.connection.is_idle:
            return None  # nobody could tell when it happens, so it is no step
        return greenlet.getcurrent().parent.switch((sql, values))  # type: ignore[union-attr]

    def _go(self, switch: Callable[..., Any], *arguments: Any) -> None:
        self.step = switch(*arguments)
        if self._greenlet.dead and self.step is not None:  # what the version returned: its error, or None
            self.done.errors, self.step = self.done.errors + 1, None

    def try_step(self) -> None:
        """Send the next statement; it may have to wait."""
        assert self.step
        sql, values = self.step
        if self.connection.must_wait(sql):
            self.done.lines += [] if self.waits else [f"{self.letter}  {_shown(sql, values)}  -- has to wait"]
            self.waits = True
            return
        line, self.waits = f"{self.letter}  {_shown(sql, values)}", False
        try:
            row = self.connection.execute(sql, **values)
        except SerializationFailure as error:
            self.done.lines.append(f"{line}  -- ERROR: {error}")
            self._go(self._greenlet.throw, error)
            return
        self.done.lines.append(line + _result(sql, row))
        self._go(self._greenlet.switch, row)


def carry_out(version: Version, run: Run) -> BaseException | None:
    """Run a version; its error, after a ROLLBACK, if it had one."""
    try:
        version(run)
    except Exception as error:
        run("ROLLBACK")
        return error
    return None


def run_schedule(versions: Sequence[Version], prefix: str) -> tuple[Schedule, list[str]]:
    """Follow the prefix, then always the first who can go on; the other ways in which it could have gone on."""
    server, done = ModelServer(), Schedule()
    actors = [_Actor(letter, version, server, done) for letter, version in zip("ABC", versions, strict=False)]
    others: list[str] = []
    while ready := [actor for actor in actors if actor.step and not actor.waits]:
        wanted = prefix[len(done.letters) : len(done.letters) + 1].upper()
        actor = next((actor for actor in ready if actor.letter == wanted), ready[0])
        if not wanted:
            others += [done.letters + other.letter for other in ready[1:]]
        actor.try_step()
        done.letters += actor.letter.lower() if actor.waits else actor.letter
        for other in actors:
            if other.waits:
                other.try_step()  # goes on by itself once the lock is free
    done.tasks = server.tasks
    return done, others


def every_schedule(version: Version) -> list[Schedule]:
    """Two actors with the same version, in every interleaving of their statements."""
    untried, found = [""], []
    while untried:
        done, others = run_schedule([version, version], untried.pop())
        found.append(done)
        untried += others
    return sorted(found, key=lambda schedule: (schedule.switches, schedule.letters))


def _shown(sql: str, values: dict[str, Any]) -> str:
    return sql.replace(":id", str(values.get("id")))


def _result(sql: str, row: Any) -> str:
    if sql == TAKE:
        return "  -- 1 row" if row else "  -- no row"
    return f"  -- {row.id if sql == NEW_TASK else row.task_id}" if row else ""
