"""What a learner does first: open 00, run everything, enqueue, cancel, watch; then load the page again."""

from __future__ import annotations

from playwright.sync_api import expect

from .lab import Notebook

FIRST = "notebooks/00_start_here.ipynb"


def test_enqueue_three_cancel_one_watch_the_others__again_after_a_reload(notebook: Notebook):
    notebook.open(FIRST)
    notebook.run_all()
    for number in (1, 2, 3):
        notebook.click("New order")
        notebook.expect_status(f"order {number}: new")
        notebook.click("Pay")
        notebook.expect_status(f"order {number}: payment enqueued as task {number}")
    notebook.select_order(2)
    notebook.expect_task(2, "pending")
    notebook.click("Cancel payment")
    notebook.expect_status("order 2: payment cancelled")
    notebook.click("Start")
    notebook.expect_task(1, "running")
    notebook.screenshot("start-here")
    notebook.expect_task(1, "succeeded")
    notebook.expect_task(2, "cancelled")
    notebook.expect_task(3, "succeeded")

    notebook.reload()
    notebook.run_cell("panel = Panel(")
    expect(notebook.panel.locator(".taskref-tasks")).to_contain_text("none yet")
    expect(notebook.panel).to_have_count(1)
    notebook.click("New order")
    notebook.click("Pay")
    notebook.click("Step")
    notebook.expect_task(1, "succeeded")
