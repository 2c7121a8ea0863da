"""pytest over notebooks, in a process of its own as a learner starts it; over other people's it does nothing.

What it costs where only the core is installed: `tests/environments/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_taskref_edu import answers_ours
from taskref_edu.exercises.exercise import IMPORT, find
from taskref_edu.exercises.progress import Progress

ROOT = Path(__file__).parents[2]
PLUGIN = "pytest_taskref_edu"
STUB, SOLVED = find("1.1").cell(), find("1.1").cell(find("1.1").solution)
WRONG = find("1.1").cell(find("1.1").wrong_answers[0].code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the working directory."""
    (tmp_path / "authoring").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, name: str, *cells: str, prose: str = "Prose.") -> Path:
    """A notebook with these code cells, each below a cell of prose."""
    made = [
        {"cell_type": kind, "metadata": {}, "source": text, "id": f"{kind}{number}"}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for number, cell in enumerate(cells)
        for kind, text in (("markdown", prose), ("code", cell))
    ]
    path = folder / "notebooks" / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    named = [] if installed else ["-p", PLUGIN]
    quiet = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *named, *quiet, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_one_item_for_each_exercise(folder: Path) -> None:
    write(folder, "00_start_here", "x = 1")
    write(folder, "01_two_arrows", SOLVED, find("1.2").cell())
    code, out = run_pytest(folder, "notebooks", "-v", "-rs")
    assert code == 0
    assert "notebooks/01_two_arrows.ipynb::1.1 PASSED" in out
    assert "notebooks/01_two_arrows.ipynb::1.2 SKIPPED" in out
    assert "01_two_arrows.ipynb: 1.2 All or nothing is not attempted" in out
    assert "collected 2 items" in out
    assert not Progress().path.exists()


@pytest.mark.nightly
def test_selected_by_id__the_outcome_is_shown(folder: Path) -> None:
    write(folder, "01_two_arrows", WRONG, find("1.2").cell() + "(", SOLVED.replace("1.1", "7.77"))
    code, out = run_pytest(folder, "notebooks/01_two_arrows.ipynb", "-k", "1.1")
    assert code == 1
    assert "1 failed, 2 deselected" in out
    assert "the order's own id was compared with the task's" in out
    assert "Traceback" not in out
    code, out = run_pytest(folder, "notebooks/01_two_arrows.ipynb::1.2")
    assert code == 1
    assert "Cell 4, line" in out
    code, out = run_pytest(folder, "notebooks", "-k", "7.77")
    assert "exercise '7.77' not found" in out


@pytest.mark.slow
def test_a_broken_notebook_of_ours_fails_by_name__and_the_run_goes_on(folder: Path) -> None:
    text = write(folder, "01", SOLVED).read_text()
    (folder / "notebooks" / "01.ipynb").write_text(text[:-20])  # as a merge or a full disk leaves it
    write(folder, "02", SOLVED, SOLVED)
    code, out = run_pytest(folder, "notebooks", "-rA")
    assert code == 1
    assert "01.ipynb is not JSON (line 1:" in out
    assert "1 failed, 1 passed" in out
    assert "The cells 2, 4 answer 1.1; the last one counts." in out


OTHERS_DECORATOR = 'def exercise(id):\n    return lambda function: function\n\n@exercise("warm-up")\ndef f(): ...'


@pytest.mark.slow
def test_a_decorator_of_another_name_beside_ours_is_left_alone(folder: Path) -> None:
    write(folder, "mixed", "import taskref_edu.exercises as lab", "from unittest.mock import exercise", WRONG_FRAMEWORK)
    code, out = run_pytest(folder, "notebooks")
    assert code == 5, out  # pytest's own code for: no tests


WRONG_FRAMEWORK = '@exercise("their own")\ndef f(): ...'
OURS = {
    "from": SOLVED,
    "module": f"from taskref_edu import exercises\n{STUB}",
    "module, among others": 'from taskref_edu import Order, exercises\n@exercises.exercise("1.1")\ndef order_of(): ...',
    "import as": 'import taskref_edu.exercises as ex\n@ex.exercise("1.1")\ndef order_of(): ...',
    "on several lines": f"from taskref_edu import (\n    Order,\n    exercises,\n)\n{STUB}",
    "in a cell with a magic": f"%matplotlib inline\n{SOLVED}",
    "indented": f"try:\n    {IMPORT}\nexcept ImportError:\n    raise\n{STUB}",
}
NOT_OURS = {
    "their own decorator": OTHERS_DECORATOR,
    "our queue, their own decorator": f"from taskref_edu import TaskQueue\n{OTHERS_DECORATOR}",
    "another package of nearly our name": f"import taskref_edu_extras.exercises\n{OTHERS_DECORATOR}",
    "in a text": f'CELL = """\n{IMPORT}\n""" + \'\\d\'\n{OTHERS_DECORATOR}',
    "a comment": f"# as in taskref_edu.exercises\n{OTHERS_DECORATOR}",
}


@pytest.mark.parametrize("name", OURS)
def test_ours(folder: Path, name: str) -> None:
    assert answers_ours(write(folder, "a", "x = 1", OURS[name]))


@pytest.mark.parametrize("name", NOT_OURS)
def test_not_ours(folder: Path, name: str) -> None:
    assert not answers_ours(
        write(folder, "a", NOT_OURS[name], prose="See `from taskref_edu.exercises import exercise`.")
    )


@pytest.mark.parametrize(
    "text", ["", "{", "exercise(", '{"cells": [1, "exercise(", "taskref_edu"]}', "\0exercise(taskref_edu"]
)
def test_files_that_are_no_notebooks_are_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    assert not answers_ours(tmp_path / "a.ipynb")
    assert not answers_ours(tmp_path / "missing.ipynb")


def test_a_run_of_another_project_imports_nothing_of_ours(folder: Path) -> None:
    for name, cell in NOT_OURS.items():
        write(folder, name, cell)
    (folder / "notebooks" / "broken.ipynb").write_text('{"cells": "exercise(')
    (folder / "test_theirs.py").write_text(
        "import sys\n\ndef test_modules():\n"
        "    assert [name for name in sys.modules if name.split('.')[0] == 'taskref_edu'] == []\n"
    )
    code, out = run_pytest(folder)
    assert code == 0, out
    assert "1 passed" in out
