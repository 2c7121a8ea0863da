"""All schedules of an exploration as one graph: a state for each situation, an edge for each step.

A schedule is a path from state 0 to a state without edges. Schedules that pass through the same situation share its
state, so millions of them fit into a few hundred states; counts are sums over paths. If every schedule is run for real,
the graph is a tree. Children always come after their parents in `states`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, overload

from ..player.recording import DEATHS

Which = Literal["all", "broken", "erring"]
Key = tuple[int, int, str]  # of a schedule: its switches, its length, itself
LISTED = 20  # schedules that the repr of a long list shows


class State:
    """A situation. At the end of a schedule: what is broken, and the actors' errors, in words.

    all, broken, erring, sound: how many schedules continue from here, by how they end.
    unexplored: continuations that were not tried, because a bound was reached.
    """

    __slots__ = ("all", "broken", "edges", "erring", "errors", "failed", "problems", "sound", "unexplored")

    def __init__(self) -> None:
        self.edges: dict[str, int] = {}  # by letter, in alphabetical order
        self.problems: tuple[str, ...] = ()
        self.errors: tuple[str, ...] = ()
        self.failed: frozenset[str] = frozenset()  # the letters of the actors with an error
        self.all = self.broken = self.erring = self.sound = self.unexplored = 0

    def end(self, problems: tuple[str, ...], errors: Mapping[str, str]) -> None:
        """A schedule ends here. errors: by letter, in words."""
        self.problems, self.failed = problems, frozenset(errors)
        self.errors = tuple(f"{letter}: {text}" for letter, text in errors.items())
        self.all, self.broken, self.erring = 1, int(bool(problems)), int(bool(errors))
        self.sound = int(not problems and not errors)


class Graph:
    """The states, the start first. deaths: where the crashing actor can die, with the number and SQL of its step."""

    def __init__(self) -> None:
        self.start = State()
        self.states = [self.start]
        self.deaths: dict[int, tuple[int, str]] = {}

    def add(self, schedule: str, problems: tuple[str, ...], errors: Mapping[str, str]) -> list[int]:
        """Add one schedule that was run, as a branch of a tree; the states on its path."""
        path = [0]
        for letter in schedule:
            edges = self.states[path[-1]].edges
            if letter not in edges:
                edges[letter] = len(self.states)
                self.states.append(State())
            path.append(edges[letter])
        self.states[path[-1]].end(problems, errors)
        return path

    def count_paths(self) -> None:
        """Sum up the schedules of each state that is not an end. Call it after all were added."""
        for state in reversed(self.states):
            if state.edges:
                state.edges = dict(sorted(state.edges.items()))
                below = [self.states[child] for child in state.edges.values()]
                state.all = sum(child.all for child in below)
                state.broken = sum(child.broken for child in below)
                state.erring = sum(child.erring for child in below)
                state.sound = sum(child.sound for child in below)

    def walk(self, schedule: str) -> list[int]:
        """The states that a schedule passes through, the start included. Raises KeyError if there is no such path."""
        path = [0]
        for letter in schedule:
            path.append(self.states[path[-1]].edges[letter])
        return path

    def paths_to(self) -> list[int]:
        """By state: in how many ways it can be reached."""
        ways = [1] + [0] * (len(self.states) - 1)
        for number, state in enumerate(self.states):
            for child in state.edges.values():
                ways[child] += ways[number]
        return ways

    @property
    def left(self) -> int:
        """How many schedules, at least, were not explored."""
        if not any(state.unexplored for state in self.states):
            return 0
        return sum(ways * state.unexplored for ways, state in zip(self.paths_to(), self.states, strict=True))

    def texts(self) -> tuple[Counter[str], Counter[str]]:
        """In how many schedules each problem occurs, and each error."""
        problems, errors = Counter[str](), Counter[str]()
        for ways, state in zip(self.paths_to(), self.states, strict=True):
            if state.all and not state.edges:
                problems.update(dict.fromkeys(state.problems, ways))
                errors.update(dict.fromkeys(state.errors, ways))
        return problems, errors

    def always_failing(self) -> set[str]:
        """The actors that end with an error in every schedule."""
        ends = [state.failed for state in self.states if state.all and not state.edges]
        return set(frozenset.intersection(*ends)) if ends else set()

    def letters(self) -> set[str]:
        """The actors that make at least one step."""
        return {letter for state in self.states for letter in state.edges}

    def easiest(self, which: Which = "all") -> dict[int, Key]:
        """By end, the schedule with the fewest switches; of these the shortest, then the first in the alphabet.

        A death is the dying actor's own step, and no switch.
        """
        best: list[dict[str, Key]] = [{} for _ in self.states]  # by state and by the actor that came last
        best[0][""] = (0, 0, "")
        ends: dict[int, Key] = {}
        for number, state in enumerate(self.states):
            ways, best[number] = best[number], {}
            if not state.edges and ways:
                ends[number] = min(ways.values())
            for letter, child in state.edges.items():
                if not getattr(self.states[child], which):
                    continue
                for last, (switches, length, done) in ways.items():
                    actor = last if letter in DEATHS else letter.upper()
                    key = (switches + (last not in ("", actor)), length + 1, done + letter)
                    best[child][actor] = min(key, best[child].get(actor, key))
        return ends

    def shortest(self) -> str | None:
        """The breaking schedule with the fewest switches; None if none breaks."""
        return min(self.easiest("broken").values())[2] if self.start.broken else None


class Schedules(Sequence[str]):
    """Schedules of a graph in alphabetical order, computed on demand: there may be billions."""

    def __init__(self, graph: Graph, which: Which = "all") -> None:
        self._graph = graph
        self._which = which

    def _in(self, number: int) -> int:
        return getattr(self._graph.states[number], self._which)

    def __len__(self) -> int:
        return self._in(0)

    def __iter__(self) -> Iterator[str]:
        stack = [(0, "")] if self._in(0) else []
        while stack:
            number, done = stack.pop()
            edges = self._graph.states[number].edges
            if not edges:
                yield done
            stack += [(child, done + letter) for letter, child in reversed(edges.items()) if self._in(child)]

    def __contains__(self, schedule: object) -> bool:
        try:
            end = self._graph.walk(schedule)[-1] if isinstance(schedule, str) else 0
        except KeyError:
            return False
        return not self._graph.states[end].edges and bool(self._in(end))

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        left = place + len(self) if place < 0 else place
        if not 0 <= left < len(self):
            raise IndexError(f"schedule {place} asked for, there are {len(self):,}")
        number, done = 0, ""
        while edges := self._graph.states[number].edges:
            for letter, child in edges.items():
                if left < self._in(child):
                    number, done = child, done + letter
                    break
                left -= self._in(child)
        return done

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self) <= LISTED:
            return repr(list(self))
        return f"[{', '.join(map(repr, self[:LISTED]))}, … {len(self):,} in all]"


class Texts(Mapping[str, tuple[str, ...]]):
    """What is broken after a schedule, or its actors' errors, by schedule; only schedules that have some."""

    def __init__(self, graph: Graph, of: Literal["problems", "errors"]) -> None:
        self._graph = graph
        self._of = of
        self._schedules = Schedules(graph, "broken" if of == "problems" else "erring")

    def __getitem__(self, schedule: str) -> tuple[str, ...]:
        if schedule not in self._schedules:
            raise KeyError(schedule)
        return getattr(self._graph.states[self._graph.walk(schedule)[-1]], self._of)

    def __iter__(self) -> Iterator[str]:
        return iter(self._schedules)

    def __len__(self) -> int:
        return len(self._schedules)

    def __repr__(self) -> str:
        shown = ", ".join(f"{schedule!r}: {self[schedule]!r}" for schedule in self._schedules[:LISTED])
        return f"{{{shown}{f', … {len(self):,} in all' if len(self) > LISTED else ''}}}"
