"""The rows of a result as a small table: aligned text in a terminal, a plain HTML table in a notebook.

A module of its own, because it needs no extra: charts, benchmarks and notebooks show their numbers with it.
Not covered: sorting, scrolling, thousands of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any


class Table(list[dict[str, Any]]):
    """A list of dicts, one for each row, that shows itself; the columns are the keys of all rows, as first met."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__(dict(row) for row in rows)

    @property
    def columns(self) -> list[str]:
        """The columns' headings."""
        return list(dict.fromkeys(key for row in self for key in row))

    def __str__(self) -> str:
        lines = [self.columns, *([_text(row.get(key, "")) for key in self.columns] for row in self)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join(line.rstrip() for line in padded)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(f'<th scope="col" style="text-align:left">{escape(key)}</th>' for key in self.columns)
        rows = "".join(f"<tr>{''.join(_cell(row.get(key, '')) for key in self.columns)}</tr>" for row in self)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f'<td style="text-align:{"right" if number else "left"}">{escape(_text(value))}</td>'


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
