"""One schedule of a recording, in the terms of the patterns in `why.py`: reads, writes, and which reads overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .answers import AnswerTexts, Dependency, dependencies, shown
from .recording import Change, Moment, RecordedRun, Recording

Part = str | tuple[str, Any]  # text, or ("who", letter), ("code", text), ("b", text), ("step", number)
Parts = Part | Sequence[Part]


@dataclass(frozen=True)
class Why:
    """A sentence, the steps whose answers were decisive, and notes for steps that came too late or too early."""

    parts: tuple[Part, ...]
    key: tuple[int, ...]
    pattern: str
    marks: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else str(part[1]) for part in self.parts).replace("\u00a0", " ")


@dataclass(frozen=True)
class Write:
    """A step that changed a row, and when others could see it."""

    at: int
    by: str
    change: Change
    commit: int | None

    @property
    def row(self) -> tuple[str, Any]:
        return self.change.table, self.change.key


@dataclass
class Case:
    """A schedule, its steps and states."""

    recording: Recording
    run: RecordedRun
    moments: Sequence[Moment]

    @cached_property
    def answers(self) -> AnswerTexts:
        return AnswerTexts(self.recording)

    @cached_property
    def dependencies(self) -> list[Dependency]:
        return dependencies(self.recording, self.moments)

    @cached_property
    def writes(self) -> list[Write]:
        """Every change of a row by a step that writes, in the sequence of the steps."""
        found = [
            Write(m.number, m.by, change, self.recording.commit_of(self.moments, m.number))
            for m in self.moments[1:]
            if m.kind == "write" and m.by
            for change in self._changes(m)
        ]
        known = {(w.commit, w.row) for w in found}
        for moment in (m for m in self.moments[1:] if m.kind == "commit"):
            changes = self.recording.changes(self.moments, moment.number)
            unseen = (change for change in changes if (moment.number, (change.table, change.key)) not in known)
            found += [Write(self._writer(moment, c.table), moment.by, c, moment.number) for c in unseen]
        return sorted(found, key=lambda w: w.at)

    def _writer(self, commit: Moment, table: str) -> int:
        """The statement behind a change that only the COMMIT shows, if the open transaction could not be observed."""
        mine = (m for m in self.moments[1 : commit.number] if m.by == commit.by and m.kind == "write")
        return max((m.number for m in mine if self.table(m.number) == table), default=commit.number)

    def _changes(self, moment: Moment) -> list[Change]:
        """What a statement changed; if it had to wait, as soon as its actor sees the change."""
        by, later = moment.by, self.moments[moment.number :]
        if by not in moment.state.get("waits", {}):
            return self.recording.changes(self.moments, moment.number) or self._written_again(moment)
        done = next((m for m in later if by not in m.state.get("waits", {})), None)
        if done is None or by not in done.state.get("open", {}):
            return []
        return self.recording.changed(done.state["rows"], done.state["open"][by])

    def _written_again(self, moment: Moment) -> list[Change]:
        """The row that a statement wrote without changing a value, as a second worker's claim does."""
        table = self.table(moment.number)
        if moment.came.get("changed") != 1 or table not in self.recording.facts["tables"]:
            return []
        found = re.search(rf"\b{self.recording.key(table)}\W+(\d+)\b", self.sql(moment.number).partition("WHERE")[2])
        key = int(found[1]) if found else None
        row = self.recording.rows(self.recording.seen(moment, moment.by)).get((table, key))
        return [] if row is None else [Change(table, key, row, row)]

    def before(self, number: int, *, but: str) -> list[Write]:
        """What the other actors had committed before a step."""
        return [w for w in self.writes if w.by != but and w.commit is not None and w.commit < number]

    def acts(self, dependency: Dependency) -> list[Write]:
        """What the write that relies on a read changed, where it was committed."""
        return [w for w in self.writes if w.at == dependency.act and w.commit is not None]

    def overlapping(self) -> Iterator[tuple[Dependency, Dependency]]:
        """Pairs of reads made before either relying write was committed; the first commit outdates the other read."""
        acting = [t for t in self.dependencies if t.commit is not None and self.acts(t)]
        for place, one in enumerate(acting):
            for other in acting[place + 1 :]:
                if one.by != other.by and max(one.read, other.read) < min(commit(one), commit(other)):
                    first, second = sorted((one, other), key=commit)
                    if self.makes_false(commit(first), second):
                        yield (one, other) if one.read < other.read else (other, one)

    def makes_false(self, number: int, dependency: Dependency) -> bool:
        """Whether this step changed what the reading actor's SELECT would return."""
        before, after = (
            self.recording.now(self.moments[n], self.moments[dependency.read]) for n in (number - 1, number)
        )
        return after is not None and after != before

    def sql(self, number: int) -> str:
        return self.recording.sql(self.moments[number].step)

    def table(self, number: int) -> str:
        return self.recording.table_of(self.moments[number].step)

    def answer(self, number: int) -> str:
        """The answer of a step, in a few words."""
        return str(self.answers.of(self.moments[number].step) or "")

    def read_in(self, number: int, column: str) -> list[Any]:
        """The values of this column that a step has read."""
        came = self.moments[number].came
        names = came.get("cols", [])
        return [row[names.index(column)] for row in came["rows"]] if column in names else []

    def answered(self, number: int, column: str = "") -> list[Part]:
        """The same as parts: `processing_task_id = NULL`; of this column, if the step has read one value of it."""
        if len(values := self.read_in(number, column)) == 1:
            return [("code", column), " = ", ("b", shown(values[0]))]
        found = self.answers.of(self.moments[number].step)
        if found is None:
            return []
        value: Part = ("b", found.value)
        return [("code", found.column), " = ", value] if found.column else [value]

    def row(self, change: Change) -> Part:
        return ("b", self.recording.one(change.table, change.key))


def commit(dependency: Dependency) -> int:
    """When the write that relies on a read was committed."""
    return dependency.commit or 0


def who(letter: str) -> Part:
    return ("who", letter)


def at(*numbers: int) -> list[Part]:
    """`(step 1)`, `(steps 1 and 5)`; the numbers are links in the player."""
    distinct = list(dict.fromkeys(numbers))
    found: list[Part] = ["(steps " if len(distinct) > 1 else "(step "]
    for place, number in enumerate(distinct):
        found += ["" if not place else " and " if place == len(distinct) - 1 else ", ", ("step", number)]
    return [*found, ")"]


def sentence(
    pattern: str, key: Sequence[int], template: str, *, marks: Mapping[int, str] | None = None, **parts: Parts
) -> Why:
    """The template with its `{names}` replaced by parts."""
    flat: list[Part] = []
    for place, piece in enumerate(re.split(r"{(\w+)}", template)):
        given: Parts = parts[piece] if place % 2 else piece
        flat += given if isinstance(given, list) else [given]  # type: ignore[list-item]
    return Why(tuple(part for part in flat if part != ""), tuple(key), pattern, marks or {})
