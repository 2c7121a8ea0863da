"""What SQLite does with two or more check-then-act functions, as a model of a few lines: an outside oracle.

A function is a word. `c` checks whether somebody has acted, and ends if so; `r` reads; `[` is BEGIN IMMEDIATE, `w`
writes, `]` commits; in `( … )` the whole is a deferred transaction, whose first read fixes what it sees.
The last letter makes the act visible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple


@dataclass(frozen=True)
class Actor:
    word: str
    place: int = 0
    deferred: bool = False
    seen: int | None = None  # the version that its read transaction sees
    locks: bool = False
    wrong: bool = False  # died of BUSY

    @property
    def ended(self) -> bool:
        return self.place >= len(self.word)


class Counts(NamedTuple):
    schedules: int = 0
    broken: int = 0
    busy: int = 0


def count(*words: str) -> Counts:
    """How many schedules these functions have, and how they end."""
    return _walk(tuple(Actor(word) for word in words), 0)


@cache
def _walk(actors: tuple[Actor, ...], version: int) -> Counts:
    """`version` counts the acts that are committed."""
    if all(actor.ended for actor in actors):
        return Counts(1, int(version > 1), int(any(actor.wrong for actor in actors)))
    counts = Counts()
    for index, actor in enumerate(actors):
        if actor.ended:
            continue
        others_lock = any(other.locks for other in actors if other is not actor)
        after = _step(actor, others_lock, version)
        if after is not None:
            acted = after.ended and not after.wrong and actor.word[actor.place] in "w]"
            rest = _walk((*actors[:index], after, *actors[index + 1 :]), version + acted)
            counts = Counts(*map(sum, zip(counts, rest, strict=True)))
    return counts


def _step(actor: Actor, others_lock: bool, version: int) -> Actor | None:
    """The actor after its next step; None if it has to wait."""
    if actor.word[actor.place] == "(":  # BEGIN DEFERRED is no step
        actor = replace(actor, place=actor.place + 1, deferred=True)
    letter, after = actor.word[actor.place], replace(actor, place=actor.place + 1)
    end = len(actor.word)
    if letter in "cr":
        seen = version if actor.seen is None else actor.seen
        after = replace(after, seen=seen if actor.deferred else None)
        return replace(after, place=end) if letter == "c" and seen else after
    if letter in "[w" and others_lock:
        return replace(after, place=end, wrong=True) if actor.seen is not None else None
    if letter == "w" and actor.seen is not None and actor.seen != version:
        return replace(after, place=end, wrong=True)  # BUSY_SNAPSHOT
    holds = letter == "[" or (letter == "w" and (actor.locks or _more_of_the_transaction(actor)))
    return replace(after, locks=holds, seen=None if letter == "]" else after.seen)


def _more_of_the_transaction(actor: Actor) -> bool:
    return "]" in actor.word[actor.place :]
