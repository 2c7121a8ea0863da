"""A recording of an exploration: what the player draws. Plain JSON, which is read here.

A recording contains each SQL text, row, step and state once; everything refers to them by index. A schedule is a path
from state 0 along `go`. docs/recording.md describes the format.

Not covered: how a recording is made (`lab/explorer/recorder.py`), and its texts (`answers.py`, `why.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .short_sql import Clause, clauses

VERSION = 2
KINDS = ("schedules", "crashes")
DIES = "x"  # in a schedule: the crashing actor is killed here
DIES_IN_COMMIT = "y"  # on a server: after its COMMIT was sent, and before the reply arrived
DEATHS = (DIES, DIES_IN_COMMIT)
RECOVERS = "r"
LIVE = ("pending", "running")  # the statuses of a task that has not ended
RANKS = {"bad": 0, "err": 1, "good": 2}
_TABLE = re.compile(r"\b(?:FROM|UPDATE|INTO)\s+[\"`]?(\w+)", re.IGNORECASE)

Facts = Mapping[str, Any]
Row = dict[str, Any]


class RecordingError(ValueError):
    """The data is no recording of this version."""


@dataclass(frozen=True)
class RecordedRun:
    """One schedule and how it ended."""

    schedule: str
    broken: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    count: int = 1  # of the schedules with the same end that it represents

    @property
    def outcome(self) -> str:
        """`bad`, `err` or `good`."""
        return "bad" if self.broken else "err" if self.errors else "good"


def switches(schedule: str) -> int:
    """How many times a schedule passes from one actor to another; a death is the dying actor's own step."""
    return sum(one != other for one, other in pairwise(move.upper() for move in schedule if move not in DEATHS))


@dataclass(frozen=True)
class Moment:
    """The state after a step, which at the start is empty."""

    number: int
    step: Facts
    state: Facts
    index: int = 0  # of the state

    @property
    def by(self) -> str:
        return self.step.get("by", "")

    @property
    def kind(self) -> str:
        return self.step.get("kind", "other" if self.step else "")

    @property
    def came(self) -> Facts:
        """What came back from the step."""
        return self.step.get("came", {})


@dataclass(frozen=True)
class Change:
    """What a step did to one row, as its own actor sees it."""

    table: str
    key: Any
    was: Row | None
    now: Row | None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bracket:
    """A transaction, from its first step to its last."""

    by: str
    first: int
    last: int
    open: bool = False  # not ended yet
    torn: bool = False  # a crash ended it


@dataclass(eq=False)
class Recording:
    """A recording. Raises RecordingError if the data is none of this version."""

    facts: Facts
    runs: list[RecordedRun] = field(init=False)

    def __post_init__(self) -> None:
        check(self.facts)
        self.letters = list(self.facts["actors"])
        self.crashes = self.facts["kind"] == "crashes"
        self.times = frozenset(name for info in self.facts["tables"].values() for name in info.get("times", ()))
        self.runs = [self.ended(run["s"], run.get("n", 1)) for run in self.facts["runs"]]
        if not self.crashes:
            self.runs.sort(key=lambda r: (RANKS[r.outcome], switches(r.schedule), len(r.schedule), r.schedule))

    @property
    def first(self) -> RecordedRun | None:
        """The run to show first: the worst with the fewest switches; if every crash holds, the last repaired one."""
        worst = next((run for out in ("bad", "err") for run in self.runs if run.outcome == out), None)
        if worst is not None or not self.runs:
            return worst
        return next((run for run in self.runs[::-1] if self._repaired(run)), self.runs[-1 if self.crashes else 0])

    def _repaired(self, run: RecordedRun) -> bool:
        """Whether the recovery after this crash changed something."""
        moments = self.moments(run.schedule)
        return moments[-1].kind == "other" and not moments[-1].by and bool(self.changes(moments, len(moments) - 1))

    @property
    def opened(self) -> str:
        """The schedule to show first; "" if there is none."""
        return self.first.schedule if self.first else ""

    def run(self, schedule: str) -> RecordedRun | None:
        """The run of this schedule; None if it is not recorded to its end."""
        moments = self.moments(schedule)
        ends = "go" not in moments[-1].state and "more" not in moments[-1].state
        return self.ended(schedule) if ends and len(moments) > len(schedule) else None

    def ended(self, schedule: str, count: int = 1) -> RecordedRun:
        """How this schedule ended."""
        state = self.moments(schedule)[-1].state
        return RecordedRun(schedule, tuple(state.get("broken", ())), tuple(state.get("errors", ())), count)

    def clauses(self, step: Facts) -> tuple[Clause, ...]:
        """A step's statement, shortened."""
        return clauses(self.sql(step), self.times)

    def now(self, moment: Moment, read: Moment) -> Facts | None:
        """What a read's SELECT would return at a moment to a new connection; None if the same, as far as known."""
        asked = moment.state.get("now", {}).get(read.by, {})
        return asked.get(str(read.step.get("sql")))

    def sql(self, step: Facts) -> str:
        """The full SQL of a step; "" at the start."""
        found = step.get("sql", "")
        return self.facts["sql"][found] if isinstance(found, int) else str(found)

    def table_of(self, step: Facts) -> str:
        """The table that a step reads or writes first; "" if it names none."""
        found = _TABLE.search(self.sql(step))
        return found[1] if found else ""

    def moments(self, schedule: str) -> list[Moment]:
        """The states along a schedule, as far as it can be followed; after a crash the recovery, too."""
        states, steps = self.facts["states"], self.facts["steps"]
        at, found = 0, [Moment(0, {}, states[0])]
        for letter in [*schedule, RECOVERS]:
            if (go := states[at].get("go", {}).get(letter)) is None:
                break
            at = go[1]
            found.append(Moment(len(found), steps[go[0]], states[at], at))
        return found

    def row(self, index: int) -> tuple[str, Row]:
        """A row by its index: its table, its values by column."""
        table, *values = self.facts["rows"][index]
        return table, dict(zip(self.facts["tables"][table]["cols"], values, strict=True))

    def rows(self, indices: Sequence[int]) -> dict[tuple[str, Any], Row]:
        """Rows by table and key; equal keys are numbered, since a table without a key may hold equal rows."""
        found: dict[tuple[str, Any], Row] = {}
        times: Counter[tuple[str, Any]] = Counter()
        for index in indices:
            table, row = self.row(index)
            place = table, row.get(self.key(table), index)
            times[place] += 1
            found[place if times[place] == 1 else (table, f"{place[1]} ({times[place]})")] = row
        return found

    def key(self, table: str) -> str:
        """The column that identifies a table's rows."""
        info = self.facts["tables"][table]
        return info.get("key") or info["cols"][0]

    def one(self, table: str, key: Any = None) -> str:
        """The word for one row, such as `order 7`."""
        word = self.facts["tables"].get(table, {}).get("one") or table
        return word if key is None else f"{word}\u00a0{key}"

    def seen(self, moment: Moment, by: str) -> Sequence[int]:
        """The rows that this actor sees: its own uncommitted ones, if it has some."""
        return moment.state.get("open", {}).get(by, moment.state["rows"])

    def changes(self, moments: Sequence[Moment], number: int) -> list[Change]:
        """What a step did to the rows, as its own actor sees them."""
        if not number:
            return []
        by, now = moments[number].by, moments[number].state
        before = self.seen(moments[number - 1], by) if by in now.get("open", {}) else moments[number - 1].state["rows"]
        return self.changed(before, self.seen(moments[number], by))

    def changed(self, before: Sequence[int], after: Sequence[int]) -> list[Change]:
        """The differences between two lists of rows."""
        old, found = self.rows(before), []
        for (table, key), row in self.rows(after).items():
            was = old.pop((table, key), None)
            columns = () if was is None else tuple(name for name in row if row[name] != was[name])
            if was is None or columns:
                found.append(Change(table, key, was, row, columns))
        return found + [Change(table, key, row, None) for (table, key), row in old.items()]

    def refusal(self, moments: Sequence[Moment], number: int) -> str:
        """The error to show at a step: its own, or the one that ended its actor, if not shown before; "" if none."""
        step, by = moments[number].step, moments[number].by
        if step.get("error"):
            return str(step["error"])
        shown = any(m.by == by and m.step.get("error") == step.get("ends") for m in moments[1:number])
        return f"ends with {step['ends']}" if step.get("ends") and not shown else ""

    def commit_of(self, moments: Sequence[Moment], number: int) -> int | None:
        """The step that made a write visible to others: its COMMIT, or the write itself."""
        by = moments[number].by
        for moment in moments[number:]:
            step = moment.step
            if moment.by != by:
                continue
            if step.get("dies") or moment.kind == "rollback" or "ROLLBACK" in step.get("post", ()):
                return None
            if moment.kind == "commit" or not step.get("tx", (False, False))[1]:
                return moment.number if not step.get("error") else None
        return None

    def brackets(self, moments: Sequence[Moment]) -> list[Bracket]:
        """The transactions, except those of a single read."""
        found: list[Bracket] = []
        first: dict[str, int] = {}
        for moment in moments[1:]:
            step, by = moment.step, moment.by
            if step.get("dies"):
                if by in first:
                    found.append(Bracket(by, first.pop(by), max(moment.number - 1, 1), torn=True))
                continue
            before, after = step.get("tx", (False, False))
            ends = any(sql.upper().startswith(("COMMIT", "ROLLBACK")) for sql in step.get("post", ()))
            lone_read = moment.kind == "read" and ends and by not in first
            if (before or after) and by not in first and not lone_read:
                first[by] = moment.number
            if by in first and (not after or ends):
                found.append(Bracket(by, first.pop(by), moment.number))
        return found + [Bracket(by, number, len(moments) - 1, open=True) for by, number in first.items()]


def check(facts: Facts) -> None:
    """Raise RecordingError unless this is a recording of this version."""
    for name in ("kind", "count", "actors", "tables", "sql", "rows", "steps", "states", "runs"):
        if name not in facts:
            raise RecordingError(f"recording without {name!r} found; version {VERSION} has one: record it again")
    if facts.get("v") != VERSION:
        raise RecordingError(f"recording version {facts.get('v')!r} found, {VERSION} expected: record it again")
    if facts["kind"] not in KINDS:
        raise RecordingError(f"kind {facts['kind']!r} found, one of {', '.join(KINDS)} expected")
