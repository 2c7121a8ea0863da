"""Why an actor got an error although nothing broke: patterns of `why.py` for statements that the database refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .case import Case, Part, Why, Write, at, sentence, who
from .recording import Moment
from .short_sql import verb

# The pattern of a write that was refused because its actor's read is out of date, by the database's name of the error.
OUTDATED = {
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "UniqueViolation": "unique",
    "SerializationFailure": "serialization",
}


@dataclass(frozen=True)
class Refused:
    """The statement that the database refused. name: the database's name of the error.

    again: whether the same actor fails each time; in a deadlock the server may end another one.
    """

    moment: Moment
    name: str
    again: bool

    @property
    def by(self) -> str:
        return self.moment.by

    @property
    def fails(self) -> Part:
        return ("b", f"Nothing breaks, but {self.by if self.again else 'one of them'} fails.")


def refused(case: Case) -> Why | None:
    """An actor got an error: a deadlock, or its read was out of date or blocked its later write."""
    found = _refusal(case)
    if found is None:
        return None
    patterns: list[Callable[[Case, Refused], Why | None]] = [deadlock, *([snapshot, busy, out_of_date] * found.again)]
    return next((why for pattern in patterns if (why := pattern(case, found))), None)


def _refusal(case: Case) -> Refused | None:
    for moment in case.moments[1:]:
        step = moment.step
        if "error" in step or "ends" in step:
            refused = moment if "error" in step else _refused_before(case, moment)
            return Refused(refused, step.get("error_name", ""), _fails_again(case, moment))
    return None


def _fails_again(case: Case, moment: Moment) -> bool:
    """Whether the actor that was refused here also failed when the schedule was explored."""
    return any(text.startswith(f"{moment.by}: ") for text in case.run.errors)


def _refused_before(case: Case, end: Moment) -> Moment:
    """The statement whose refusal ended an actor: after it, a server accepts only ROLLBACK."""
    earlier = [m for m in case.moments[1 : end.number] if m.by == end.by]
    return earlier[-1] if end.kind == "rollback" and earlier else end


def deadlock(case: Case, refusal: Refused) -> Why | None:
    """Each actor waits for a lock of the other, and the server ends one."""
    if refusal.name != "DeadlockDetected":
        return None
    waiting = next((found for m in reversed(case.moments) if (found := _circle(case, m, refusal.by))), None)
    if waiting is None:
        return None
    clauses: list[Part] = []
    for place, (letter, holder, number) in enumerate(waiting):
        lead = "" if place == 0 else " and " if place == len(waiting) - 1 else ", "
        verb_ = " waited for " if place == 0 else " for "
        clauses += [lead, who(letter), verb_, who(holder), "’s lock " if place == 0 else "’s ", *at(number)]
    template = "{waits}: a deadlock, and the database ended {A}. {fails}"
    ended = who(refusal.by) if refusal.again else "one of them"
    return sentence("deadlock", (), template, waits=clauses, A=ended, fails=refusal.fails)


def _circle(case: Case, moment: Moment, first: str) -> list[tuple[str, str, int]] | None:
    """The cycle of waiting actors: each with the holder and the waiting step; None if there is none at this moment."""
    waits, found, letter = moment.state.get("waits", {}), [], first
    while letter not in [one for one, _, _ in found]:
        if letter not in waits or len(holder := waits[letter][0]) != 1:
            return None
        steps = [m.number for m in case.moments[1 : moment.number + 1] if m.by == letter]
        found.append((letter, holder, steps[-1]))
        letter = holder
    return found if letter == first else None


def snapshot(case: Case, refusal: Refused) -> Why | None:
    """SQLite: another actor has committed since the transaction read."""
    if refusal.name != "SQLITE_BUSY_SNAPSHOT" or (read := _last_read(case, refusal)) is None:
        return None
    last = _committed_since(case, refusal, read)
    reason = f"what {refusal.by} has read is out of date, and SQLite refuses its write"
    return last and _outdated(case, refusal, read, last, reason)


def out_of_date(case: Case, refusal: Refused) -> Why | None:
    """A constraint or a server's isolation level refuses a write that relies on an outdated read."""
    pattern = OUTDATED.get(refusal.name)
    read = _last_read(case, refusal) if pattern else None
    last = _committed_since(case, refusal, read) if read is not None else None
    if pattern is None or read is None or last is None or not _was_outdated(case, refusal, read):
        return None
    what = verb(case.sql(refusal.moment.number))
    outcome = f"what {refusal.by} has read is out of date, and its {what} is refused"
    return _outdated(case, refusal, read, last, outcome, pattern)


def _outdated(case: Case, refusal: Refused, read: int, last: Write, reason: str, pattern: str = "refused") -> Why:
    return sentence(
        pattern,
        (read,),
        f"{{A}} read {{answer}} {{read}}; then {{B}} committed {{commit}}: {reason}{{refused}}. {{fails}}",
        A=who(refusal.by),
        answer=case.answered(read),
        read=at(read),
        B=who(last.by),
        commit=at(last.commit or 0),
        refused=[] if pattern == "refused" else [" ", *at(refusal.moment.number)],
        fails=refusal.fails,
    )


def busy(case: Case, refusal: Refused) -> Why | None:
    """SQLite: another actor is writing."""
    read, writer = _last_read(case, refusal), _writer_before(case, refusal.moment)
    if refusal.name != "SQLITE_BUSY" or read is None or writer is None:
        return None
    return sentence(
        "refused",
        (read,),
        "{A} has read {read} and wants to write while {B} is writing {wrote}: a transaction that has read may not wait"
        " for a lock, so SQLite refuses it. {fails}",
        A=who(refusal.by),
        read=at(read),
        B=who(writer.by),
        wrote=at(writer.number),
        fails=refusal.fails,
    )


def _last_read(case: Case, refusal: Refused) -> int | None:
    reads = [m.number for m in case.moments[: refusal.moment.number] if m.by == refusal.by and m.kind == "read"]
    return reads[-1] if reads else None


def _committed_since(case: Case, refusal: Refused, read: int) -> Write | None:
    """The last write that others have committed since this read, before the error was returned."""
    told = next((m.number for m in case.moments if m.by == refusal.by and m.step.get("ends")), 0)
    end = max(told, refusal.moment.number)
    since = [w for w in case.before(end, but=refusal.by) if (w.commit or 0) > read]
    return since[-1] if since else None


def _was_outdated(case: Case, refusal: Refused, read: int) -> bool:
    later: Sequence[Moment] = case.moments[read + 1 :]
    return any(case.recording.now(m, case.moments[read]) for m in later if refusal.by not in m.state.get("ended", ""))


def _writer_before(case: Case, failed: Moment) -> Moment | None:
    """The step by which another actor, whose transaction is still open, took the write lock."""
    for moment in reversed(case.moments[1 : failed.number]):
        if moment.by != failed.by and moment.kind in ("write", "begin"):
            ended = case.recording.commit_of(case.moments, moment.number)
            return moment if ended is None or ended > failed.number else None
    return None
