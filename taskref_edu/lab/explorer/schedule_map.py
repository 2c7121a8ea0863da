"""A map of an exploration: one cell for each schedule, told apart by shape, word and colour."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from html import escape

CELLS = 1_000  # as many as are drawn


class Mark(Enum):
    """What became of a schedule."""

    HOLDS = "holds"
    ERROR = "holds, but an actor got an error"
    BROKEN = "breaks"


# A shape, and a background that white text has a contrast of at least 4.5:1 on.
_LOOKS = {Mark.HOLDS: ("●", "#1b6e3c"), Mark.ERROR: ("▲", "#8a5300"), Mark.BROKEN: ("✕", "#a3161a")}


class ScheduleMap:
    """The marks of the first CELLS schedules, and how many there are of each."""

    def __init__(self) -> None:
        self.counts: Counter[Mark] = Counter()
        self.cells: list[tuple[str, Mark]] = []

    @staticmethod
    def most() -> int:
        """How many cells are drawn."""
        return CELLS

    def __repr__(self) -> str:
        return ", ".join(f"{self.counts[mark]:,} {mark.value}" for mark in Mark)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_html(self) -> str:
        """A legend with the counts, then the cells in alphabetical order of the schedules."""
        legend = " ".join(f"{_cell(mark.value, mark)} {escape(mark.value)}: {self.counts[mark]:,};" for mark in Mark)
        cells = "".join(_cell(f"{schedule}: {mark.value}", mark) for schedule, mark in self.cells)
        missing = self.counts.total() - len(self.cells)
        more = f"<p>The map shows the first {len(self.cells):,}; {missing:,} more were run.</p>" if missing else ""
        label = f"Map of the schedules: {escape(repr(self))}"
        box = f"<div role='img' aria-label='{label}' style='line-height:1.3;max-width:60em'>"
        return f"<p>{legend}</p>{box}{cells}</div>{more}"


def _cell(title: str, mark: Mark) -> str:
    shape, colour = _LOOKS[mark]
    style = (
        f"display:inline-block;width:1.3em;text-align:center;margin:1px;color:#ffffff;background:{colour};"
        "font-family:sans-serif"
    )
    return f"<span title='{escape(title, quote=True)}' style='{style}'>{shape}</span>"
