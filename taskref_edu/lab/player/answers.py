"""What a statement returned, in a few words: `task 1`, `NULL`, `no row`, `1 row changed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...arguments import shorten
from .recording import Facts, Moment, Recording
from .short_sql import verb

LONGEST = 80  # characters of one value


@dataclass(frozen=True)
class AnswerText:
    """`column` is empty if the value needs no label; `weak`: shown without emphasis."""

    value: str
    column: str = ""
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.column} = {self.value}" if self.column else self.value


@dataclass(frozen=True)
class Dependency:
    """What an actor has read, from the read to the write that relies on it, as step numbers.

    act: the write; None while it may still come. commit: the step that made the write visible. stale: the first step
    after the read at which another actor's commit has made the answer out of date.
    """

    by: str
    read: int
    act: int | None
    commit: int | None
    stale: int | None


class AnswerTexts:
    """The words for what the statements of one recording returned."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        states, steps = recording.facts["states"], recording.facts["steps"]
        given = [step["came"] for step in steps if "cols" in step.get("came", {})]
        given += [answer for state in states for asked in state.get("now", {}).values() for answer in asked.values()]
        self._rows: dict[tuple[str, ...], list[Sequence[Any]]] = {}
        for came in given:
            self._rows.setdefault(tuple(came["cols"]), []).extend(came["rows"])

    def of(self, step: Facts) -> AnswerText | None:
        """What this step returned; None if nothing."""
        came = step.get("came")
        return None if came is None or step.get("error") else self.words(step, came)

    def words(self, step: Facts, came: Mapping[str, Any]) -> AnswerText:
        """The words for an answer to this step's statement."""
        table = self.recording.table_of(step)
        if came.get("rows") is not None and not ("changed" in came and not came["rows"]):
            return self._rows_in_words(step, came, table)
        if came.get("id") is not None and verb(self.recording.sql(step)) == "INSERT":
            return AnswerText(self.recording.one(table, came["id"]))
        changed = came.get("changed", 0)
        return AnswerText("1 row changed" if changed == 1 else f"{changed} rows changed", weak=changed > 0)

    def news(self, step: Facts, came: Mapping[str, Any]) -> str:
        """What a SELECT would return now, in the column that differs from what it returned."""
        told, answer = step["came"], self.words(step, came)
        if len(told["rows"]) == len(came["rows"]) == 1 and answer.value == self.words(step, told).value:
            pairs = zip(came["cols"], told["rows"][0], came["rows"][0], strict=True)
            return next((f"{name} = {shown(new)}" for name, old, new in pairs if old != new), answer.value)
        return answer.value

    def _rows_in_words(self, step: Facts, came: Mapping[str, Any], table: str) -> AnswerText:
        if len(came["rows"]) != 1:
            return AnswerText(f"{len(came['rows'])} rows" if came["rows"] else "no row")
        row = dict(zip(came["cols"], came["rows"][0], strict=True))
        if not row:
            return AnswerText("1 row")
        info = self.recording.facts["tables"].get(table, {})
        telling = list(row) if len(row) <= 2 else self._telling(came["cols"], info)
        if info.get("key") in telling:
            return AnswerText(self.recording.one(table, row[info["key"]]))
        return AnswerText(shown(row[telling[0]]), telling[0]) if telling else AnswerText("1 row")

    def _telling(self, columns: Sequence[str], info: Mapping[str, Any]) -> list[str]:
        """The columns in which answers with these columns differ, references and the status before all others."""
        rows = self._rows.get(tuple(columns), [])
        differing = [name for place, name in enumerate(columns) if len({str(row[place]) for row in rows}) > 1]
        known = [name for name in columns if name in (*info.get("refs", {}), "status")]
        if info.get("key") in differing:
            return differing
        return [name for name in known if name in differing] or differing or known


def dependencies(recording: Recording, moments: Sequence[Moment]) -> list[Dependency]:
    """Each read with the write that relies on it: the first on its table, else the last before the next such read."""
    over = moments[-1].state.get("ended", "") if moments[-1].state.get("go") else "".join(recording.letters)
    found = []
    for moment in moments:
        if moment.kind != "read" or "rows" not in moment.came:
            continue
        table, by = recording.table_of(moment.step), moment.by
        later = [other for other in moments[moment.number + 1 :] if other.by == by]
        anew = [m.number for m in later if m.kind == "read" and recording.table_of(m.step) == table]
        stop = anew[0] if anew else len(moments)
        writes = [other for other in later if other.kind == "write" and other.number < stop]
        same = [other for other in writes if recording.table_of(other.step) == table]
        act = same[0].number if same else writes[-1].number if writes and (by in over or anew) else None
        if act is None and (by in over or anew):
            continue
        act = act and _first_change(recording, moments[:stop], act)
        last = act if act is not None else len(moments)
        stale = next((m.number for m in moments[moment.number + 1 : last] if recording.now(m, moment)), None)
        commit = recording.commit_of(moments, act) if act is not None else None
        found.append(Dependency(by, moment.number, act, commit, stale))
    return found


def _first_change(recording: Recording, moments: Sequence[Moment], act: int) -> int:
    """The write, or, if it only renews a time such as a lease's, the next one in its transaction that changes a row."""
    for moment in moments[act:]:
        step = moment.step
        if moment.by != moments[act].by:
            continue
        if recording.changes(moments, moment.number):
            return moment.number
        if not step.get("tx", (False, False))[1] or (moment.number == act and not moment.came.get("changed")):
            return act
    return act


def shown(value: Any) -> str:
    """A value as text, NULL included."""
    return "NULL" if value is None else shorten(str(value), LONGEST)
