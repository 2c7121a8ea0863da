"""What a learner does first: open 00, run everything, enqueue, cancel, watch."""

from __future__ import annotations

FIRST = "notebooks/00_start_here.ipynb"


def test_enqueue_three_cancel_one_watch_the_others__then_reload(notebook):
    notebook.open(FIRST)
    notebook.run_all()
    for number in (1, 2, 3):
        notebook.click("New order")
        notebook.expect_status(f"order {number}: new")
        notebook.click("Pay")
        notebook.expect_status(f"order {number}: payment enqueued as task {number}")
    notebook.expect_task(2, "pending")
    notebook.panel.get_by_label("Selected order").select_option(label="2 (Edsger)")
    notebook.screenshot("before")
    notebook.click("Cancel payment")
    notebook.expect_status("order 2: payment cancelled")
    notebook.click("Start")
    notebook.expect_task(1, "running")
    notebook.screenshot("running")
    notebook.expect_task(1, "succeeded")
    notebook.expect_task(2, "cancelled")
    notebook.expect_task(3, "succeeded")
    notebook.screenshot("after")
