"""8.1's three bugs once more, as generators over a few variables: which schedules break them, without a database.

Each `yield` is the end of one statement. All schedules up to the longest one are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import Any

Actor = Generator[None, None, Any]


@dataclass
class State:
    """Order 7's reference, and the tasks; `status` and `token` are those of the one task that waits."""

    reference: int | None = None
    tasks: int = 0
    status: str = "pending"
    token: int = 0
    done_by: int | None = None
    reported: list[int] = field(default_factory=list)


def click(state: State) -> Actor:
    seen = state.reference
    yield
    if seen is None:
        state.tasks += 1
        mine = state.tasks
        yield
        state.reference = mine
        yield


def report(state: State) -> Actor:
    running = int(state.status == "running")
    yield
    state.reported.append(running + int(state.status == "pending"))
    yield


def claim(state: State) -> Actor:
    if state.status == "pending":
        state.status, state.token = "running", state.token + 1
    yield


def worker(state: State) -> Actor:
    got = state.status == "pending"
    if got:
        state.status, state.token = "running", state.token + 1
    mine = state.token
    yield
    if got:
        if state.status == "running":
            state.status, state.done_by = "succeeded", mine
        yield


def reclaim(state: State) -> Actor:
    if state.status == "running":
        state.status = "pending"
    yield


Bug = tuple[tuple[Callable[[State], Actor], ...], Callable[[State], bool]]
BUGS: list[Bug] = [
    ((click, click), lambda state: state.tasks != 1),
    ((report, claim), lambda state: state.reported != [1]),
    ((worker, reclaim, claim), lambda state: state.done_by not in (None, state.token)),
]
LONGEST = 6  # statements of a schedule


def _breaks(bug: Bug, schedule: str) -> bool:
    """Whether this is a whole schedule of the bug's actors, and one that breaks it."""
    functions, broken = bug
    state = State()
    actors = dict(zip("ABC", (function(state) for function in functions), strict=False))
    over = object()
    if any(next(actors[letter], over) is over for letter in schedule):
        return False
    return all(next(actor, over) is over for actor in actors.values()) and broken(state)


@cache
def shortest(number: int) -> frozenset[str]:
    """The breaking schedules of one bug with the fewest switches."""
    letters = "ABC"[: len(BUGS[number][0])]
    texts = ("".join(one) for length in range(1, LONGEST + 1) for one in product(letters, repeat=length))
    breaking = [text for text in texts if _breaks(BUGS[number], text)]
    fewest = min(map(_switches, breaking))
    return frozenset(text for text in breaking if _switches(text) == fewest)


def _switches(schedule: str) -> int:
    return sum(one != other for one, other in pairwise(schedule))


def schedules(answer: Callable[[], Any]) -> Iterator[Any]:
    """Whether each of the three schedules is one of those."""
    found = answer()
    yield isinstance(found, tuple | list) and len(found) == len(BUGS)
    yield from (one in shortest(number) for number, one in enumerate(found))
