"""The picture on a page: arrows, keys, details, timeline, 2,000 tasks, hostile text, and what axe-core says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from .lab import SIZE, Lab, Notebook

HOSTILE = """<img src=x onerror="window.hacked = true">"""
BROKEN = f"""\
from sqlalchemy import text
from taskref_edu import Order, TaskQueue, classic, inverted, open_database, writing
from taskref_edu.widgets import Panel
hostile, classic_approach, inverted_approach = {HOSTILE!r}, classic, inverted
def broken(approach):
    queue = TaskQueue(open_database(), max_attempts=1)
    with writing(queue.engine) as session:
        orders = [Order(customer=hostile, amount=100, status=hostile if n == 3 else "new") for n in range(4)]
        session.add_all(orders)
        session.flush()
        for order in (orders[1], orders[0]):
            approach.enqueue_payment(session, queue, order)
        queue.enqueue(session, "process_payment", {{"order_id": 99}})
        queue.enqueue(session, "process_payment", {{"oder_id": hostile}})
        queue.enqueue(session, hostile, {{hostile: hostile}})
    return queue"""
PANELS = [
    'classic_panel = Panel(broken(classic), "classic")\nclassic_panel',
    'panel = Panel(broken(inverted), "inverted")\npanel',
]
MANY = """\
from taskref_edu import Order, TaskQueue, classic, open_database, writing
from taskref_edu.widgets import Panel
queue = TaskQueue(open_database())
with writing(queue.engine) as session:
    orders = [Order(customer=f"customer {n}", amount=n) for n in range(2000)]
    session.add_all(orders)
    session.flush()
    for order in orders:
        classic.enqueue_payment(session, queue, order)
panel = Panel(queue, "classic")
panel"""

# What a notebook does with a cell that is scrolled far away.
AWAY_AND_BACK = """one => new Promise(done => {
    const [parent, next] = [one.parentNode, one.nextSibling];
    one.remove();
    setTimeout(() => { parent.insertBefore(one, next); setTimeout(done, 300); }, 300);
})"""


@pytest.fixture(scope="module")
def opened(page: Page, lab: Lab) -> Iterator[Notebook]:
    """A classic and an inverted panel, each on a database with broken references and hostile text."""
    notebook = Notebook(page, lab)
    notebook.open(lab.write("pictures.ipynb", BROKEN, *PANELS))
    page.set_viewport_size({"width": 1800, "height": 1800})
    notebook.run_all()
    expect(page.locator("[data-task='5']:visible")).to_have_count(2)
    yield notebook
    notebook.close()


@pytest.fixture
def pictures(opened: Notebook) -> Iterator[Notebook]:
    opened.page.set_viewport_size({"width": 1800, "height": 1800})
    opened.show()
    yield opened
    opened.page.set_viewport_size(SIZE)


def side(notebook: Notebook, approach: str) -> Locator:
    return notebook.page.locator(f".taskref-picture.taskref-{approach}:visible")


def test_arrows_point_the_way_the_approach_points_them(pictures: Notebook):
    for approach, begins_at_the_right in (("classic", True), ("inverted", False)):
        paths = side(pictures, approach).locator(".taskref-arrows path[d*='C']")
        expect(paths).to_have_count(2)
        start, end = (float(re.findall(r"[\d.]+", paths.first.get_attribute("d") or "")[place]) for place in (0, 6))
        assert (start > end) is begins_at_the_right, approach


def test_what_is_broken_is_said_in_words(pictures: Notebook):
    classic, inverted = side(pictures, "classic"), side(pictures, "inverted")
    expect(classic.locator("[data-task='3']")).to_contain_text("✕ dangling: order 99")
    expect(classic.locator("[data-task='4']")).to_contain_text("✕ no order")
    expect(classic.locator(".taskref-arrows path.taskref-lost")).to_have_count(2)
    for number in (3, 4):
        expect(inverted.locator(f"[data-task='{number}']")).to_contain_text("⚠ orphan")
    expect(inverted.locator("[data-task='1']")).not_to_contain_text("orphan")


@pytest.mark.parametrize("width", [640, 1000])
def test_what_is_broken_is_never_cut(pictures: Notebook, width: int):
    pictures.page.set_viewport_size({"width": width, "height": 2400})
    pictures.page.wait_for_timeout(500)
    for approach in ("classic", "inverted"):
        for one in side(pictures, approach).locator(".taskref-broken").all():
            cell = one.locator("xpath=..")
            assert cell.evaluate("cell => cell.scrollWidth - cell.clientWidth") <= 0, one.inner_text()


def test_by_keyboard__move_open_follow(pictures: Notebook):
    page, classic = pictures.page, side(pictures, "classic")
    tasks, orders = classic.get_by_role("treegrid").last, classic.get_by_role("treegrid").first
    tasks.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(classic.locator("[data-task='1']")).to_have_attribute("aria-expanded", "true")
    expect(classic.locator(".taskref-details")).to_contain_text('payload{"order_id": 2}')
    page.keyboard.press("ArrowLeft")
    expect(classic.locator(".taskref-details")).to_have_count(0)
    page.keyboard.press("f")
    expect(orders).to_be_focused()
    expect(orders).to_have_attribute(
        "aria-activedescendant", classic.locator("[data-order='2']").get_attribute("id") or ""
    )
    expect(classic.locator("[data-task='1']")).to_have_class(re.compile("taskref-hot"))
    assert classic.locator("[data-order='2']").evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
    page.keyboard.press("ArrowDown")
    expect(classic.locator("[data-task='1']")).not_to_have_class(re.compile("taskref-hot"))


def test_the_label_of_an_arrow_leads_to_its_other_end(pictures: Notebook):
    inverted = side(pictures, "inverted")
    inverted.get_by_role("button", name="task 1", exact=True).click()
    expect(inverted.get_by_role("treegrid").last).to_be_focused()
    expect(inverted.locator("[data-task='1']")).to_have_class(re.compile("taskref-active"))


def test_pointing_at_a_row_shows_the_other_end_of_its_arrow(pictures: Notebook):
    classic = side(pictures, "classic")
    classic.locator("[data-order='1'] .taskref-c-id").hover()
    expect(classic.locator("[data-task='2']")).to_have_class(re.compile("taskref-hot"))
    expect(classic.locator("path.taskref-hot")).to_have_count(1)
    pictures.page.mouse.move(0, 0)
    expect(classic.locator("path.taskref-hot")).to_have_count(0)


@pytest.mark.nightly
def test_hostile_text_stays_text__in_cells_details_and_timeline(pictures: Notebook):
    inverted = side(pictures, "inverted")
    inverted.get_by_role("button", name="details of order 4").click()
    inverted.get_by_role("button", name="details of task 5").click()
    expect(inverted.locator(".taskref-details").first).to_contain_text(HOSTILE)
    pictures.page.get_by_role("button", name="Start worker", exact=True).last.click()
    expect(inverted.locator("[data-task='5']")).to_contain_text("failed")
    expect(inverted.locator(".taskref-details").last).to_contain_text("error")
    expect(inverted.get_by_role("log")).to_contain_text("task 5 failed")
    assert pictures.page.evaluate("window.hacked") is None
    assert inverted.locator("img").count() == 0


def test_the_timeline__filtered_and_copied(pictures: Notebook):
    page, classic = pictures.page, side(pictures, "classic")
    log, buttons = classic.get_by_role("log"), pictures.page.locator(".taskref-panel:visible").first
    for number in (5, 6):
        buttons.get_by_role("button", name="New order", exact=True).click()
        expect(log).to_contain_text(f"order {number} created")
    classic.get_by_label("Only order").fill("6")
    expect(log).not_to_contain_text("order 5 created")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    classic.get_by_role("button", name="Copy").click()
    expect(classic.get_by_role("button", name="Copied 1 line")).to_be_visible()
    assert re.fullmatch(r"[\d.]+ s order 6 created: \w+, [\d.]+", page.evaluate("navigator.clipboard.readText()"))
    classic.get_by_label("Only order").fill("")


@pytest.mark.nightly
def test_axe_finds_nothing__in_either_theme(pictures: Notebook):
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        pictures.command("apputils:change-theme", theme=theme)
        pictures.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(pictures.page.locator("#jupyterlab-splash")).to_have_count(0)
        found = Axe().run(pictures.page, context=".taskref-panel").response
        assert {"aria-required-children", "color-contrast", "label"} <= {one["id"] for one in found["passes"]}
        violations = [
            (one["id"], one["help"], node["html"][:200], node["any"][:1])
            for one in found["violations"]
            for node in one["nodes"]
        ]
        assert violations == [], theme


@pytest.mark.nightly
def test_two_thousand_tasks__few_in_the_page_and_it_stays_where_it_was_scrolled(notebook: Notebook, lab: Lab):
    page = notebook.page
    page.emulate_media(reduced_motion="reduce")
    notebook.open(lab.write("many.ipynb", MANY))
    notebook.run_all()
    picture = side(notebook, "classic")
    expect(picture).to_contain_text("2,000 pending")
    expect(picture.locator("[data-task='2000']")).to_be_visible()  # the newest
    assert picture.locator("[data-task]").count() < 60
    tasks = picture.get_by_role("treegrid").last
    tasks.hover()
    tasks.evaluate("list => { list.scrollTop = 28 * 700; }")
    page.mouse.wheel(0, 1)  # somebody scrolls: the list no longer follows the worker
    expect(picture.locator("[data-task='705']")).to_be_visible()
    assert picture.locator(".taskref-arrows path").count() > 5  # to orders that are out of sight
    before = tasks.evaluate("list => list.scrollTop")
    notebook.click("More")
    notebook.panel.get_by_label("Seconds per task").fill("0")
    notebook.panel.get_by_label("Seconds per task").press("Enter")
    notebook.click("Start worker")
    expect(picture).to_contain_text(re.compile(r"\d succeeded"))
    assert tasks.evaluate("list => list.scrollTop") == before
    picture.evaluate(AWAY_AND_BACK)
    expect(picture.locator("[data-task='705']")).to_be_visible()
    assert tasks.evaluate("list => list.scrollTop") == before
    assert page.evaluate("document.getAnimations().filter(one => one.playState === 'running').length") == 0
    picture.locator("[data-task='705'] .taskref-jump").click()
    expect(picture.locator("[data-order='705']")).to_be_visible()
    notebook.click("Stop")

    page.set_viewport_size({"width": 640, "height": 900})  # as at 200 % zoom
    wide = picture.evaluate("one => one.scrollWidth - one.clientWidth")
    assert wide <= 0


@pytest.mark.nightly
def test_a_page_that_is_loaded_again_and_a_second_view_know_everything(alone: Notebook, lab: Lab):
    alone.open(lab.write("again.ipynb", BROKEN, PANELS[1]))
    alone.run_all()
    alone.click("New order")
    expect(alone.panel.get_by_role("log")).to_contain_text("order 5 created")
    alone.save_and_reload()
    expect(alone.panel.locator("[data-order='5']")).to_be_visible()
    expect(alone.panel.get_by_role("log")).to_contain_text("order 5 created")
    alone.page.evaluate(
        """() => { const { content } = window.jupyterapp.shell.currentWidget; content.activeCellIndex = 1; }"""
    )
    alone.command("notebook:create-output-view")
    expect(alone.page.locator(".taskref-picture:visible")).to_have_count(2)
    expect(alone.page.locator("[data-order='5']:visible")).to_have_count(2)
