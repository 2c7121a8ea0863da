"""How a cost grows: a chart with logarithmic axes, and its numbers in a table below.

    growth("VM steps for one list", x="orders", series={"classic": {100: 1_967, 1_000: 7_367}}, alt="…")

The chart is SVG inside HTML. Its text and axes take the page's colour, so it is readable in light and dark themes. Each
line is labelled at its end, with its own marker and a colour that colour-blind readers can distinguish.

Not covered: more than five lines, other kinds of charts. Matplotlib is imported only when a chart is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from io import StringIO
from typing import Any

from .tables import Table

# Based on Okabe and Ito's colours; each has a contrast of at least 3:1 on white and on JupyterLab's dark background.
LOOKS = [
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-"),
    ("#A05EB5", "D", "--"),
    ("#808080", "v", ":"),
]
PAGE = "#010203"  # a placeholder for the page's colour while matplotlib draws
WIDTH, HEIGHT = 8.2, 4.0  # inches; the page scales it
APART = 0.065  # the smallest distance of two labels, as a part of the axis's height

Series = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Chart:
    """A drawn chart; prints as its table."""

    title: str
    x: str
    series: Series = field(repr=False)
    svg: str = field(repr=False)

    @property
    def table(self) -> Table:
        """The numbers: a row for each line, a column for each x."""
        places = sorted({place for points in self.series.values() for place in points})
        return Table(
            {self.x: name, **{f"{place:,}": _number(points.get(place)) for place in places}}
            for name, points in self.series.items()
        )

    def __str__(self) -> str:
        return f"{self.title}\n{self.table}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"{self.svg}<p>{escape(self.title)}, as numbers:</p>{self.table._repr_html_()}"


def growth(title: str, *, x: str, series: Series, alt: str) -> Chart:
    """Draw how each series grows with x. alt: a description for readers who cannot see the chart."""
    if not 1 <= len(series) <= len(LOOKS):
        raise ValueError(f"{len(series)} series found, 1 to {len(LOOKS)} expected")
    if any(not points or min(*points, *points.values()) <= 0 for points in series.values()):
        raise ValueError("a series that is empty or not positive found: the axes are logarithmic")
    return Chart(title, x, series, _svg(title, x, series, alt))


def _number(value: float | None) -> Any:
    return "" if value is None else round(value)


def _svg(title: str, x: str, series: Series, alt: str) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Text stays text in the SVG. Ids start with the title, so that two charts on a page do not share clips and markers.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif", "font.size": 11}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, series)
        axes.set(xscale="log", yscale="log")
        axes.set_title(title, loc="left", color=PAGE)
        axes.set_xlabel(x, color=PAGE)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        axes.tick_params(colors=PAGE, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(PAGE)
        axes.grid(color=PAGE, alpha=0.15)
        _name_lines(axes, series)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True)
    return _for_the_page(out.getvalue(), alt)


def _draw(axes: Any, series: Series) -> None:
    for points, (colour, marker, line) in zip(series.values(), LOOKS, strict=False):
        places = sorted(points)
        axes.plot(places, [points[p] for p in places], color=colour, marker=marker, linestyle=line, linewidth=2)


def _name_lines(axes: Any, series: Series) -> None:
    """Write each name at its line's end, moved up if it would overlap another."""
    height = -1.0
    for end, name, place in sorted(_ends(axes, series)):
        height = max(end, height + APART)
        axes.annotate(
            name,
            (place, height),
            xycoords=("data", "axes fraction"),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=PAGE,
            annotation_clip=False,
        )


def _ends(axes: Any, series: Series) -> Iterator[tuple[float, str, int]]:
    """For each line: the height of its end as a part of the axis's height, its name, and its last x."""
    for name, points in series.items():
        place = max(points)
        display = axes.transData.transform((place, points[place]))
        yield float(axes.transAxes.inverted().transform(display)[1]), name, place


def _for_the_page(svg: str, alt: str) -> str:
    """The SVG for use inside a page: scaled to its width, in its colours, with the description for screen readers."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]+"', svg)
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"'
        f' aria-label="{escape(alt, quote=True)}" {box[0] if box else ""} width="{WIDTH * 90:.0f}"'
        ' style="max-width:100%;height:auto;color:inherit">'
    )
    return opening + svg[svg.index(">") + 1 :].replace(PAGE, "currentColor")
