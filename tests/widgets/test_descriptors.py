"""A cell with a panel that is run again and again keeps no file open for the panels before."""

from __future__ import annotations

import sys

import nbformat
import pytest
from nbclient import NotebookClient

LIMIT = 256  # descriptors that macOS gives a process
PANEL = """
from taskref_edu import TaskQueue, open_database
from taskref_edu.widgets import Panel

panel = Panel(TaskQueue(open_database()), "both")
panel
"""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no limit on descriptors there"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),  # of the kernel's client
]


@pytest.mark.nightly
def test_a_panels_cell_can_be_run_thirty_times() -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(text) for text in (limit(LIMIT), PANEL)]
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    with client.setup_kernel():
        client.execute_cell(notebook.cells[0], 0)
        for _ in range(30):  # a cell that raises ends the test
            client.execute_cell(notebook.cells[1], 1)


def limit(descriptors: int) -> str:
    return f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors}))"
