"""What the database answers to each actor, recorded so that equal histories compare equal across runs.

It listens to the actors: it gets each statement before and after it runs, and each row that is fetched.
Values that differ from run to run, such as times and UUIDs, are named after the statement that first sent them.

Not covered: what an actor learns other than through its connections.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...database.observed_connection import ObservedConnection, ObservedCursor
from .actor import Actor, Step
from .errors import CannotMerge
from .exploration import Exploration
from .step_kinds import Classified, Kind, is_many

# PRAGMAs whose results depend only on the schema and the connection.
SCHEMA_ONLY = re.compile(
    "TABLE_X?INFO|TABLE_LIST|INDEX_LIST|INDEX_X?INFO|FOREIGN_KEY_LIST|FOREIGN_KEYS|DATABASE_LIST|COLLATION_LIST|ENCODING"
    "|COMPILE_OPTIONS|PAGE_SIZE|READ_UNCOMMITTED|BUSY_TIMEOUT|SYNCHRONOUS|CACHE_SIZE|JOURNAL_MODE|RECURSIVE_TRIGGERS"
)
LONG_ENOUGH = 6  # characters: a shorter text could equal another value by coincidence
NAME = re.compile(r"~[A-Z]\d+\.(?:\w+|\(\d+, \w+\))")
VALUES = (str, bytes, float, int)


class RecordedCursor(ObservedCursor):
    """A cursor that reports the rows fetched from it, and when there are no more."""

    seen: Callable[[RecordedCursor, list[Any], bool], None]

    def fetchone(self) -> Any:
        return self._report(super().fetchone, lambda row: ([] if row is None else [row], row is None))

    def fetchmany(self, size: int | None = None) -> Any:
        wanted = self.arraysize if size is None else size
        return self._report(partial(super().fetchmany, wanted), lambda rows: (rows, len(rows) < wanted))

    def fetchall(self) -> Any:
        return self._report(super().fetchall, lambda rows: (rows, True))

    def __next__(self) -> Any:
        return self._report(super().__next__, lambda row: ([row], False))

    def close(self) -> None:
        self._report(super().close, lambda _: ([], True))

    def _report(self, fetch: Callable[[], Any], rows_of: Callable[[Any], tuple[list[Any], bool]]) -> Any:
        try:
            found = fetch()
        except BaseException as error:
            self.seen(self, [] if isinstance(error, StopIteration) else [("!", str(error))], True)
            raise
        self.seen(self, *rows_of(found))
        return found


def tell_rows(cursor: Any, seen: Callable[[RecordedCursor, list[Any], bool], None]) -> bool:
    """Have `seen` called for the rows fetched from this cursor; False if that is impossible."""
    if not isinstance(cursor, ObservedCursor):
        return False
    cursor.__class__ = RecordedCursor
    cursor.seen = seen  # type: ignore[attr-defined]
    return True


@dataclass
class Learnt:
    """What one attempt has found out about the actors, for the next attempt.

    unstable: parameters that differ from run to run, by SQL and position. savepoints: whether transactions that write
    use savepoints: then the content to which they may roll back is part of the state.
    """

    unstable: set[tuple[str, Any]] = field(default_factory=set)
    savepoints: bool = False


class LearntMore(Exception):
    """Something new was found out about the actors: start another attempt."""


class AnswerLog:
    """The answers in one run, by the actor's index."""

    def __init__(self, exploration: Exploration, learnt: Learnt) -> None:
        self._learnt = learnt
        self._index = {actor: index for index, actor in enumerate(exploration.actors)}
        self.savepoint: Callable[[ObservedConnection, int], Any] = lambda connection, index: None
        self.begin()

    def begin(self) -> None:
        """Start a new run."""
        actors = range(len(self._index))
        self._log: list[list[Any]] = [[] for _ in actors]
        self._cursors = [0 for _ in actors]
        self.connections: list[dict[ObservedConnection, int]] = [{} for _ in actors]
        self.next: list[Step | None] = [None for _ in actors]
        self.unfinished: list[weakref.WeakKeyDictionary[Any, int]] = [weakref.WeakKeyDictionary() for _ in actors]
        self.names: dict[Any, str] = {}  # of values that differ from run to run

    def take(self, index: int) -> str:
        """What this actor was answered since the last call."""
        told, self._log[index] = repr(self._log[index]), []
        return told

    # The listener

    def free(
        self, actor: Actor, connection: ObservedConnection, statement: Classified, sql: str, run: Callable[[], Any]
    ) -> Any:
        index = self._index[actor]
        if statement.lingers or (statement.word == "PRAGMA" and not SCHEMA_ONLY.fullmatch(statement.name)):
            actor.fault = CannotMerge(f"{actor.letter} sends {sql!r}")
        number = self.connection(index, connection)
        returns_to = statement.word == "SAVEPOINT" or (statement.word == "ROLLBACK" and statement.kind is Kind.FREE)
        saved = self.savepoint(connection, index) if returns_to else None
        try:
            cursor = run()
        except Exception as error:
            self._log[index].append(("!", number, sql, str(error)))
            raise
        self._log[index].append((number, sql, saved))
        self._follow(index, number, cursor)
        return cursor

    def stands(self, actor: Actor, step: Step) -> None:
        self.next[self._index[actor]] = step

    def ran(self, actor: Actor, step: Step, cursor: Any, error: BaseException | None) -> None:
        index = self._index[actor]
        self.next[index] = None
        number = self.connection(index, step.connection)
        if error is not None:
            name = getattr(error, "sqlite_errorname", None)
            self._log[index].append(("!", number, self.plain(str(error)), name))
            return
        rowcount = last = None
        if step.kind is Kind.WRITE and cursor is not None:
            rowcount = cursor.rowcount
            if rowcount and step.tables.numbers_rows:
                last = cursor.lastrowid  # otherwise it is left over from an earlier INSERT, perhaps of another run
        self._log[index].append((number, rowcount, last))
        self._follow(index, number, cursor)

    def connection(self, index: int, connection: ObservedConnection) -> int:
        """The number of an actor's connection."""
        return self.connections[index].setdefault(connection, len(self.connections[index]))

    def _follow(self, index: int, number: int, cursor: Any) -> None:
        """Record the rows as the actor fetches them."""
        place = self._cursors[index] = self._cursors[index] + 1
        unfinished = self.unfinished[index]

        def seen(cursor: RecordedCursor, rows: list[Any], ended: bool) -> None:
            if ended:
                unfinished.pop(cursor, None)
            if rows:
                self._log[index].append((place, *self.rows(rows)))

        if tell_rows(cursor, seen):
            if cursor.description is not None:
                unfinished[cursor] = number
            else:
                unfinished.pop(cursor, None)

    # Values that differ from run to run

    def plain(self, value: Any) -> Any:
        """The value, or its name if it differs from run to run."""
        if self.names and type(value) in VALUES:
            value = self.names.get(value, value)
            if type(value) is str and len(value) > 30 and value[0] != "~":
                for raw, name in self.names.items():
                    if type(raw) is str and raw in value:
                        value = value.replace(raw, name)
        return value

    def rows(self, rows: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Rows, with names in place of values that differ from run to run."""
        if not self.names:
            return [tuple(row) for row in rows]
        get = self.names.get
        return [tuple(get(value, value) if type(value) in VALUES else value for value in row) for row in rows]

    def parameters(self, index: int, name: str) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """The parameters of the actor's next step, by position, and the names given to them. name: of the state."""
        found, created, step = [], [], self.next[index]
        if step is None:
            return [], ()
        for place, value in _places(step.parameters):
            if (step.sql, place) not in self._learnt.unstable:
                value = self.plain(value)
            elif (isinstance(value, str | bytes) and len(value) >= LONG_ENOUGH) or isinstance(value, float):
                if value not in self.names:
                    self.names[value] = f"~{name}.{place}"
                    created.append(self.names[value])
                value = self.names[value]
            elif value is not None:
                raise CannotMerge(f"{value!r} in {step.sql!r} differs from run to run, and is too short to be followed")
            found.append((place, repr(value)))
        return found, tuple(created)


def _places(parameters: Any) -> Iterator[tuple[Any, Any]]:
    rows = parameters if is_many(parameters) else [parameters]
    for number, row in enumerate(rows):
        for place, value in row.items() if isinstance(row, dict) else enumerate(row):
            yield ((number, place) if len(rows) > 1 else place), value


def names_in(value: Any) -> frozenset[str]:
    """The names of values that differ from run to run, in a nested value."""
    if isinstance(value, str):
        return frozenset(NAME.findall(value)) if "~" in value else frozenset()
    if isinstance(value, tuple | list):
        return frozenset().union(*map(names_in, value))
    return frozenset()
