"""Everything in the player can be read, at every step: no text is cut, overlaps another or is too pale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.lab.player.scenarios import SCENARIOS, recorded

from .lab import new_page
from .player_page import NAME, PLAYER, complaints, element, play, show

WIDTHS = (600, 640, 760, 860, 960, 1120, 1240, 1400)
THEMES = ("light", "dark")
SAMPLE = [
    "race",
    "crowd",
    "crash_two",
]  # two actors; long values in many rows and tables; a crash beside a second actor


@pytest.fixture(scope="module")
def canvas(chromium: Browser) -> Iterator[Page]:
    """A page that is high enough for all of a player, which every test fills anew."""
    with new_page(chromium, reduced_motion="reduce", viewport={"width": 1460, "height": 3000}) as one:
        yield one


@pytest.mark.parametrize("name", SAMPLE)
def test_every_step(canvas: Page, name: str) -> None:
    show(canvas, element(recorded(name)))
    assert complaints(canvas, contrast=False, widths=(600, 885, 1400)) == []


def test_contrast(canvas: Page) -> None:
    show(canvas, element(recorded("crash_two")))
    assert complaints(canvas, contrast=True, widths=(885,), themes=THEMES) == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_step_at_eight_widths_in_two_themes(canvas: Page, name: str) -> None:
    """Of the schedule that is shown first, and of the last one, which ends otherwise if any does."""
    recording = recorded(name)
    show(canvas, element(recording))
    found = {}
    for schedule in dict.fromkeys((recording.opened, recording.runs[-1].schedule)):
        canvas.evaluate(f"schedule => {PLAYER}.watch({PLAYER}.rec.run(schedule))", schedule)
        found[schedule] = complaints(canvas, contrast=True, widths=WIDTHS, themes=THEMES)
    assert {at: said for at, said in found.items() if said} == {}


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_the_systems_colours(chromium: Browser, palette: Literal["light", "dark"]) -> None:
    """With a contrast theme of the system, what only a fill has said is still told from the rest."""
    with new_page(chromium, forced_colors="active", color_scheme=palette, reduced_motion="reduce") as one:
        show(one, element(recorded("race")), theme=palette)
        assert complaints(one, contrast=True) == []
        chosen, other = (
            one.evaluate(
                f"""n => {{
              const {{ root }} = {PLAYER}, style = getComputedStyle(root.querySelectorAll("[role=option]")[n]);
              return [style.borderColor, style.outlineStyle];
            }}""",
                n,
            )
            for n in (0, 1)
        )
        assert chosen != other
        fills = one.evaluate(f"""() => [".res.key .v", ".res:not(.key) .v", ".num.now span", ".now-line"].map((name) =>
          getComputedStyle({PLAYER}.root.querySelector(name)).backgroundColor)""")
        deciding, plain, number, line = fills
        assert deciding != plain
        assert number == line == ("rgb(0, 0, 0)" if palette == "light" else "rgb(255, 255, 255)")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.nightly)])
def test_the_game(canvas: Page, theme: str) -> None:
    show(canvas, element(recorded("race"), game=True, goal="Make order 7 be paid twice"), theme=theme)
    for letters in ("ABBBA", ["Escape", *"AAAABBBBBBBAAA"]):
        play(canvas, letters)
        for width in (300, 600, 860, 1400):
            canvas.evaluate(f"width => {{ document.querySelector('{NAME}').style.width = `${{width}}px` }}", width)
            assert complaints(canvas, contrast=True) == []


def test_what_cannot_be_read_is_found(canvas: Page) -> None:
    spoiled = {
        "overlap": ".res { margin-top: -14px !important; }",
        "wider": ".rows { margin-left: 300px !important; } .rows > div { min-width: 400px !important; }",
        "cut": ".sql { white-space: nowrap; overflow: hidden; }",
        "a line through": ".notes { padding-right: 0 !important; } .note { margin: 0 !important; }",
        "contrast": ".num span { color: #aaa !important; }",
    }
    for kind, style in spoiled.items():
        show(canvas, element(recorded("race"), at=8))
        canvas.evaluate(
            f"css => {PLAYER}.root.append(Object.assign(document.createElement('style'), {{ textContent: css }}))",
            style,
        )
        canvas.evaluate(f"document.querySelector('{NAME}').style.width = '640px'")
        assert kind in " ".join(complaints(canvas, contrast=kind == "contrast"))
