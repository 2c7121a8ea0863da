"""What a learner does first: open 00, run everything, enqueue, cancel, watch; then load the page again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .lab import Notebook

FIRST = "notebooks/00_start_here.ipynb"


@pytest.mark.nightly
def test_enqueue_three_cancel_one_watch_the_others__again_after_a_reload(alone: Notebook):
    alone.open(FIRST)
    alone.run_all()
    for number in (1, 2, 3):
        alone.click("New order")
        alone.expect_status(f"order {number}: new")
        alone.click("Pay")
        alone.expect_status(f"order {number}: payment enqueued as task {number}")
    alone.select_order(2)
    alone.expect_task(2, "pending")
    alone.click("Cancel payment")
    alone.expect_status("order 2: payment cancelled")
    alone.click("Start worker")
    alone.expect_task(1, "running")
    alone.screenshot("start-here")
    alone.expect_task(1, "succeeded")
    alone.expect_task(2, "cancelled")
    alone.expect_task(3, "succeeded")

    alone.save_and_reload()
    alone.run_cell("panel = Panel(")
    expect(alone.panel.locator(".taskref-tasks")).to_contain_text("none yet")
    expect(alone.panel).to_have_count(1)
    alone.click("New order")
    alone.click("Pay")
    alone.click("Step")
    alone.expect_task(1, "succeeded")
