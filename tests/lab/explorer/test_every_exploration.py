"""Each exploration of exercises and notebooks says what the exhaustive walk says.

Those of the tests: `python -m pytest -p tests.lab.explorer.oracle tests/lab`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.exercise import catalog
from taskref_edu.exercises.loader import attempt_from
from taskref_edu.series.build import build_into
from taskref_edu.series.notebook import solution_of
from taskref_edu.series.source import sources
from tests.lab.explorer import oracle

ROOT = Path(__file__).parents[3]
QUICK = ("3.2", "8.3")
EXPLORING = ("1.2", "3.3", "3.4", "4.2", "4.3", "6.2", "7.1", "8.1", "8.2", "8.4", "9.1", "9.2")
NOTEBOOKS = [path.stem for path in sources(ROOT / "authoring") if "explore" in path.read_text(encoding="utf-8")]
IN_A_KERNEL = """
from tests.lab.explorer import oracle as _oracle
_collecting = _oracle.collected()
_asked = _collecting.__enter__()
"""
AFTERWARDS = """
_collecting.__exit__(None, None, None)
print("compared:", *(_oracle.compare(*each) for each in _asked))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a learner's progress."""
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    return tmp_path


@pytest.mark.parametrize("id", [*QUICK, *(pytest.param(id, marks=pytest.mark.nightly) for id in EXPLORING)])
def test_of_an_exercise(id: str) -> None:
    exercise = catalog()[id]
    wrong = [] if id in QUICK else [wrong.code for wrong in exercise.wrong_answers]
    with oracle.collected() as asked:
        for code in (exercise.solution, *wrong):
            check_attempt(attempt_from(id, exercise.cell(code), ()))
    assert asked
    for each in asked:
        print(id, oracle.compare(*each))  # -s shows it


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:(zmq|tornado|jupyter|nbclient)")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_of_a_notebook(name: str, home: Path) -> None:
    build_into(ROOT / "authoring", home, solution_of)
    notebook = nbformat.read(home / f"{name}.ipynb", as_version=4)
    cells = [nbformat.v4.new_code_cell(code) for code in (IN_A_KERNEL, AFTERWARDS)]
    notebook.cells = [cells[0], *notebook.cells, cells[1]]
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": home}})
    with warnings.catch_warnings():
        client.execute()
    told = "".join(output.text for output in notebook.cells[-1].outputs if output.output_type == "stream")
    assert "compared:" in told
    print(name, told)
