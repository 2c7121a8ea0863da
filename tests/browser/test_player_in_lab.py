"""Players in a real JupyterLab: keys, themes, a page with panel and exercise, a saved notebook without its kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from taskref_edu.lab.player.page import element_name

from .conftest import Notebook
from .lab import SIZE, Lab, new_page

NAME = element_name()
CLICKS = """\
from taskref_edu import Order, as_written, writing
from taskref_edu.lab import explore
from taskref_edu.lab.shop import live_payments

def one_order(engine):
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ann", amount=2500))

def click(engine):
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))

def one_payment(session):
    live = live_payments(session)
    return [] if len(live) == 1 else [f"{len(live)} live payments"]

found = explore([click] * 2, setup=one_order, invariant=one_payment, schema="as_written")
found"""
SCHEDULER = """\
from taskref_edu.widgets import Scheduler
game = Scheduler([click, click], setup=one_order, invariant=one_payment, schema="as_written", goal="Make it pay twice")
game"""
PANEL = """\
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
Panel(TaskQueue(open_database()), approach="inverted")"""
TELL = "print('tried:', game.tried)"


@pytest.fixture(scope="module")
def played(page: Page, lab: Lab) -> Iterator[Notebook]:
    """One notebook for all tests here: a result, a game, a panel."""
    page.set_viewport_size({"width": 1280, "height": 1100})
    notebook = Notebook(page, lab)
    notebook.open(lab.write("players.ipynb", CLICKS, SCHEDULER, PANEL, TELL))
    notebook.run_all()
    notebook.wait_until_run()
    expect(players(notebook)).to_have_count(2)
    expect(players(notebook).first.locator(".verdict")).to_contain_text("34 of 36 interleavings break")
    yield notebook
    notebook.close()
    page.set_viewport_size(SIZE)


def players(notebook: Notebook) -> Locator:
    return notebook.page.locator(f".jp-NotebookPanel:visible {NAME}")


def cells(notebook: Notebook) -> int:
    return notebook.page.locator(".jp-NotebookPanel:visible .jp-Cell").count()


def test_a_break_by_keyboard_only__and_the_kernel_knows(played: Notebook) -> None:
    page, game = played.page, players(played).nth(1)
    schedule = "AAAABBBBBBBAAA"
    before = cells(played)
    game.get_by_role("button", name="A click").focus()
    page.keyboard.press("b")
    expect(game.get_by_role("status").last).to_contain_text("B reads order 7")
    page.keyboard.press("Backspace")
    page.keyboard.type(schedule.lower())  # as fast as it goes
    expect(game.locator(".verdict")).to_contain_text("You broke it: 2 live payments")
    told = "34 of 36 interleavings do this; you found 1Your switches 2Fewest possible 2"
    expect(game.locator(".win")).to_contain_text(told)
    expect(game.get_by_role("button", name="Again")).to_be_focused()
    assert cells(played) == before, "A and B insert cells elsewhere in JupyterLab"
    played.run_cell(TELL)
    expect(page.locator(".jp-OutputArea pre", has_text=f"tried: {{'{schedule}': True}}")).to_be_visible()


def test_arrows_and_b_on_a_result(played: Notebook) -> None:
    page, result = played.page, players(played).first
    before = cells(played)
    result.locator("section").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(result.locator(".count")).to_contain_text("step 2 of 14")
    page.keyboard.press("b")
    expect(result.locator(".count")).to_contain_text("step 14 of 14")
    assert cells(played) == before
    page.keyboard.press("Control+s")  # JupyterLab's own, still
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")


def test_themes_switch_live(played: Notebook) -> None:
    result = players(played).first
    for theme, name in (("JupyterLab Dark", "dark"), ("JupyterLab Light", "light")):
        played.command("apputils:change-theme", theme=theme)
        expect(result.locator("section")).to_have_attribute("data-theme", name)
        result.scroll_into_view_if_needed()
        played.screenshot(f"player-{name}")


def test_the_wheel_scrolls_the_notebook(played: Notebook) -> None:
    page, result = played.page, players(played).first
    played.select_cell(CLICKS)
    result.locator(".lanes").hover()
    top = result.evaluate("e => e.getBoundingClientRect().top")
    page.mouse.wheel(0, 300)
    page.wait_for_function(f"top => document.querySelector('{NAME}').getBoundingClientRect().top < top - 100", arg=top)


def test_a_cell_that_runs_again_replaces_its_player(played: Notebook) -> None:
    played.run_cell(SCHEDULER)
    expect(players(played).nth(1).locator(".verdict")).to_have_text("?Make it pay twice")
    expect(players(played)).to_have_count(2)


def test_the_panel_beside_it_shows_its_rows(played: Notebook) -> None:
    """No rule of one widget matches inside another."""
    played.select_cell(PANEL)
    played.click("New order")
    row = played.panel.locator("[data-order]").first
    expect(row).to_be_visible()
    assert (row.bounding_box() or {"height": 0})["height"] > 10


def saved_text(played: Notebook, lab: Lab) -> str:
    played.page.evaluate("window.jupyterapp.shell.currentWidget.context.save()")
    played.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    return (lab.folder / "notebooks" / "players.ipynb").read_text()


@pytest.mark.nightly
def test_saved__the_module_is_there_once__and_plays_without_a_kernel(played: Notebook, lab: Lab) -> None:
    saved = saved_text(played, lab)
    assert saved.count("customElements.define(") == 1
    assert len(saved) < 400_000
    played.shut_down_kernel()
    played.page.reload()
    result = players(played).first
    expect(result.locator(".verdict")).to_contain_text("34 of 36 interleavings break")
    game = players(played).nth(1)
    game.get_by_role("button", name="A click").click()
    expect(game.locator(".say")).to_contain_text("A reads order 7 and gets processing_task_id = NULL")


@pytest.mark.nightly
def test_untrusted__the_still_and_the_table_are_there(played: Notebook, lab: Lab) -> None:
    stranger = json.loads(saved_text(played, lab))
    stranger["metadata"]["title"] = "somebody else's"  # no signature fits
    (lab.folder / "notebooks" / "stranger.ipynb").write_text(json.dumps(stranger))
    with new_page(played.page.context.browser) as page:  # type: ignore[arg-type]
        notebook = Notebook(page, lab)
        notebook.open("notebooks/stranger.ipynb")
        picture = page.locator(".jp-OutputArea img").first
        expect(picture).to_be_visible()
        assert "34 of 36 interleavings break" in (picture.get_attribute("alt") or "")
        assert picture.evaluate("img => img.naturalWidth") > 600
        page.get_by_text("The same as a table").first.click()
        expect(page.locator(".jp-OutputArea table").first).to_contain_text("BEGIN IMMEDIATE")
        notebook.screenshot("player-untrusted")
