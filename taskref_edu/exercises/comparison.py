"""What a check expected beside what the answer gave: two columns, with the rows that differ marked.

Everything becomes text at once, because a row of the database can no longer be read when the check's session is over.
Mappings are compared key by key, lists aligned, sets without regard to sequence; everything else is one row.

Not covered: schedules and plans, which draw themselves (`CheckFailed.details`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from html import escape
from itertools import zip_longest
from typing import Any
from unicodedata import normalize

from sqlalchemy import inspect

from ..models import SQLModel

ROWS = 12  # shown at most; the rows that differ come before the others
LONGEST = 50  # characters of a cell, so that two fit beside each other in a terminal
BEFORE = 15  # characters shown before the first that differs, where a long text is cut
MANY = 1_000  # values of a list that are compared at all
ABSENT = "–"
MARK = "≠"
TITLES = ("expected", "yours")


@dataclass(frozen=True)
class Row:
    """One pair of cells; label says which value it is, if there are several."""

    label: str
    expected: str
    found: str
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """The rows of both columns. Text in a terminal, a table in a notebook."""

    rows: Sequence[Row]
    left_out: str = ""

    def __str__(self) -> str:
        head = Row("", *TITLES, differs=False)
        lines = [(MARK if row.differs else " ", row.label, row.expected, row.found) for row in (head, *self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(4)]
        shown = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([*(line.rstrip() for line in shown), *([self.left_out] if self.left_out else [])])

    def _repr_html_(self) -> str:
        labelled = any(row.label for row in self.rows)
        head = "".join(f'<th scope="col" style="{CELL}">{title}</th>' for title in TITLES)
        blank = f'<td style="{CELL}"></td>' * (1 + labelled)
        rows = "".join(_row_html(row, labelled) for row in self.rows)
        more = f"<div>{escape(self.left_out)}</div>" if self.left_out else ""
        return f'<table style="{TABLE}"><tr style="{PLAIN}">{blank}{head}</tr>{rows}</table>{more}'


# Jupyter stripes and right-aligns the tables of an output; all colours are translucent, for light and dark themes.
TABLE = "border-collapse:collapse;margin:4px 0;font-size:inherit"
PLAIN = "background:none"
CELL = "text-align:left;vertical-align:top;padding:2px 10px;border:0"
LINED = f"{CELL};border-top:1px solid rgba(128,128,128,.4)"
EXPECTED, YOURS = "rgba(22,101,52,.22)", "rgba(185,28,28,.22)"


def _row_html(row: Row, labelled: bool) -> str:
    mark = f'<span aria-label="differs">{MARK}</span>' if row.differs else ""
    label = f'<th scope="row" style="{LINED};font-weight:normal">{escape(row.label)}</th>' if labelled else ""
    pairs = ((row.expected, EXPECTED), (row.found, YOURS))
    cells = "".join(_cell_html(text, row.differs, colour) for text, colour in pairs)
    return f'<tr style="{PLAIN}"><td style="{LINED};font-weight:bold">{mark}</td>{label}{cells}</tr>'


def _cell_html(text: str, differs: bool, colour: str) -> str:
    marked = f";font-weight:bold;background:{colour}" if differs else ""
    return f'<td style="{LINED}{marked}"><code style="background:none;color:inherit">{escape(text)}</code></td>'


def compare(expected: object, found: object) -> Comparison:
    """Both beside each other, as text; long texts and many rows are cut, with their number."""
    try:
        rows = list(_rows("", expected, found))
    except Exception:  # a dict or a list of the answer's own class may refuse to be read
        rows = [Row("", _text(expected), _unreadable(found), differs=True)]
    if len(rows) <= ROWS:
        return Comparison(rows)
    first = sorted(range(len(rows)), key=lambda number: not rows[number].differs)[:ROWS]
    shown = [rows[number] for number in sorted(first)]
    different = sum(row.differs for row in rows) - sum(row.differs for row in shown)
    more = f"… and {len(rows) - ROWS:,} more rows, {different:,} of them different"
    return Comparison(shown, more)


def _rows(label: str, expected: Any, found: Any) -> Iterator[Row]:
    if (isinstance(expected, Mapping) and found is _Absent) or (isinstance(found, Mapping) and expected is _Absent):
        expected, found = ({} if side is _Absent else side for side in (expected, found))
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in {**expected, **found}:
            name = " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
            yield from _rows(f"{label} {name}".strip(), expected.get(key, _Absent), found.get(key, _Absent))
    elif isinstance(expected, Set) and _is_plain(found):
        yield from _aligned(label, _in_any_sequence(expected, found))
    elif _is_list(expected) and _is_list(found):
        yield from _aligned(label, _in_sequence(list(expected), list(found)))
    else:
        yield _row(label, expected, found)


class _Absent:
    """Stands where one side has no value."""


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_plain(found: object) -> bool:
    return (_is_list(found) or isinstance(found, Set)) and len(found) <= MANY  # type: ignore[arg-type]


def _aligned(label: str, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Row]:
    rows = [_row(label, *pair) for pair in pairs]
    return iter(rows or [Row(label, "nothing", "nothing", False)])


def _in_any_sequence(expected: Set[Any], found: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    counts = Counter(map(_hashable, found))
    for value in _sorted({*expected, *counts}):
        wanted, times = value in expected, counts[value]
        yield (value if wanted else _Absent), (value if times else _Absent)
        yield from [(_Absent, value)] * (times - 1)


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except Exception:
        return _safe_repr(value)
    return value


def _sorted(values: Iterable[Any]) -> list[Any]:
    return sorted(
        values, key=lambda value: (not isinstance(value, int), value if isinstance(value, int) else str(value))
    )


def _in_sequence(expected: list[Any], found: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of both lists; where one has a value more, the other has none."""
    texts = [_text(value) for value in expected[:MANY]], [_text(value) for value in found[:MANY]]
    for _, start, end, other_start, other_end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        yield from zip_longest(expected[start:end], found[other_start:other_end], fillvalue=_Absent)


def _row(label: str, expected: Any, found: Any) -> Row:
    left, right = _text(expected), _text(found)
    try:
        differs = bool(expected != found)
    except Exception:  # whatever the answer returned may refuse to be compared
        differs = True
    if differs and normalize("NFKC", left) == normalize("NFKC", right):  # 11 and "11"; ï as one character and as two
        left, right = _spelt(expected), _spelt(found)
    start = _first_difference(left, right)
    return Row(label, _cut(left, start), _cut(right, start), differs)


def _text(value: object) -> str:
    if value is _Absent:
        return ABSENT
    if isinstance(value, str):
        text = str(value)  # an enum's value, too
        return text if text.strip() == text and text.isprintable() and text else repr(text)
    if isinstance(value, date):  # and a datetime
        return str(value)
    if isinstance(value, SQLModel) and (name := _row_name(value)):
        return name
    return _safe_repr(value)


def _row_name(value: SQLModel) -> str:
    """`order 7`, `task 3`; also for a row whose session is over. Empty for one that was never stored."""
    state = inspect(value, raiseerr=False)
    return f"{type(value).__name__.lower()} {state.identity[0]}" if state is not None and state.identity else ""


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return _unreadable(value)


def _spelt(value: object) -> str:
    text = _safe_repr(value)
    return text if text.isascii() else ascii(text)[1:-1]


def _unreadable(value: object) -> str:
    return f"a {type(value).__name__}, which cannot be shown"


def _first_difference(one: str, other: str) -> int:
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)


def _cut(text: str, difference: int) -> str:
    """At most LONGEST characters, from shortly before the first difference, and how many there are in all."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= LONGEST:
        return text
    start = max(0, difference - BEFORE) if difference > LONGEST - BEFORE else 0
    end = f"… ({len(text):,} characters)"
    piece = text[start : start + LONGEST - len(end) - 1]
    return f"{'…' if start else ''}{piece}{end}"
