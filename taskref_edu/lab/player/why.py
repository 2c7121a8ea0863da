"""Why a schedule broke, in one sentence, computed from the recording; no sentence if no pattern matches.

A pattern states only facts: which actor read what in which step, what was committed when, which row changed. The first
pattern that matches provides the sentence; specific patterns come before general ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from .answers import Dependency, shown
from .case import Case, Part, Why, Write, at, commit, sentence, who
from .recording import LIVE, Moment, RecordedRun, Recording
from .refusals import refused
from .short_sql import assignments, one_line, verb

Pattern = Callable[[Case], Why | None]


def why(recording: Recording, run: RecordedRun) -> Why | None:
    """The sentence for one run of the recording; None if no pattern matches."""
    case = Case(recording, run, recording.moments(run.schedule))
    patterns = {"bad": BROKEN, "err": [refused], "good": [holds]}[run.outcome]
    return next((found for pattern in [killed, *patterns] if (found := pattern(case))), None)


def second_after_cancel(case: Case) -> Why | None:
    """A cancel hides the first task while a worker still holds it, so a second one is enqueued."""
    for cancel in case.writes:
        hidden = _hidden_by(case, cancel)
        if hidden is None or cancel.commit is None:
            continue
        table, key, status = hidden
        born = (w for w in case.writes if w.change.was is None and w.at > cancel.at and w.by != cancel.by)
        second = next((w for w in born if w.change.table == table and w.change.key != key), None)
        reads = [
            t.read for t in case.dependencies if second and t.by == second.by and cancel.commit < t.read < second.at
        ]
        if second is None or not reads:
            continue
        task: Part = ("b", case.recording.one(table, key))
        cleared: list[Part] = [" cleared the reference of ", case.row(cancel.change), " to ", task]
        return sentence(
            "second after cancel",
            (reads[-1],),
            f"{{A}}{{did}} {{then}} while that was {status}."
            " {B} then read {answer} {read} and inserted {other} {made}.",
            A=who(cancel.by),
            did=cleared if cancel.change.table != table else [" cancelled ", task],
            then=at(cancel.at),
            B=who(second.by),
            answer=case.answered(reads[-1]),
            read=at(reads[-1]),
            other=case.row(second.change),
            made=at(second.at),
            marks={cancel.at: f"too early: {case.recording.one(table, key)} was {status}"},
        )
    return None


def _hidden_by(case: Case, cancel: Write) -> tuple[str, Any, str] | None:
    """The task that a cancel hides although a worker still holds it: its table, key and status."""
    change = cancel.change
    if change.now is None or change.was is None:
        return None
    for column, table in case.recording.facts["tables"][change.table].get("refs", {}).items():
        key = change.was.get(column)
        row = case.recording.rows(case.moments[cancel.at].state["rows"]).get((table, key))
        if key is not None and change.now.get(column) is None and row and row.get("status") in LIVE:
            return table, key, row["status"]
    if "cancel" in str(change.now.get("status")) and "status" in change.columns:
        held = [w for w in case.writes if w.by != cancel.by and w.at < cancel.at and w.row == cancel.row]
        if held and (held[-1].change.now or {}).get("status") == "running":
            return change.table, change.key, "running"
    return None


def started_too_early(case: Case) -> Why | None:
    """A worker searches for the object of a task whose reference is saved only later."""
    for saved, column, target in _references_set(case):
        made = next((w for w in case.writes if w.change.was is None and w.row == target), None)
        if made is None or made.by != saved.by or made.commit is None or saved.commit is None:
            continue
        for moment in case.moments[made.commit + 1 : saved.commit]:
            if moment.by in ("", saved.by) or not _found_none(case, moment, saved.change.table, column, target[1]):
                continue
            return sentence(
                "started too early",
                (moment.number,),
                "{B} looked for the {order} of {task} {early} and found none: {A} had committed {task} {made},"
                " and saved the reference only afterwards {late}.",
                A=who(saved.by),
                B=who(moment.by),
                order=case.recording.one(saved.change.table),
                task=("b", case.recording.one(*target)),
                early=at(moment.number),
                made=at(made.commit),
                late=at(saved.commit),
                marks={saved.at: f"too late: {moment.by} had looked in step {moment.number}"},
            )
    return None


def _references_set(case: Case) -> Iterator[tuple[Write, str, tuple[str, Any]]]:
    """Each write that sets a reference, with the column and the referenced row."""
    for writing in case.writes:
        for column, target in case.recording.facts["tables"][writing.change.table].get("refs", {}).items():
            now = (writing.change.now or {}).get(column)
            if now is not None and (writing.change.was or {}).get(column) != now:
                yield writing, column, (target, now)


def _found_none(case: Case, moment: Moment, table: str, column: str, key: Any) -> bool:
    """Whether a step searched for the row that references this key, and found none."""
    came = moment.came
    sql = case.sql(moment.number)
    asked = re.search(rf"\b{re.escape(column)}\W+{re.escape(str(key))}\b", sql.partition("WHERE")[2])
    return bool(asked) and case.table(moment.number) == table and (came.get("rows") == [] or came.get("changed") == 0)


def stale_holder(case: Case) -> Why | None:
    """An actor takes a row, others take it over, and the first one still writes to it."""
    for late in reversed(case.writes):
        mine = [w for w in case.writes if w.by == late.by and w.at < late.at and w.row == late.row]
        if not mine or not late.change.columns or late.commit is None:
            continue
        between = [w for w in case.before(late.at, but=late.by) if w.row == late.row and (w.commit or 0) > mine[-1].at]
        read_again = any(m.by == late.by and m.kind == "read" for m in case.moments[mine[-1].at + 1 : late.at])
        took_over = any("status" in w.change.columns for w in between) and "status" in mine[-1].change.columns
        if read_again or not took_over:
            continue
        return sentence(
            "stale holder",
            (mine[-1].at,),
            "{A} took {row} {taken}; then {between}, and {A} still wrote to it {late}.",
            A=who(late.by),
            row=case.row(late.change),
            taken=at(mine[-1].at),
            between=_changed_hands(between),
            late=at(late.at),
            marks={late.at: f"too late: {between[-1].by} had changed it in step {between[-1].at}"},
        )
    return None


def _changed_hands(between: Sequence[Write]) -> list[Part]:
    found: list[Part] = []
    for place, writing in enumerate(between):
        status = shown((writing.change.now or {}).get("status"))
        found += [", " if place else "", who(writing.by), " set it to ", ("b", status), " ", *at(writing.at)]
    return found


def same_answer(case: Case) -> Why | None:
    """Two actors act on the same answer, which the first commit made out of date for the second."""
    for one, other in case.overlapping():
        if case.sql(one.read) != case.sql(other.read) or case.answer(one.read) != case.answer(other.read):
            continue
        if not _on_the_same(case.acts(one), case.acts(other)):
            continue
        verbs = {verb(case.sql(t.act or 0)) for t in (one, other)}
        return sentence(
            "same answer",
            (one.read, other.read),
            "{A} and {B} both read {answer} {reads} before either {write} was committed {commits}.",
            A=who(one.by),
            B=who(other.by),
            answer=case.answered(one.read),
            reads=at(one.read, other.read),
            write=verbs.pop() if len(verbs) == 1 else "write",
            commits=at(*sorted((commit(one), commit(other)))),
        )
    return None


def _on_the_same(one: Sequence[Write], other: Sequence[Write]) -> bool:
    """Whether two writes conflict: they change the same row, or add rows to the same table."""
    added = [{w.change.table for w in writes if w.change.was is None} for writes in (one, other)]
    return bool({w.row for w in one} & {w.row for w in other} or added[0] & added[1])


def write_skew(case: Case) -> Why | None:
    """Two actors read the same table and then change different rows of it: neither sees the other's change."""
    for one, other in case.overlapping():
        changed = [*case.acts(one), *case.acts(other)]
        tables = {case.table(one.read), case.table(other.read), *(w.change.table for w in changed)}
        if (
            len(tables) > 1
            or any(not w.change.columns for w in changed)
            or _on_the_same(case.acts(one), case.acts(other))
        ):
            continue
        both = "{A} and {B} both read {first} {reads}"
        each = "{A} read {first} {one} and {B} read {second} {other}"
        return sentence(
            "write skew",
            (one.read, other.read),
            (both if case.answer(one.read) == case.answer(other.read) else each)
            + "; then {A} changed {row} {act} and {B} changed {row2} {act2}. Neither saw the other’s change.",
            A=who(one.by),
            B=who(other.by),
            first=case.answered(one.read),
            second=case.answered(other.read),
            reads=at(one.read, other.read),
            one=at(one.read),
            other=at(other.read),
            row=case.row(case.acts(one)[0].change),
            act=at(one.act or 0),
            row2=case.row(case.acts(other)[0].change),
            act2=at(other.act or 0),
        )
    return None


def lost_update(case: Case) -> Why | None:
    """An actor overwrites what another one committed after the first had read."""
    for dependency in case.dependencies:
        for mine in case.acts(dependency):
            if (found := _overwritten(case, dependency, mine)) is None:
                continue
            theirs, column = found
            late = (mine.change.now or {}).get(column)
            put_back = case.read_in(dependency.read, column) == [late]  # by an UPDATE of columns that it did not change
            return sentence(
                "lost update, put back" if put_back else "lost update",
                (dependency.read,),
                "{A} read {answer} {read}; then {B} committed {column} = {value} {commit}."
                " {A} still wrote {column} = {late} {act}: {B}’s change is lost.",
                A=who(dependency.by),
                B=who(theirs.by),
                answer=case.answered(dependency.read, column),
                read=at(dependency.read),
                column=("code", column),
                value=("b", shown((theirs.change.now or {})[column])),
                commit=at(theirs.commit or 0),
                late=("b", shown(late)),
                act=at(mine.at),
            )
    return None


def _overwritten(case: Case, dependency: Dependency, mine: Write) -> tuple[Write, str] | None:
    """The committed write that a write replaces, and the column; None if it computes from the present value."""
    assigned = assignments(case.sql(mine.at))
    for theirs in reversed(case.before(mine.at, but=mine.by)):
        if theirs.row != mine.row or (theirs.commit or 0) < dependency.read:
            continue
        for column in mine.change.columns:
            now, was = (theirs.change.now or {}).get(column), (mine.change.was or {}).get(column)
            if column in theirs.change.columns and now == was and column not in assigned.get(column, ""):
                return theirs, column
    return None


def stale_read(case: Case) -> Why | None:
    """An actor acts on an outdated answer, as in every schedule that breaks and in none that holds."""
    telling = _telling_reads(case.recording)
    for dependency in case.dependencies:
        if (
            dependency.stale is None
            or dependency.act is None
            or (dependency.by, case.sql(dependency.read)) not in telling
        ):
            continue
        count = sum(run.outcome == "bad" for run in case.recording.runs)
        return sentence(
            "stale read",
            (dependency.read,),
            "{B} read {answer} {read}; then {A} committed{change} {commit}, and {B} still wrote {act}."
            f" So it is in all {count} that break, and in none that holds.",
            B=who(dependency.by),
            answer=case.answered(dependency.read),
            read=at(dependency.read),
            A=who(case.moments[dependency.stale].by),
            change=_committed(case, dependency.stale, case.table(dependency.read)),
            commit=at(dependency.stale),
            act=at(dependency.act),
        )
    return None


def _committed(case: Case, number: int, table: str) -> list[Part]:
    """The latest change of this table that a step has committed."""
    changes = [w.change for w in case.writes if w.commit == number and w.change.table == table and w.change.columns]
    if not changes:
        return []
    column = changes[-1].columns[-1]
    return [" ", ("code", column), " = ", ("b", shown((changes[-1].now or {})[column]))]


@lru_cache(maxsize=4)
def _telling_reads(recording: Recording) -> frozenset[tuple[str, str]]:
    """The reads, by actor and SQL, that are out of date in every schedule that breaks, and in none that holds."""
    if not recording.facts.get("complete", True) or len(recording.runs) < recording.facts["count"]:
        return frozenset()
    found: dict[bool, list[frozenset[tuple[str, str]]]] = {True: [], False: []}
    for run in recording.runs:
        case = Case(recording, run, recording.moments(run.schedule))
        stale = frozenset(
            (t.by, case.sql(t.read)) for t in case.dependencies if t.stale is not None and t.act is not None
        )
        found[run.outcome == "bad"].append(stale)
    if len(found[True]) < 2 or len(found[False]) < 2:
        return frozenset()
    return frozenset.intersection(*found[True]) - frozenset.union(*found[False])


BROKEN: list[Pattern] = [
    second_after_cancel, started_too_early, stale_holder, same_answer, write_skew, lost_update, stale_read,
]  # fmt: skip


def killed(case: Case) -> Why | None:
    """An actor was killed: what it had committed by then, and what the recovery changed."""
    dead = next((m for m in case.moments if m.step.get("dies")), None)
    if dead is None:
        return None
    left = [w for w in case.writes if w.by == dead.by and w.commit is not None and w.commit < dead.number]
    text = "{A} was killed before {sql} {step}"
    rows = list(dict.fromkeys(w.row for w in left))
    if left:
        text += ": {rows} " + ("was" if len(rows) == 1 else "were") + " committed {commits}, the rest never ran."
    else:
        undone = "its open transaction was rolled back" if dead.step.get("undone") else "it had changed nothing"
        text += f": {undone}."
    return sentence(
        "killed",
        tuple(w.at for w in left[-1:]),
        text + "{recovery}",
        A=who(dead.by),
        sql=("code", one_line(case.recording.clauses(dead.step))),
        step=at(dead.number),
        rows=("b", " and ".join(case.recording.one(*row) for row in rows)),
        commits=at(*(w.commit or 0 for w in left)),
        recovery=_recovered(case),
    )


def _recovered(case: Case) -> list[Part]:
    """What the recovery did."""
    name, last = case.recording.facts.get("recover"), case.moments[-1]
    if not name or last.by:
        return []
    changes = case.recording.changes(case.moments, last.number)
    verbs = [("removed", [c for c in changes if c.now is None]), ("added", [c for c in changes if c.was is None]),
             ("changed", [c for c in changes if c.columns])]  # fmt: skip
    done = [f"{word} {', '.join(case.recording.one(c.table, c.key) for c in found)}" for word, found in verbs if found]
    return [" Then ", ("code", name), f" {' and '.join(done) or 'changed nothing'}."]


def holds(case: Case) -> Why | None:
    """Nothing broke: an actor read after the other's commit, and got another answer than in other schedules."""
    for moment in reversed(case.moments):
        if moment.kind != "read":
            continue
        same = (s for s in case.recording.facts["steps"] if s["sql"] == moment.step["sql"])
        about = [w for w in case.before(moment.number, but=moment.by) if w.change.table == case.table(moment.number)]
        if about and len({str(case.answers.of(step)) for step in same}) > 1:
            return sentence(
                "holds",
                (moment.number,),
                "{this}{A} reads only after {B} has committed {commit}, and finds {answer} {read}.",
                this=("b", "This one holds: ") if case.recording.facts.get("broken") else "",
                A=who(moment.by),
                B=who(about[-1].by),
                commit=at(about[-1].commit or 0),
                answer=case.answered(moment.number),
                read=at(moment.number),
            )
    return None
