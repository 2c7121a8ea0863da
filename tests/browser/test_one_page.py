"""Every widget of the package on one page: none reaches into another; a page that is loaded again shows its rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from taskref_edu.widgets.display.html_tables import STATIC_STYLE
from taskref_edu.widgets.panel.controls import Controls

from .lab import CONTEXT, Lab, Notebook
from .test_player_in_lab import NAME as PLAYER

SETUP = """\
import time
from taskref_edu import Order, TaskQueue, inverted, open_database, writing
from taskref_edu.widgets import Panel, Scheduler
def click(engine):
    with writing(engine) as session:
        inverted.enqueue_payment_once(session, TaskQueue(engine), session.get(Order, 7))
def setup(engine):
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ada", amount=1999))
scheduler = Scheduler([click, click], setup=setup, invariant=lambda session: [])
scheduler"""
PANEL = """\
panel = Panel(TaskQueue(open_database()), "both")
for name in ("new_order", "pay") * 3: panel.click(name)
time.sleep(1)
panel"""
RECORDING = "panel.recording()"
HEIGHTS = "all => all.filter(one => one.checkVisibility()).map(one => one.clientHeight)"
# How long a picture has been in the page when its first row is.
FIRST_ROW = """() => new Promise(done => {
    let begun = null;
    requestAnimationFrame(function frame(now) {
        if (begun === null && document.querySelector(".taskref-picture")) begun = now;
        if (document.querySelector(".taskref-picture [data-order]")) done(now - begun);
        else requestAnimationFrame(frame);
    });
})"""


@pytest.mark.parametrize("css", [Controls._css, STATIC_STYLE.removeprefix("<style>").removesuffix("</style>")])
def test_every_rule_lies_inside_its_widget(css: str):
    """A rule with a plain selector once made another widget's tables 0 pixels high."""
    text = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    depth, selector, outer = 0, "", []
    for sign in text:
        if sign == "{":
            if depth == 0:
                outer.append(" ".join(selector.split()))
            depth += 1
        elif sign == "}":
            depth -= 1
        selector = "" if sign in "{};" else selector + sign
    assert depth == 0
    roots = (
        r"(\[data-jp-theme-light=\S+ )?(\.jp-OutputArea:has\()?\.taskref-(panel|static)\b|@media|@keyframes taskref-"
    )
    assert [one for one in outer if not re.match(roots, one)] == []


@pytest.mark.nightly
def test_all_widgets_on_one_page__then_the_page_is_loaded_again(alone: Notebook, lab: Lab):
    page = alone.page
    alone.open(lab.write("all.ipynb", SETUP, PANEL, RECORDING))
    page.set_viewport_size({"width": 1400, "height": 3000})
    alone.run_all()
    recorded = page.locator(".taskref-recording")
    live = page.locator(".taskref-panel:not(.taskref-recording)")
    expect(live.locator("[data-order='3']")).to_have_count(2)
    expect(recorded.locator("[data-order='3']")).to_have_count(2)
    for part in (".taskref-panel .taskref-rows", ".taskref-controls", ".taskref-sides", PLAYER):
        heights = page.locator(part).evaluate_all(
            "all => all.filter(one => one.checkVisibility()).map(one => one.clientHeight)"
        )
        assert heights
        assert min(heights) > 20, part

    slider = recorded.get_by_label("Moment of the run")
    slider.fill("0")
    expect(recorded.locator("[data-task='3']")).to_have_count(0)
    recorded.get_by_role("button", name="Play").click()
    expect(recorded.locator("[data-task='3']")).to_have_count(2)

    live.get_by_role("button", name="More", exact=True).click()
    live.get_by_role("button", name="Run", exact=True).click()
    expect(live.get_by_role("region", name="Story")).to_contain_text("step 1 of 3")
    page.evaluate(f"{CONTEXT}.save()")
    page.reload()
    page.wait_for_selector(".taskref-picture", state="attached")
    assert page.evaluate(FIRST_ROW) < 1500  # milliseconds
    expect(live.locator("[data-order='3']")).to_have_count(2)
    live.get_by_role("button", name="one", exact=True).click()  # the scenario waits as it did before
    expect(live.get_by_role("region", name="Story")).to_contain_text("Both clicks checked before")
    live.get_by_role("button", name="End", exact=True).click()
    live.get_by_role("button", name="New order", exact=True).click()
    expect(live.locator("[data-order='5']")).to_have_count(2)
