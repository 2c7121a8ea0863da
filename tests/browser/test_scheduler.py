"""The scheduler on a page: a break by keyboard only, in both themes, at 200 % zoom, and without its kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Notebook

CLICKS = """\
from taskref_edu import Order, as_written, writing
from taskref_edu.lab import explore

def one_order(engine):
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ann", amount=2500))

def click(engine):
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))

def one_payment(session):
    from taskref_edu.lab.shop import live_payments
    live = live_payments(session)
    return [] if len(live) == 1 else [f"{len(live)} live payments"]

shortest = explore([click] * 2, setup=one_order, invariant=one_payment, schema="as_written").shortest"""
SCHEDULER = """\
from taskref_edu.widgets import Scheduler
Scheduler([click, click], setup=one_order, invariant=one_payment, schema="as_written")"""
TELL = "print('shortest:', shortest)"


@pytest.fixture
def played(notebook: Notebook) -> Notebook:
    notebook.open(notebook.lab.write("scheduler.ipynb", CLICKS, SCHEDULER, TELL))
    notebook.run_all()
    expect(scheduler(notebook).get_by_role("status")).to_contain_text("Who begins?")
    return notebook


def scheduler(notebook: Notebook) -> Locator:
    return notebook.page.locator(".taskref-scheduler:visible")


def test_a_break_by_keyboard_only(played: Notebook) -> None:
    page, box = played.page, scheduler(played)
    schedule = page.locator(".jp-OutputArea pre", has_text="shortest: ").inner_text().removeprefix("shortest: ").strip()
    expect(page.locator(".jp-NotebookPanel:visible .taskref-scheduler-static")).to_be_hidden()
    cells = page.locator(".jp-Cell:visible").count()
    status = box.get_by_role("status")
    box.get_by_role("button", name="A: click").focus()
    page.keyboard.press("b")
    expect(status).to_contain_text("B: B ran SELECT")
    page.keyboard.press("Backspace")
    expect(status).to_have_text("At the start: the step of B is taken back")
    page.keyboard.type(schedule.lower())  # as fast as it goes
    expect(status).to_contain_text(f"You broke it with {schedule}")
    expect(status).to_contain_text("2 live payments")
    expect(box.get_by_role("button", name="A: click")).to_be_focused()
    assert box.get_by_role("button", name="A: click").evaluate("b => getComputedStyle(b).outlineWidth") == "2px"
    assert page.locator(".jp-Cell:visible").count() == cells, "A and B insert cells elsewhere in JupyterLab"
    lanes = box.locator(".taskref-lanes")
    expect(lanes.locator("tbody tr")).to_have_count(len(schedule) + 1)
    assert lanes.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight") <= 1, "the newest step is in view"
    box.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(box.locator("pre.taskref-test")).to_contain_text(f"schedules=['{schedule}']")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        played.command("apputils:change-theme", theme=theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        box.scroll_into_view_if_needed()
        played.screenshot(f"scheduler-{theme.split()[1].lower()}")
    page.keyboard.press("Home")
    expect(status).to_contain_text("At the start again")
    expect(box.locator(".taskref-tally")).to_contain_text(f"breaks {schedule}")
    page.set_viewport_size({"width": 640, "height": 450})  # what 200 % zoom leaves
    page.keyboard.type("aab")
    expect(status).to_contain_text("B waits for A")
    played.screenshot("scheduler-zoom")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), "nothing is cut off at the side"
    page.keyboard.press("Control+s")  # JupyterLab's own, still
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
