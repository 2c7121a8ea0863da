"""Every action and every scenario of the panel, clicked on a page as a learner clicks them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from taskref_edu.widgets.panel.scenarios import SCENARIOS

from .lab import Lab, Notebook

QUEUE = """\
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
from taskref_edu.widgets.panel.scenarios import SCENARIOS
for act in [act for story in SCENARIOS.values() for step in story.steps for act in step.acts]:
    if seconds := act.get("set", {}).get("seconds"):
        act["set"]["seconds"] = 1.5 if seconds > 2 else 0.1  # nobody waits for 5 s
queue = TaskQueue(open_database(), lease=0.8, backoff=0)"""
PANEL = """\
panel = Panel(queue, approach="both")
panel.set(seconds=0.5)
panel"""


@pytest.fixture(scope="module")
def actions(page: Page, lab: Lab) -> Iterator[Notebook]:
    """A panel of both approaches with its rarer clicks unfolded, for all actions and scenarios."""
    notebook = Notebook(page, lab)
    notebook.open(lab.write("actions.ipynb", QUEUE, PANEL))
    notebook.run_all()
    notebook.click("More")
    expect(notebook.button("Click storm")).to_be_visible()
    yield notebook
    notebook.close()


def start(actions: Notebook) -> None:
    """Start the workers, unless they run."""
    if actions.button("Start worker").count():
        actions.click("Start worker")


def says(actions: Notebook, text: str) -> None:
    expect(actions.panel.locator(".taskref-says")).to_contain_text(text)


def seconds(actions: Notebook, value: str) -> None:
    field = actions.panel.get_by_label("Seconds per task")
    field.fill(value)
    field.press("Enter")


def sides(actions: Notebook) -> list[Locator]:
    found = actions.panel.locator(".taskref-side")
    expect(found).to_have_count(2)
    return found.all()


@pytest.mark.nightly
def test_a_storm_a_slip_and_a_deleted_order(actions: Notebook):
    actions.click("New order")
    says(actions, "order 1: new")
    actions.click("Click storm")
    says(actions, "inverted: order 1, 8 clicks as written: 8 live payments, 7 of them orphans")
    actions.panel.get_by_label("Pay", exact=True).select_option("at its best")
    actions.panel.get_by_label("Clicks").fill("5")
    actions.click("New order")
    says(actions, "order 2: new")
    actions.click("Click storm")
    says(actions, "order 2, 5 clicks at its best: 1 live payment")
    actions.click("Typo")
    says(actions, "classic: order 2: task 3 enqueued with {'orderid': 2}, and nobody objected")
    actions.screenshot("more")
    actions.click("Delete order")
    says(actions, "inverted: order 2: deleted; its task is now an orphan")
    actions.click("Cancel all")
    says(actions, "inverted: all orders: 1 cancelled, 0 asked to stop; 9 tasks that no order leads to: not found")
    start(actions)
    for side in sides(actions):
        expect(side).to_contain_text(re.compile("PayloadError|OrphanTask"))
    actions.click("Prune")
    says(actions, "that had ended deleted; orders stay")


@pytest.mark.nightly
def test_a_killed_worker_a_zombie_and_two_workers(actions: Notebook):
    start(actions)
    seconds(actions, "60")
    actions.click("New order")
    actions.click("Pay")
    for side in sides(actions):
        expect(side).to_contain_text("busy with task")
    actions.click("Crash")
    for side in sides(actions):
        expect(side).to_contain_text("dead: killed while it ran task")
    actions.screenshot("crash")
    seconds(actions, "1")
    start(actions)
    for side in sides(actions):
        expect(side).to_contain_text("idle")
    seconds(actions, "2")
    actions.click("New order")
    actions.click("Pay")
    for side in sides(actions):
        expect(side).to_contain_text("busy with task")
    actions.click("Zombie")
    for side in sides(actions):
        expect(side).to_contain_text("unresponsive")
    actions.screenshot("zombie")
    says(actions, "came back too late; StaleLease")
    expect(actions.panel.get_by_label("Two workers")).to_be_checked()
    actions.panel.get_by_label("Two workers").uncheck()
    says(actions, "workers: 1")


@pytest.mark.nightly
def test_the_lens_by_keyboard__and_axe_finds_nothing_in_what_is_unfolded(actions: Notebook):
    lens = actions.panel.locator(".taskref-lenses")
    expect(lens).to_be_hidden()
    actions.click("New order")
    actions.click("Pay")
    actions.button("SQL").focus()
    actions.page.keyboard.press("Enter")
    expect(lens).to_contain_text("Classic, Pay, order")
    expect(lens).to_contain_text("Inverted, Pay, order")
    expect(lens).to_contain_text("UPDATE orders SET processing_task_id=")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        actions.command("apputils:change-theme", theme=theme)
        actions.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(actions.page.locator("#jupyterlab-splash")).to_have_count(0)
        actions.screenshot("lens-" + theme[11:].lower())
        found = [
            (one["id"], one["help"], node["html"][:200])
            for one in Axe().run(actions.page, context=".taskref-panel").response["violations"]
            for node in one["nodes"]
        ]
        assert found == [], theme
    actions.page.bring_to_front()
    expect(actions.button("SQL")).to_be_focused()
    actions.page.keyboard.press("Enter")
    expect(lens).to_be_hidden()


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.nightly
def test_a_scenario__a_guess_what_happens_and_the_answer(actions: Notebook, name: str):
    actions.panel.get_by_label("Scenario", exact=True).select_option(name)
    actions.click("Run")
    story = actions.panel.get_by_role("region", name="Story")
    for number, step in enumerate(SCENARIOS[name].steps, 1):
        expect(story).to_contain_text(f"step {number} of {len(SCENARIOS[name].steps)}")
        expect(story.locator(".taskref-sentence")).to_have_text(step.say)
        if step.choices:
            guess = story.get_by_role("button", name=step.choices[0].text, exact=True)
            expect(guess).not_to_have_attribute("aria-disabled", "true")
            guess.click()
            expect(story.locator(".taskref-sentence")).to_have_text(step.say)  # the story stays while it happens
            expect(story.locator(".taskref-answer")).to_contain_text(step.answer)
            if step.point:
                expect(actions.panel.locator(".taskref-marked").first).to_be_visible()
            actions.screenshot(f"scenario-{name.replace(' ', '-')}-{number}")
        else:
            expect(actions.button("Next")).not_to_have_attribute("aria-disabled", "true")
        if number < len(SCENARIOS[name].steps) or not step.choices:
            actions.click("Next")
    expect(story.locator(".taskref-rule")).to_have_text(f"The rule: {SCENARIOS[name].rule}")
    expect(actions.button("Next")).to_have_attribute("aria-disabled", "true")
    actions.click("End")
    expect(story).to_be_hidden()
    expect(actions.button("Run")).to_be_focused()
    expect(actions.panel.get_by_label("Seconds per task")).to_have_value("2")
