"""What a learner sees of a panel and can do at once: the next act, the checklist, the selected order, no word cut."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from .lab import CONTEXT, SIZE, Lab, Notebook

STEPS = """\
from taskref_edu import Order, TaskQueue, open_database, writing
from taskref_edu.widgets import Panel
queue = TaskQueue(open_database(), backoff=0)
panel = Panel(queue, "inverted", steps=[
    ("make three orders", "orders >= 3"), ("pay two", "tasks >= 2"), ("cancel one", "cancelled >= 1"),
    ("start the worker", "worker started")])
panel"""
SOMEBODY_ELSE = """\
if "again" in globals():
    with writing(queue.engine) as session:
        session.add(Order(customer="Somebody else's", amount=1))
again = True"""
BOTH = """\
from taskref_edu import Order, TaskQueue, open_database, writing
from taskref_edu.widgets import Panel
queue = TaskQueue(open_database(), lease=2, backoff=0)
with writing(queue.engine) as session:
    session.add_all([Order(customer="Ada", amount=1999) for _ in range(9)])
panel = Panel(queue, "both")
panel.set(seconds=60)
panel"""
# What stands in the page and is cut off, though it has words.
WORDS = ".taskref-badge, .taskref-c-id, .taskref-c-arrow, .taskref-c-at, .taskref-worker"
CUT = """(panel, words) => [...panel.querySelectorAll(words)]
    .filter(one => one.offsetParent && one.textContent.trim() && one.scrollWidth > one.clientWidth + 1)
    .map(one => `${one.className}: ${one.textContent}`)"""


@pytest.fixture
def steps(notebook: Notebook) -> Notebook:
    notebook.open(notebook.lab.write("steps.ipynb", STEPS, SOMEBODY_ELSE))
    notebook.run_all()
    expect(notebook.panel.get_by_role("list", name="Steps")).to_be_visible()
    return notebook


@pytest.fixture(scope="module")
def opened(page: Page, lab: Lab) -> Iterator[Notebook]:
    one = Notebook(page, lab)
    one.open(lab.write("design.ipynb", BOTH))
    one.run_all()
    expect(one.panel.locator("[data-order='9']")).to_have_count(2)
    yield one
    one.close()


@pytest.fixture
def both(opened: Notebook) -> Iterator[Notebook]:
    opened.show()
    yield opened
    opened.page.set_viewport_size(SIZE)


def primary(notebook: Notebook) -> Locator:
    return notebook.panel.locator(".taskref-primary:visible")


def done(notebook: Notebook) -> Locator:
    return notebook.panel.locator(".taskref-steps .taskref-done")


def test_one_act_comes_next__and_the_checklist_ticks_itself_off(steps: Notebook):
    expect(primary(steps)).to_have_text("New order")
    expect(steps.button("Pay")).to_have_attribute("title", "no order selected: create one with New order")
    for number in (1, 2, 3):
        expect(done(steps)).to_have_count(0)
        primary(steps).click()
        steps.expect_status(f"order {number}: new")
    expect(done(steps)).to_have_text("make three orders")
    expect(primary(steps)).to_have_text("Pay")
    primary(steps).click()
    steps.expect_status("order 3: payment enqueued as task 1")
    steps.panel.locator("[data-order='2']").click()
    expect(primary(steps)).to_have_text("Pay")
    primary(steps).click()
    expect(done(steps)).to_have_count(2)
    expect(primary(steps)).to_have_text("Cancel payment")
    primary(steps).click()
    steps.expect_status("order 2: payment cancelled")
    expect(primary(steps)).to_have_text("Start worker")
    primary(steps).click()
    expect(steps.panel.get_by_text("All done.")).to_be_visible()

    steps.click("Start over")
    steps.click("Sure? Click again")
    steps.expect_status("start over: the shop is as the cell made it")
    expect(steps.panel.locator(".taskref-orders")).to_contain_text("none yet")
    expect(done(steps)).to_have_count(0)
    expect(steps.button("Start worker")).to_be_visible()
    expect(steps.panel.locator(".taskref-events")).not_to_contain_text("deleted")

    steps.button("Pay").focus()
    steps.page.keyboard.press("Enter")
    steps.expect_status("no order selected: create one with New order")
    steps.run_cell("again")
    steps.expect_status("start over: the shop is as the cell made it")  # what kept it from acting is over


@pytest.mark.nightly
def test_impatience__double_clicks_and_fields_without_sense(both: Notebook):
    toggle = both.button("Start worker")
    toggle.dblclick()
    assert both.page.evaluate("String(getSelection())") == ""
    expect(both.button("Pause")).to_be_visible()
    expect(both.panel.locator(".taskref-pool")).to_have_text("started")  # not paused by its second half
    both.click("Stop")
    both.button("Start over").dblclick()
    expect(both.button("Sure? Click again")).to_be_visible()
    expect(both.button("Start over")).to_be_visible()  # after a while
    both.click("More")
    seconds = both.panel.get_by_label("Seconds per task")
    for typed, kept in (("", "60"), ("-3", "0"), ("999", "60"), ("0", "0"), ("60", "60")):
        seconds.fill(typed)
        seconds.press("Enter")
        seconds.blur()
        expect(seconds).to_have_value(kept)
    both.click("More")


def test_the_order_that_is_clicked_is_the_one_that_clicks_are_about(both: Notebook):
    inverted = both.panel.locator(".taskref-side").last
    inverted.locator("[data-order='2'] .taskref-c-status").click()
    for side in both.panel.locator(".taskref-side").all():
        expect(side.locator(".taskref-selected")).to_have_attribute("data-order", "2")
    expect(both.panel.get_by_label("Selected order")).to_have_value("2")
    both.click("Pay")
    both.expect_status("order 2: payment enqueued as task 1")
    inverted.locator("[data-order='5'] .taskref-c-id").click()
    inverted.locator("[data-task='1'] .taskref-c-status").click()  # a task stands for its order
    expect(both.panel.get_by_label("Selected order")).to_have_value("2")
    both.click("Cancel payment")
    both.expect_status("order 2: payment cancelled")


def test_a_button_that_cannot_act_keeps_its_focus_and_says_why(both: Notebook):
    stop = both.button("Stop")
    stop.focus()
    both.page.keyboard.press("Enter")
    both.expect_status("the worker is not started")
    expect(stop).to_be_focused()
    assert both.panel.get_by_role("button", name="Pause", exact=True).count() == 0
    toggle = both.button("Start worker")
    toggle.focus()
    both.page.keyboard.press("Enter")
    expect(both.button("Pause")).to_be_focused()
    expect(both.panel.locator(".taskref-pool")).to_have_text("started")
    both.page.keyboard.press("Enter")
    expect(both.button("Resume")).to_be_focused()
    expect(both.panel.locator(".taskref-pool")).to_have_text("paused")
    both.click("Stop")
    expect(both.button("Start worker")).to_be_visible()


@pytest.mark.parametrize("width", [640, 1000, 1280, 1400])
def test_no_word_gives_way__and_a_list_is_as_high_as_its_rows(both: Notebook, width: int):
    both.page.set_viewport_size({"width": width, "height": 1800})
    if not both.panel.locator("[data-task]").count():
        both.click("Pay")
    expect(both.panel.locator("[data-task]").first).to_be_visible()
    both.page.wait_for_timeout(300)
    assert both.panel.evaluate(CUT, WORDS) == []
    for side in both.panel.locator(".taskref-side").all():
        assert side.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        for rows in side.locator(".taskref-rows").all():
            assert rows.evaluate("one => one.scrollHeight - one.clientHeight") <= 0
            assert rows.evaluate("one => one.clientHeight - one.querySelectorAll('.taskref-row').length * 28") < 28
        if width >= 1000:
            assert side.locator(".taskref-arrows svg").is_visible()


def test_a_wheel_over_a_list_that_does_not_scroll_keeps_the_running_task_in_sight(both: Notebook):
    both.panel.locator(".taskref-orders .taskref-rows").first.hover()
    both.page.mouse.wheel(0, 200)
    both.page.wait_for_timeout(500)
    both.panel.locator(".taskref-orders .taskref-rows").last.focus()
    both.page.keyboard.press("ArrowDown")
    for box in both.panel.get_by_label("keep the running task in sight").all():
        expect(box).to_be_checked()


@pytest.mark.nightly
def test_after_a_crash_the_lease_counts_down__and_the_next_attempt_is_told(both: Notebook):
    both.panel.locator("[data-order='8']").first.click()
    both.click("Pay")
    expect(both.panel.get_by_role("status")).to_contain_text("order 8: payment enqueued")
    both.click("Start worker")
    inverted = both.panel.locator(".taskref-side").last
    expect(inverted).to_contain_text("busy with task")
    both.click("More")
    both.click("Crash")
    expect(inverted.locator(".taskref-at-work", has_text="✝ lease")).to_be_visible()
    expect(inverted.locator(".taskref-at-work", has_text="✝ lease expired")).to_be_visible()
    both.click("Start worker")
    expect(inverted.locator(".taskref-worker")).to_contain_text("attempt 2, since")
    expect(inverted.get_by_role("log")).to_contain_text(re.compile(r"lease expired"))
    expect(inverted.get_by_role("log")).to_contain_text(re.compile(r"claimed by worker as attempt 2"))
    expect(inverted.get_by_role("img", name=re.compile(r"waited [\d.]+ s, ran [\d.]+ s")).first).to_be_visible()
    both.click("Cancel all")
    both.click("More")
    both.click("Stop")


def test_a_row_that_changes_lights_up(both: Notebook):
    row = both.panel.locator("[data-order='9']").first
    row.evaluate(
        """row => new MutationObserver(() => {
            const [flash] = row.getAnimations();
            if (!flash) return;
            flash.currentTime = 0;
            window.flashed = getComputedStyle(row).backgroundColor;
        }).observe(row, { subtree: true, childList: true, characterData: true, attributes: true })"""
    )
    both.execute("with writing(panel.views[0].side.queue.engine) as session: session.get(Order, 9).amount += 1")
    both.page.wait_for_function("window.flashed")
    assert both.page.evaluate("window.flashed") != "rgba(0, 0, 0, 0)"


def test_the_lens_scrolls_with_the_page(both: Notebook):
    both.click("New order")
    both.click("SQL")
    lens = both.panel.locator(".taskref-lenses")
    expect(lens.locator("tr")).not_to_have_count(0)
    assert (
        lens.evaluate(
            "one => [one, ...one.querySelectorAll('*')].filter(part => part.scrollHeight > part.clientHeight + 1"
            " && /auto|scroll/.test(getComputedStyle(part).overflowY)).length"
        )
        == 0
    )
    both.click("SQL")


def test_a_panel_that_has_stopped_shows_its_last_moment__and_takes_nothing(both: Notebook):
    both.click("New order")
    both.click("Pay")
    row = both.panel.locator("[data-task]").last
    expect(row).to_contain_text("pending")
    both.panel.locator("[data-order='9'] .taskref-more").first.click()
    details = both.panel.locator(".taskref-details").first
    expect(details).to_contain_text("customer")
    # As wide as there is room: JupyterLab has rules of its own for such a list.
    assert (
        details.evaluate("one => one.getBoundingClientRect().right - one.lastChild.getBoundingClientRect().right") < 12
    )
    both.panel.locator("[data-order='9'] .taskref-more").first.click()
    both.execute("panel.stop()")
    both.expect_status("stopped: re-run this cell to make it live")
    waited = row.get_by_role("img")
    expect(waited).to_have_count(1)
    both.page.wait_for_timeout(300)
    at_the_end = waited.get_attribute("aria-label")
    chosen = both.panel.get_by_label("Selected order").input_value()
    other = both.panel.locator(f"[data-order]:not([data-order='{chosen}'])").last
    other.click()
    both.panel.locator(".taskref-orders .taskref-rows").last.press("Home")
    both.panel.locator(".taskref-orders .taskref-rows").last.press(" ")
    for side in both.panel.locator(".taskref-side").all():
        expect(side.locator(".taskref-selected")).to_have_attribute("data-order", chosen)
    expect(both.panel.get_by_label("Selected order")).to_have_value(chosen)
    both.page.wait_for_timeout(1000)
    assert waited.get_attribute("aria-label") == at_the_end


def test_without_its_kernel_a_panel_says_so__and_nothing_is_moved(both: Notebook):
    pay = both.button("Pay")
    before = pay.bounding_box()
    both.page.evaluate(f"{CONTEXT}.sessionContext.session.kernel.restart()")
    both.expect_status("this panel's kernel has ended or was restarted: run the cells again to make it live")
    expect(pay).to_have_attribute("aria-disabled", "true")
    assert pay.bounding_box() == before  # JupyterLab marks each widget by an icon before it
    pay.click(force=True)
    both.expect_status("this panel's kernel has ended or was restarted: run the cells again to make it live")
    both.panel.locator("[data-order='9'] .taskref-more").first.click()
    expect(both.panel.locator(".taskref-details").first).to_contain_text("the kernel knows the details")
