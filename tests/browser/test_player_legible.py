"""Everything in the player can be read, at every step: no text is cut, overlaps another or is too pale."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.lab.player.scenarios import SCENARIOS, recorded

from .lab import new_page
from .player_page import NAME, PLAYER, complaints, element, play, show

WIDTHS = (600, 640, 760, 860, 960, 1120, 1240, 1400)
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(canvas: Page, theme: str) -> None:
    show(canvas, element(recorded("crash_two")), theme=theme)
    assert complaints(canvas, contrast=True, widths=(885,)) == []


@pytest.mark.nightly
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_step_of_some_schedules_at_every_width(canvas: Page, name: str, theme: str) -> None:
    recording = recorded(name)
    chosen = {
        run.schedule for run in (*recording.runs[:2], recording.runs[len(recording.runs) // 2], recording.runs[-1])
    }
    show(canvas, element(recording), theme=theme)
    found = {}
    for schedule in sorted(chosen):
        canvas.evaluate(f"schedule => {PLAYER}.watch({PLAYER}.rec.run(schedule))", schedule)
        found[schedule] = complaints(canvas, contrast=True, widths=WIDTHS)
    assert {schedule: said for schedule, said in found.items() if said} == {}


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.nightly)])
def test_the_game(canvas: Page, theme: str) -> None:
    show(canvas, element(recorded("race"), game=True, goal="Make order 7 be paid twice"), theme=theme)
    for letters in ("ABBBA", ["Escape", *"AAAABBBBBBBAAA"]):
        play(canvas, letters)
        for width in (600, 860, 1400):
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
