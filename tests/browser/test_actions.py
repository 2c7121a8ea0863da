"""Every action and every scenario of the panel, clicked on a page as a learner clicks them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect

from taskref_edu.widgets.scenarios import SCENARIOS

from .lab import Lab, Notebook, new_page

QUEUE = """\
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
from taskref_edu.widgets.hands import Hands
as_it_is = Hands.set_seconds
Hands.set_seconds = lambda self, seconds: as_it_is(self, 1.5 if seconds > 2 else 0.1)  # nobody waits for 5 s
queue = TaskQueue(open_database(), lease=0.8, backoff=0)"""
PANEL = """\
panel = Panel(queue, approach="both")
panel.controls.seconds.value = 0.5
panel"""


@pytest.fixture(scope="module")
def page(chromium: Browser, lab: Lab) -> Iterator[Notebook]:
    """A panel of both approaches with its rarer clicks unfolded; one page for all actions and scenarios."""
    with new_page(chromium) as browser_page:
        notebook = Notebook(browser_page, lab)
        notebook.open(lab.write("actions.ipynb", QUEUE, PANEL))
        notebook.run_all()
        notebook.click("More")
        expect(notebook.button("Click storm")).to_be_visible()
        yield notebook


def says(page: Notebook, text: str) -> None:
    expect(page.panel.locator(".taskref-says")).to_contain_text(text)


def seconds(page: Notebook, value: str) -> None:
    field = page.panel.get_by_label("Seconds per task")
    field.fill(value)
    field.press("Enter")


def sides(page: Notebook) -> list[Locator]:
    found = page.panel.locator(".taskref-side")
    expect(found).to_have_count(2)
    return found.all()


def test_a_storm_a_slip_and_a_deleted_order(page: Notebook):
    page.click("New order")
    says(page, "order 1: new")
    page.click("Click storm")
    says(page, "inverted: order 1, 8 clicks as written: 8 live payments, 7 of them orphans")
    page.panel.get_by_label("Pay", exact=True).select_option("at its best")
    page.panel.get_by_label("Clicks").fill("5")
    page.click("New order")
    says(page, "order 2: new")
    page.click("Click storm")
    says(page, "order 2, 5 clicks at its best: 1 live payment")
    page.click("Typo")
    says(page, "classic: order 2: task 3 enqueued with {'orderid': 2}, and nobody objected")
    page.screenshot("more")
    page.click("Delete order")
    says(page, "inverted: order 2: deleted; its task is now an orphan")
    page.click("Cancel all")
    says(page, "inverted: all orders: 1 cancelled, 0 asked to stop; 9 tasks that no order leads to: not found")
    page.click("Start")
    for side in sides(page):
        expect(side).to_contain_text(re.compile("PayloadError|OrphanTask"))
    page.click("Prune")
    says(page, "that had ended deleted; orders stay")


def test_a_killed_worker_a_zombie_and_two_workers(page: Notebook):
    page.click("Start")  # as after the test before, and where this one runs alone
    says(page, "worker: started")
    seconds(page, "60")
    page.click("New order")
    page.click("Pay")
    for side in sides(page):
        expect(side).to_contain_text("busy with task")
    page.click("Crash")
    for side in sides(page):
        expect(side).to_contain_text("dead: killed while it ran task")
    page.screenshot("crash")
    seconds(page, "1")
    page.click("Start")
    says(page, "worker: started")
    for side in sides(page):
        expect(side).to_contain_text("idle")
    seconds(page, "2")
    page.click("New order")
    page.click("Pay")
    for side in sides(page):
        expect(side).to_contain_text("busy with task")
    page.click("Zombie")
    for side in sides(page):
        expect(side).to_contain_text("unresponsive")
    page.screenshot("zombie")
    says(page, "came back too late; StaleLease")
    expect(page.panel.get_by_label("Two workers")).to_be_checked()
    page.panel.get_by_label("Two workers").uncheck()
    says(page, "workers: 1")


def test_the_lens_by_keyboard__and_axe_finds_nothing_serious_in_what_is_unfolded(page: Notebook):
    lens = page.panel.locator(".taskref-lenses")
    expect(lens).to_be_hidden()
    page.click("New order")
    page.click("Pay")
    page.button("SQL").focus()
    page.page.keyboard.press("Enter")
    expect(lens).to_contain_text("Classic, Pay, order")
    expect(lens).to_contain_text("Inverted, Pay, order")
    expect(lens).to_contain_text("UPDATE orders SET processing_task_id=")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.command("apputils:change-theme", theme=theme)
        page.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.page.locator("#jupyterlab-splash")).to_have_count(0)
        page.screenshot("lens-" + theme[11:].lower())
        serious = [
            (one["id"], one["help"], node["html"][:200])
            for one in Axe().run(page.page, context=".taskref-panel").response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert serious == [], theme
    expect(page.button("SQL")).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(lens).to_be_hidden()


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_scenario(page: Notebook, name: str):
    page.panel.get_by_label("Scenario").select_option(name)
    page.click("Run")
    sentence = page.panel.locator(".taskref-sentence")
    for number, step in enumerate(SCENARIOS[name], 1):
        expect(sentence).to_contain_text(f"{name}, step {number} of {len(SCENARIOS[name])}: {step.say}")
        if number == 2:
            page.screenshot(f"scenario-{name.replace(' ', '-')}")
        page.click("Next")
    expect(sentence).to_contain_text(f"{name}: the end")
    page.screenshot(f"scenario-{name.replace(' ', '-')}-end")
    page.click("End")
    expect(sentence).to_contain_text("no scenario is under way")
    expect(page.button("End")).to_be_focused()
