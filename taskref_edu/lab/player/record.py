"""Makes the recording of an exploration from its graph of states and what was observed on the way.

A small exploration is recorded whole, so that a reader without a kernel can play every schedule. Of a large one: the
schedules that are listed, one for each way in which it can end. Times of the run itself are written `…time…`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .recording import DIES, RECOVERS, VERSION
from .short_sql import NOW

MOST_STATES = 400  # of a graph that is recorded whole
MOST_RUNS = 400  # of schedules that are listed one by one
MOST_CLASSES = 200  # of ends that are listed where there are more schedules than that
LONGEST = 500  # characters of a value that are kept
_TIME = re.compile(r"'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{4,}(?:\+\d\d:?\d\d)?'")
ONE = {"orders": "order", "tasks": "task", "children": "child", "people": "person"}

Key = tuple[int, int, str]  # of a schedule: its switches, its length, itself


class Recorder:
    """Numbers each SQL text, row, step and state once."""

    def __init__(self, found: Any, seen: Any, runs: Sequence[tuple[str, int]], describe: Mapping[str, Any]) -> None:
        self.graph, self.seen, self.runs = found.graph, seen, runs
        self.describe = describe
        self.tables: dict[str, dict[str, Any]] = {}
        self.sql, self.rows, self.steps = Numbered(), Numbered(), Numbered()
        self.states: list[dict[str, Any]] = []
        self.numbers: dict[int, int] = {}  # of the recording's states, by those of the graph

    def facts(self) -> dict[str, Any]:
        """The recording."""
        for state in self.seen.states.values():
            for rows in (state.rows, *state.open.values()):
                self._know(rows)
        for number in sorted(self.seen.states):
            self.numbers[number] = len(self.states)
            self.states.append(self._state(self.seen.states[number]))
        for number in sorted(self.seen.states):
            self._go_on(number)
        runs = [{"s": schedule, "n": count} if count > 1 else {"s": schedule} for schedule, count in self.runs]
        lists = {"sql": self.sql.all, "rows": self.rows.all, "steps": self.steps.all}
        return {"v": VERSION, **self.describe, "tables": self.tables, **lists, "states": self.states, "runs": runs}

    def _know(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        for table, items in rows.items():
            if items and table not in self.tables:
                refs = {
                    name.partition(".")[2]: to
                    for name, to in self.seen.references.items()
                    if name.startswith(f"{table}.")
                }
                columns = [name for name in items[0] if name not in self.seen.times]
                key = self.seen.keys.get(table)
                self.tables[table] = {"one": one_of(table), "cols": columns, "key": key, "refs": refs}

    def _state(self, state: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"rows": self._rows(state.rows)}
        if opened := {x: rows for x, given in state.open.items() if (rows := self._rows(given)) != found["rows"]}:
            found["open"] = opened
        if state.waits:
            found["waits"] = {x: [by, self.sql.of(without_times(state.next[x]))] for x, by in state.waits.items()}
        if state.now:
            found["now"] = {x: self._answer(answer) for x, answer in state.now.items()}
        if state.ended:
            found["ended"] = state.ended
        return found

    def _go_on(self, number: int) -> None:
        """The steps from a state to others; at an end, the recovery and what is broken."""
        here = self.states[self.numbers[number]]
        edges = self.graph.states[number].edges
        go = {x: self._step_to(number, x, child) for x, child in edges.items() if (number, x) in self.seen.steps}
        if go:
            here["go"] = go
        if len(go) < len(edges):
            here["more"] = "".join(x for x in edges if x not in go)  # steps that are not recorded
        if edges:
            return
        end = here
        if number in self.seen.recovered:
            state, error = self.seen.recovered[number]
            self._know(state.rows)
            end = self._state(state)
            step = {"by": "", "sql": "recovery", **({"error": error} if error else {})}
            here["go"] = {RECOVERS: [self.steps.of(step), len(self.states)]}
            self.states.append(end)
        problems, errors = self.graph.states[number].problems, self.graph.states[number].errors
        if problems:
            end["broken"] = list(problems)
        if errors:
            end["errors"] = list(errors)

    def _step_to(self, number: int, letter: str, child: int) -> list[int]:
        return [self.steps.of(self._step(self.seen.steps[number, letter])), self.numbers[child]]

    def _step(self, step: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"by": step.by, "sql": self.sql.of(without_times(step.sql))}
        if step.dies:
            return {**found, "dies": True, "undone": step.undone}
        found["kind"] = step.kind
        came: dict[str, Any] = self._answer(step.answer) if step.answer is not None else {}
        if step.changed is not None and step.kind == "write":
            came["changed"] = step.changed
        if step.id is not None:
            came["id"] = step.id
        optional = {"came": came, "error": step.error, "ends": step.ends, "line": step.line,
                    "pre": step.pre, "post": step.post}  # fmt: skip
        found |= {name: value for name, value in optional.items() if value}
        return {**found, "tx": list(step.transaction)}

    def _answer(self, answer: Any) -> dict[str, Any]:
        kept = [place for place, name in enumerate(answer.columns) if name not in self.seen.times]
        rows = [[plain(row[place]) for place in kept] for row in answer.rows]
        return {"cols": [answer.columns[place] for place in kept], "rows": rows}

    def _rows(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[int]:
        return [
            self.rows.of([table, *(plain(row[name]) for name in self.tables[table]["cols"])])
            for table, items in rows.items()
            for row in items
        ]


class Numbered:
    """Values, each once, by the sequence in which they came."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbers: dict[str, int] = {}

    def of(self, value: Any) -> int:
        number = self._numbers.setdefault(repr(value), len(self.all))
        if number == len(self.all):
            self.all.append(value)
        return number


def record(found: Any, describe: Mapping[str, Any]) -> dict[str, Any]:
    """The recording of a result: of all its states where they are few. describe: kind, count, actors, test …"""
    runs = listed(found.graph, found.count)
    whole = found.complete and len(found.graph.states) <= MOST_STATES
    seen = found.observe() if whole else found.observe(schedules=[schedule for schedule, _ in runs])
    return Recorder(found, seen, runs, describe).facts()


def listed(graph: Any, count: int) -> list[tuple[str, int]]:
    """The schedules to list, and for how many each stands: all of them, or one for each end, the worst first."""
    if count <= MOST_RUNS:
        return [(schedule, 1) for schedule in _paths(graph)]
    ways, ends = graph.paths_to(), _easiest(graph)
    classes = sorted(((_rank(graph.states[end]), key, ways[end]) for end, key in ends.items()))
    return [(key[2], many) for _, key, many in classes[:MOST_CLASSES]]


def _paths(graph: Any) -> Iterator[str]:
    """Every schedule, in alphabetical order."""
    stack = [(0, "")]
    while stack:
        number, done = stack.pop()
        state = graph.states[number]
        if not state.edges and state.all:
            yield done
        stack += [(child, done + letter) for letter, child in reversed(state.edges.items())]


def _easiest(graph: Any) -> dict[int, Key]:
    """By end, the schedule with the fewest switches that leads there. Children come after their parents."""
    best: list[dict[str, Key]] = [{} for _ in graph.states]
    best[0][""] = (0, 0, "")
    ends: dict[int, Key] = {}
    for number, state in enumerate(graph.states):
        for last, (switches, length, done) in best[number].items():
            for letter, child in state.edges.items():
                way = (switches + (last not in ("", letter) and letter != DIES), length + 1, done + letter)
                after = last if letter == DIES else letter
                if after not in best[child] or way < best[child][after]:
                    best[child][after] = way
        if not state.edges and state.all and best[number]:
            ends[number] = min(best[number].values())
    return ends


def _rank(state: Any) -> int:
    return 0 if state.problems else 1 if state.errors else 2


def without_times(sql: str) -> str:
    """The SQL without times of the run itself, which have fractions of a second, one line for each line."""
    return _TIME.sub(f"'{NOW}'", re.sub(r"\s*\n\s*", "\n", sql.strip()))


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def one_of(table: str) -> str:
    """The word for one row of a table."""
    if table in ONE:
        return ONE[table]
    return table[:-3] + "y" if table.endswith("ies") else table[:-1] if re.search(r"[^s]s$", table) else table
