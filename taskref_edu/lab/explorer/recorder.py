"""Creates the recording of an exploration from its graph of states and what was observed in them.

A small exploration is recorded completely, so that a page without a kernel can play every schedule. Of a large one,
only the listed schedules are recorded: one for each way in which a schedule can end. Times of the run itself are
written as `…time…`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...arguments import shorten
from ..player.recording import DEATHS, RECOVERS, VERSION
from ..player.short_sql import NOW
from .database_snapshot import Rows
from .graph import Graph, Schedules, State
from .observations import Observations, SeenState, SeenStep
from .repeated_reads import FetchedRows

MOST_STATES = 400  # of a graph that is recorded whole
MOST_RUNS = 400  # of schedules that are listed one by one
MOST_CLASSES = 200  # of ends that are listed if there are more schedules
LONGEST = 500  # characters of a value that are kept
A_TIME = "a time"
_TIME = re.compile(r"'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.(?!0+\b)\d{4,}(?:\+\d\d:?\d\d)?'")


class ToRecord(Protocol):
    """The part of a result that a recording is made from."""

    graph: Graph
    count: int

    def observe(self, schedules: Sequence[str] | None = None, *, file: str | None = None) -> Observations: ...


class Recorder:
    """Numbers each SQL text, row, step and state once; states with the same continuations are merged."""

    def __init__(self, seen: Observations, runs: Sequence[tuple[str, int]], describe: Mapping[str, Any]) -> None:
        self.seen, self.runs, self.describe = seen, runs, describe
        self.telling = telling_times(seen)
        self.hidden = seen.times - self.telling
        self.tables: dict[str, dict[str, Any]] = {}
        self.sql, self.rows, self.steps, self.states = Numbered(), Numbered(), Numbered(), Numbered()

    def facts(self) -> dict[str, Any]:
        """The recording."""
        for state in [*self.seen.states.values(), *(state for state, _ in self.seen.recovered.values())]:
            for rows in (state.rows, *state.open.values()):
                self._know(rows)
        numbers: dict[int, int] = {}
        for number in sorted(self.seen.states, reverse=True):  # children come after their parents
            numbers[number] = self.states.of(self._state(number, numbers))
        listed = self.runs
        if self.describe["kind"] == "crashes":
            listed = sorted(listed, key=lambda run: (max(map(run[0].find, DEATHS)), run[0]))
        runs = [{"s": schedule, "n": count} if count > 1 else {"s": schedule} for schedule, count in listed]
        lists = {"sql": self.sql.all, "rows": self.rows.all, "steps": self.steps.all, "states": self._from_start()}
        whole = {"whole": self._whole()} if self.describe["kind"] == "crashes" else {}
        return {"v": VERSION, **self.describe, "tables": self.tables, **lists, "runs": runs, **whole}

    def _whole(self) -> list[dict[str, Any]]:
        """The steps of a single actor in a run without a crash."""
        steps, number = [], 0
        while (0, "A") in self.seen.steps and (number, "A") in self.seen.steps:
            steps.append(self._step(self.seen.steps[number, "A"]))
            number = self.seen.graph.states[number].edges["A"]
        return steps if len(self.describe["actors"]) == 1 else []

    def _know(self, rows: Rows) -> None:
        for table, items in rows.items():
            if items and table not in self.tables:
                mine = {
                    name.partition(".")[2]: to
                    for name, to in self.seen.references.items()
                    if name.startswith(f"{table}.")
                }
                columns = [name for name in items[0] if name not in self.hidden]
                times = [name for name in columns if name in self.telling]
                info = {"one": one_of(table), "cols": columns, "key": self.seen.keys.get(table), "refs": mine}
                self.tables[table] = info | ({"times": times} if times else {})

    def _state(self, number: int, numbers: Mapping[int, int]) -> dict[str, Any]:
        """A state with its steps to other states; at an end, what is broken, after the recovery if there was one."""
        node, found = self.seen.graph.states[number], self._look(self.seen.states[number])
        steps = {x: self.seen.steps[number, x] for x in node.edges if (number, x) in self.seen.steps}
        if go := {x: [self.steps.of(self._step(step)), numbers[node.edges[x]]] for x, step in steps.items()}:
            found["go"] = go
        if more := "".join(x for x in node.edges if x not in go):
            found["more"] = more  # steps that are not recorded
        if node.edges:
            return found
        judged = {name: list(texts) for name, texts in (("broken", node.problems), ("errors", node.errors)) if texts}
        if number not in self.seen.recovered:
            return found | judged
        state, error = self.seen.recovered[number]
        step = {"by": "", "sql": "recovery", **({"error": error} if error else {})}
        return found | {"go": {RECOVERS: [self.steps.of(step), self.states.of(self._look(state) | judged)]}}

    def _look(self, state: SeenState) -> dict[str, Any]:
        found: dict[str, Any] = {"rows": self._rows(state.rows)}
        if opened := {x: rows for x, given in state.open.items() if (rows := self._rows(given)) != found["rows"]}:
            found["open"] = opened
        if state.waits:
            found["waits"] = {x: [by, self.sql.of(without_times(state.next[x]))] for x, by in state.waits.items()}
        if state.now:
            found["now"] = {
                x: {str(self.sql.of(without_times(sql))): self._answer(answer) for sql, answer in answers.items()}
                for x, answers in state.now.items()
            }
        return found | ({"ended": state.ended} if state.ended else {})

    def _from_start(self) -> list[Any]:
        """The states with the start first: they were numbered from the ends."""
        last = len(self.states.all) - 1
        turned = []
        for state in reversed(self.states.all):
            go = {x: [step, last - target] for x, (step, target) in state.get("go", {}).items()}
            turned.append({**state, "go": go} if go else state)
        return turned

    def _step(self, step: SeenStep) -> dict[str, Any]:
        found: dict[str, Any] = {"by": step.by, "sql": self.sql.of(without_times(step.sql))}
        if step.dies:
            return {**found, "dies": True, "undone": step.undone}
        came: dict[str, Any] = self._answer(step.answer) if step.answer is not None else {}
        if step.changed is not None and step.kind == "write":
            came["changed"] = max(
                step.changed, len(came.get("rows", ()))
            )  # SQLite counts RETURNING rows as they are fetched
        if step.id is not None:
            came["id"] = step.id
        optional = {"came": came, "error": step.error, "ends": step.ends, "error_name": step.error_name,
                    "line": step.line, "pre": step.pre, "post": step.post}  # fmt: skip
        told = {name: value for name, value in optional.items() if value}
        return {**found, "kind": step.kind, **told, "tx": [step.before or "BEGIN" in step.pre, step.after]}

    def _answer(self, answer: FetchedRows) -> dict[str, Any]:
        kept = [(place, name) for place, name in enumerate(answer.columns) if name not in self.hidden]
        rows = [[self._value(name, row[place]) for place, name in kept] for row in answer.rows]
        return {"cols": [name for _, name in kept], "rows": rows}

    def _rows(self, rows: Rows) -> list[int]:
        return [
            self.rows.of([table, *(self._value(name, row[name]) for name in self.tables[table]["cols"])])
            for table, items in rows.items()
            for row in items
        ]

    def _value(self, column: str, value: Any) -> Any:
        return A_TIME if column in self.telling and value is not None else plain(value)


class Numbered:
    """Values without repetition, in the sequence in which they were first given."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbers: dict[str, int] = {}

    def of(self, value: Any) -> int:
        number = self._numbers.setdefault(repr(value), len(self.all))
        if number == len(self.all):
            self.all.append(value)
        return number


def telling_times(seen: Observations) -> set[str]:
    """The time columns that carry information by being NULL or not: the rest of the row does not determine it."""
    found: set[str] = set()
    ways: dict[str, set[tuple[bool, ...]]] = {}
    for state in [*seen.states.values(), *(state for state, _ in seen.recovered.values())]:
        for table, row in ((t, row) for rows in (state.rows, *state.open.values()) for t in rows for row in rows[t]):
            names = [name for name in row if name in seen.times]
            others = ways.setdefault(repr((table, [row[name] for name in row if name not in names])), set())
            mine = tuple(row[name] is not None for name in names)
            for other in others - {mine}:
                found |= {name for name, one, two in zip(names, mine, other, strict=True) if one != two}
            others.add(mine)
    return found


def record(found: ToRecord, describe: Mapping[str, Any], *, file: str | None = None) -> dict[str, Any]:
    """The recording of a result: of all its states where they are few.

    describe: kind, count, actors, test … file: the file whose line numbers are recorded.
    """
    runs = listed(found.graph, found.count)
    whole = len(found.graph.states) <= MOST_STATES if found.count > MOST_RUNS else True
    seen = found.observe(None if whole else [schedule for schedule, _ in runs], file=file)
    return Recorder(seen, runs, describe).facts()


def listed(graph: Graph, count: int) -> list[tuple[str, int]]:
    """The schedules to list, and how many each represents: all of them, or one for each end, the worst first."""
    if count <= MOST_RUNS:
        return [(schedule, 1) for schedule in Schedules(graph)]
    ways = graph.paths_to()
    classes = sorted((_rank(graph.states[end]), key, ways[end]) for end, key in graph.easiest().items())
    return [(key[2], many) for _, key, many in classes[:MOST_CLASSES]]


def _rank(state: State) -> int:
    return 0 if state.problems else 1 if state.errors else 2


def without_times(sql: str) -> str:
    """The SQL without times of the run itself, which have fractions of a second; line breaks are kept."""
    return _TIME.sub(f"'{NOW}'", re.sub(r"\s*\n\s*", "\n", sql.strip()))


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.hex() if isinstance(value, bytes) else str(value)
    return shorten(text, LONGEST)


def one_of(table: str) -> str:
    """The word for one row of a table."""
    return table[:-3] + "y" if table.endswith("ies") else table[:-1] if re.search(r"[^s]s$", table) else table
