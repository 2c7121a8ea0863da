"""Measuring on a machine that others use, too: contestants take turns, and only ratios within a round count."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

Figures = Mapping[str, float]  # what one run of a contestant measured: tasks a second, milliseconds
Contestant = Callable[[Path], Figures]
WIDTH = 24


@dataclass
class Results:
    """What each contestant measured in each round: `of(name, what)` is a list with an entry for each round."""

    rounds: list[dict[str, Figures]] = field(default_factory=list)

    def of(self, name: str, what: str) -> list[float]:
        return [found[name][what] for found in self.rounds]

    def ratios(self, name: str, yardstick: str, what: str) -> list[float]:
        """How many times the yardstick's figure, round by round."""
        return [mine / other for mine, other in zip(self.of(name, what), self.of(yardstick, what), strict=True)]


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, and their quartiles."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        low, middle, high = quantiles(values, n=4) if len(values) > 2 else (min(values), median(values), max(values))
        return cls(middle, low, high)

    def __str__(self) -> str:
        return f"{short(self.middle)} ({short(self.low)}–{short(self.high)})"


def short(value: float) -> str:
    """The number with about three digits, never as a power of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def interleave(title: str, contestants: Mapping[str, Contestant], rounds: int) -> Results:
    """Run all contestants `rounds` times, in an order that turns, each time in a fresh folder."""
    results, names = Results(), list(contestants)
    progress = Progress(title, rounds * len(names))
    for number in range(rounds):
        found: dict[str, Figures] = {}
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            progress.step(name)
            with fresh_folder() as folder:
                found[name] = contestants[name](folder)
        results.rounds.append(found)
    progress.end()
    return results


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """A new empty folder, removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="taskref-bench-") as folder:
        yield Path(folder)


class Progress:
    """A bar on standard error; nothing where that is no terminal but the title, once."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, max(total, 1), 0
        self._shown = sys.stderr.isatty()
        if not self._shown:
            print(f"{title} …", file=sys.stderr, flush=True)

    def step(self, name: str) -> None:
        filled = WIDTH * self._done // self._total
        if self._shown:
            bar = "█" * filled + "·" * (WIDTH - filled)
            print(f"\r\x1b[K{bar} {self._title}: {name}", end="", file=sys.stderr, flush=True)
        self._done += 1

    def end(self) -> None:
        if self._shown:
            print(f"\r\x1b[K{'█' * WIDTH} {self._title}", file=sys.stderr, flush=True)


@dataclass
class Table:
    """A table of the report: the same on the terminal and in Markdown."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def __str__(self) -> str:
        lines = [[str(cell) for cell in row] for row in (self.heads, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
        return "\n".join(filter(None, [self.title, body, self.note]))

    def markdown(self) -> str:
        lines = [_line(self.heads), _line(["---"] * len(self.heads)), *map(_line, self.rows)]
        return "\n\n".join(filter(None, [f"## {self.title}", self.note, "\n".join(lines)]))


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
