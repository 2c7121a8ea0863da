"""The exercises from a terminal: `taskref check`, `hint`, `progress`, `reset`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taskref_edu.cli import command as cli
from taskref_edu.exercises.exercise import find
from taskref_edu.exercises.progress import Progress

STUB, SOLVED = find("1.1").cell(), find("1.1").cell(find("1.1").solution)
WRONG = find("1.1").cell(find("1.1").wrong_answers[0].code)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's clone, without a notebook yet; the working directory."""
    (tmp_path / "authoring").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(clone: Path, name: str, *cells: str) -> Path:
    """A notebook with these code cells, each below a cell of prose."""
    both = [("markdown", "Prose."), ("code", "")]
    made = [
        {"cell_type": kind, "metadata": {}, "source": text or cell, "id": f"{kind}{number}"}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for number, cell in enumerate(cells)
        for kind, text in both
    ]
    path = clone / "notebooks" / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def taskref(*arguments: str) -> int:
    return cli.run(cli.parser(), arguments)


def test_check_all(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", SOLVED, find("1.2").cell())
    write(clone, "00_start_here", "x = 1")
    assert taskref("check") == 0
    assert capsys.readouterr().out.splitlines() == [
        "01_two_arrows.ipynb",
        "✔ 1.1 Follow the arrow: passed",
        "○ 1.2 All or nothing: not attempted",
        "",
        "1 passed, 1 not attempted",
    ]
    assert Progress().exercise("1.1")["outcome"] == "passed"


def test_what_needs_attention_is_shown_whole(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", WRONG, find("1.2").cell())
    assert taskref("check") == 1
    out = capsys.readouterr().out
    assert "✘ 1.1 Follow the arrow: failed\n  " in out
    assert out.count("Next:") == 1
    taskref("check", "1.2")
    assert "Next:" in capsys.readouterr().out


@pytest.mark.parametrize(("cell", "code"), [(SOLVED, 0), (STUB, 0), (WRONG, 1), (SOLVED + "(", 1)])
def test_check_one_and_its_exit_code(clone: Path, cell: str, code: int) -> None:
    path = write(clone, "01_two_arrows", cell)
    assert taskref("check", "1.1") == taskref("check", str(path)) == taskref("check") == code


def test_a_syntax_error_names_the_cell_and_stops_no_other(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", find("1.2").cell() + "def (", SOLVED, "also not ( Python")
    assert taskref("check") == 1
    out = capsys.readouterr().out
    assert "Cell 2, line 8: invalid syntax" in out
    assert "✔ 1.1 Follow the arrow: passed" in out


def test_of_two_cells_with_one_id_the_last_counts(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", SOLVED, WRONG)
    assert taskref("check") == 1
    assert "The cells 2, 4 answer 1.1; the last one counts." in capsys.readouterr().out


def test_an_id_that_is_not_in_the_catalog(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", STUB.replace("1.1", "1.111"), SOLVED)
    assert taskref("check") == 1
    assert "exercise '1.111' not found; there are 1.1" in (out := capsys.readouterr().out)
    assert "1 passed, 1 raised an error" in out


def test_check_rebuilds_a_damaged_progress(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "01_two_arrows", SOLVED)
    Progress().folder.mkdir()
    Progress().path.write_text("{")
    assert taskref("check") == 0
    assert "Note: `progress.json` could not be read" in capsys.readouterr().out
    assert Progress().exercise("1.1")["outcome"] == "passed"


BROKEN = {
    "not JSON": "{",
    "and not a notebook": '{"exercise(": 1}',
    "a cell that is not an object": '{"cells": ["exercise("]}',
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_notebook_is_one_line_and_stops_no_other(
    clone: Path, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(clone, "02", SOLVED)
    (clone / "notebooks" / "01.ipynb").write_text(BROKEN[said])
    assert taskref("check") == 1
    assert f"{said}" in (out := capsys.readouterr().out)
    assert "✔ 1.1 Follow the arrow: passed" in out
    assert taskref("check", "1.1") == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("9.9", "'9.9' is neither an exercise (1.1, "),
        ("nothing.ipynb", "nothing.ipynb not found"),
        ("1.2", "answers 1.2"),
        ("notebooks/00.ipynb", "answers no exercise"),
    ],
)
def test_targets_that_are_not_there(clone: Path, target: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(clone, "00", "x = 1")
    write(clone, "01", SOLVED)
    assert taskref("check", target) == 1
    assert said in capsys.readouterr().err


def test_no_notebooks_at_all(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert taskref("check") == 1
    assert "run this inside a clone" in capsys.readouterr().err


def test_hint_and_progress(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert taskref("hint", "1.1") == taskref("hint", "1.1") == taskref("progress") == 0
    out = capsys.readouterr().out
    assert "Hint 2 of 3 for 1.1" in out
    assert "1.1   Follow the arrow" in out
    assert taskref("hint", "9.9") == 1


def test_reset_puts_the_stub_back_and_keeps_the_attempt(clone: Path) -> None:
    path = write(clone, "01_two_arrows", "x = 1", WRONG)
    assert taskref("reset", "1.1") == 0
    cells = json.loads(path.read_text())["cells"]
    assert "".join(cells[3]["source"]) == STUB.rstrip("\n")
    assert cells[1]["source"] == "x = 1"
    entry = Progress().exercise("1.1")
    assert entry["attempts"][-1]["source"] == WRONG
    assert entry["outcome"] == "not attempted"
    assert taskref("check") == 0


def test_reset_of_what_is_in_no_notebook(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert taskref("reset", "1.1") == 1
    assert "answers 1.1" in capsys.readouterr().err
