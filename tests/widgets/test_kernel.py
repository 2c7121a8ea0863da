"""The panel in a real kernel, without a browser: its cell run twice, and nothing printed."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

PANEL = """\
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel
queue = TaskQueue(open_database())
panel = Panel(queue, approach="{approach}")
panel"""
WATCH = """\
import threading, time
def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, (panel.status, panel.views[-1].static())
        time.sleep(0.01)
panel.set(seconds=0)
for name in ["new_order", "pay"] * 3 + ["cancel", "start"]:
    panel.click(name)
until(lambda: panel.views[-1].static().count("succeeded</span>") == 2)
until(lambda: panel.views[-1].static().count("cancelled</span>") == 1)"""
COUNT = """\
until(lambda: len([t for t in threading.enumerate() if "panel" in t.name]) == 1)
until(lambda: len([t for t in threading.enumerate() if "worker" in t.name]) == 2)  # with its heartbeat"""
STOP = """\
panel.stop()
until(lambda: not [t for t in threading.enumerate() if "panel" in t.name or "worker" in t.name])"""


@pytest.mark.parametrize("approach", [pytest.param("classic", marks=pytest.mark.nightly), "inverted"])
def test_a_notebook_with_a_panel_runs_twice_in_one_kernel(approach: str):
    cells = [PANEL.format(approach=approach), WATCH, PANEL.format(approach=approach), WATCH, COUNT, STOP]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(book, timeout=60, kernel_name="python3").execute()
    live, static = book.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in live.data
    assert "re-run this cell" in live.data["text/plain"]
    assert "re-run this cell to make it live" in static.data["text/html"]
    assert [cell.outputs for cell in book.cells if "Panel" not in cell.source] == [[]] * 4
