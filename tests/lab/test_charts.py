"""A chart is its picture, its words and its numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from taskref_edu.lab.charts import LOOKS, PAGE, growth

SERIES = {"scan": {100: 900, 1_000: 9_000}, "search <fast>": {100: 30, 1_000: 30}, "also": {100: 30, 1_000: 31}}


def chart(**changes):
    """A small chart."""
    return growth("VM steps", **{"x": "orders", "series": SERIES, "alt": "one & two lines", **changes})


def test_the_picture_can_be_read_aloud_and_names_its_lines() -> None:
    picture = ElementTree.fromstring(chart().svg)
    assert picture.attrib["role"] == "img"
    assert picture.attrib["aria-label"] == "one & two lines"
    words = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {*SERIES, "VM steps", "orders", "1,000"} <= {*words}


def test_text_takes_the_colour_of_the_page() -> None:
    svg = chart().svg
    assert "currentColor" in svg
    assert PAGE not in svg
    used = {colour.upper() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}
    assert used <= {colour.upper() for colour, _, _ in LOOKS}


def test_the_numbers_stand_beneath() -> None:
    assert str(chart()).splitlines()[2].split() == ["scan", "900", "9,000"]
    html = chart()._repr_html_()
    assert html.index("</svg>") < html.index("9,000</td>")
    assert "search &lt;fast&gt;" in html


@pytest.mark.nightly
def test_places_that_a_line_lacks_stay_empty() -> None:
    table = chart(series={"a": {1: 2}, "b": {10: 3}}).table
    assert [list(row.values()) for row in table] == [["a", 2, ""], ["b", "", 3]]


@pytest.mark.parametrize("series", [{}, {"a": {}}, {"a": {1: 0}}, {str(n): {1: 1} for n in range(6)}])
def test_what_cannot_be_drawn_is_refused(series) -> None:
    with pytest.raises(ValueError, match="found"):
        chart(series=series)


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
@pytest.mark.parametrize("colour", [colour for colour, _, _ in LOOKS])
def test_lines_stand_out_in_both_themes(colour: str, background: str) -> None:
    darker, lighter = sorted(map(luminance, (colour, background)))
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
