"""The shapes of a still: text in pieces, rectangles, arrows. Their CSS classes are in `still.css`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from textwrap import wrap

from .layout import Piece

BULGE = 24  # how far to the left an arrow bends between two tables of which one is above the other
Place = tuple[float, float, float]  # of a row: left, right, the middle of its height


def sheet(width: float, height: float, label: str, shapes: Sequence[str]) -> str:
    """The shapes on a background, as an SVG document."""
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="rp-still" {size} role="img" aria-label="{escape(label)}">'
    paper = rect("sheet", 0.5, 0.5, width - 1, height - 1, 10)
    return f"{head}<style>{_style()}</style>{paper}{''.join(shapes)}</svg>\n"


def text(x: float, y: float, pieces: Sequence[Piece], style: str = "", *, anchor: str = "") -> str:
    """A line of text in pieces, each with its own style."""
    spans = "".join(
        f'<tspan class="{kind}">{escape(piece)}</tspan>' if kind else escape(piece) for piece, kind in pieces
    )
    more = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{more} xml:space="preserve">{spans}</text>'


def rect(style: str, x: float, y: float, width: float, height: float, radius: float, more: str = "") -> str:
    """A rectangle; `more` are further attributes."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}"'
    return f'<rect class="{style}" {place}{more and " "}{more}/>'


def line(style: str, path: str, *, width: float = 2, dash: str = "") -> str:
    """A path that is drawn, not filled."""
    more = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path class="{style}" fill="none" stroke-width="{width}"{more} d="{path}"/>'


def arrow(one: Place | None, other: Place | None, *, gone: bool = False) -> list[str]:
    """From a row to the row that it references; crossed out if the reference is gone."""
    if one is None or other is None:
        return []
    if other[0] > one[1]:
        begin, tip_at, way = one[1], other[0] - 1, 1
    elif other[1] < one[0]:
        begin, tip_at, way = one[0], other[1] + 1, -1
    else:  # one above the other
        begin, tip_at, way = one[0], other[0] - 1, 1
    bend = (begin + tip_at) / 2 if begin != one[0] or way < 0 else min(begin, tip_at) - BULGE
    start, end = one[2] + (3 if gone else -3), other[2]
    curve = f"M{begin:.1f} {start:.1f}C{bend:.1f} {start:.1f} {bend:.1f} {end:.1f} {tip_at - 6 * way:.1f} {end:.1f}"
    tip = f'<path class="{"bad" if gone else "quiet"}" d="M{tip_at:.1f} {end:.1f}l{-9 * way} -5v10z"/>'
    if not gone:
        return [line("arrow", curve, width=1.8), tip]
    cross = f"M{(begin + 6 * bend + tip_at) / 8 - 5:.1f} {(start + end) / 2 - 5:.1f}l10 10m0 -10l-10 10"
    return [line("gone", curve, width=1.8, dash="3 4"), tip, line("gone", cross, width=2.4)]


def broken(said: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters, broken between words only."""
    return wrap(said, width, break_long_words=False, break_on_hyphens=False)


def head_lines(column: str) -> list[str]:
    """A column's name, broken at its underscores."""
    lines = [""]
    for part in column.replace("_", "_ ").split():
        if lines[-1] and len(lines[-1]) + len(part) > 11:
            lines.append("")
        lines[-1] += part
    return lines


@lru_cache(maxsize=1)
def _style() -> str:
    return " ".join(Path(__file__).with_name("still.css").read_text(encoding="utf-8").split())
