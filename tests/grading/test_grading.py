"""Grading a folder: honest rows for good work, and one spoilt row for whatever else comes in."""

from __future__ import annotations

import csv
import json
import os
import re
import threading
from pathlib import Path

import pytest

from taskref_edu.cli.command import parser, run
from taskref_edu.exercises.exercise import catalog, find
from taskref_edu.grading import grade
from taskref_edu.grading.grader import BadFolder, Grade
from taskref_edu.grading.report import write_report, wrong_answers_met

SOLVED = find("1.1").cell(find("1.1").solution)
WRONG = find("1.1").wrong_answers[0]


def notebook(path: Path, *cells: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": c} for c in cells]
    path.write_text(json.dumps({"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def attempt(body: str) -> str:
    lines = "\n    ".join(body.splitlines())
    head = 'import ctypes, os, sys\nfrom taskref_edu.exercises import exercise\n\n@exercise("1.1")\n'
    return f"{head}def order_of(session, task):\n    {lines}\n"


def verdicts(grades: list[Grade]) -> dict[str, dict[str, str]]:
    return {one.learner: {id: result["verdict"] for id, result in one.results.items()} for one in grades}


def test_good_wrong_untouched_and_missing(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "01.ipynb", SOLVED, find("1.2").cell())
    notebook(tmp_path / "bob.ipynb", find("1.1").cell(WRONG.code))
    (tmp_path / "cleo").mkdir()
    grades = grade(tmp_path, jobs=2)
    assert verdicts(grades) == {
        "ann": {"1.1": "passed", "1.2": "not attempted"},
        "bob": {"1.1": "failed"},
        "cleo": {},
    }
    assert grades[2].problems == ["no notebook found"]
    assert wrong_answers_met(grades) == {("1.1", WRONG.message): 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("os._exit(0)", "would end the kernel", id="_exit"),
        pytest.param("ctypes.CDLL(None)._exit(0)", "without a result", id="_exit of C"),
        pytest.param('ctypes.CDLL(None)["raise"](9)', "by signal 9", id="kill", marks=pytest.mark.nightly),
        pytest.param("sys.exit(0)", "SystemExit", id="exit", marks=pytest.mark.nightly),
        pytest.param("return [0] * (1 << 33)", "MemoryError", id="memory", marks=pytest.mark.nightly),
        pytest.param(
            "open('big', 'wb').write(b'x' * (1 << 27))",
            "signal|OSError|File too large",
            id="file size",
            marks=pytest.mark.nightly,
        ),
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="attempts have processes of their own only where there is fork")
def test_a_hostile_attempt_spoils_its_own_line_only(tmp_path: Path, body: str, said: str) -> None:
    notebook(tmp_path / "eve.ipynb", attempt(body), find("1.2").cell(find("1.2").solution))
    (one,) = grade(tmp_path)
    assert verdicts([one]) == {"eve": {"1.1": "raised an error", "1.2": "passed"}}
    assert re.search(said, one.results["1.1"]["text"])


@pytest.mark.nightly
def test_what_an_attempt_prints_is_no_result(tmp_path: Path) -> None:
    forged = json.dumps({"notebook": "x", "id": "1.2", "verdict": "passed", "message": "", "text": ""})
    line = (forged + "\n").encode()
    body = f"for channel in range(1, 20):\n    try: os.write(channel, {line!r})\n    except OSError: pass"
    notebook(tmp_path / "eve.ipynb", attempt(body), find("1.2").cell())
    (one,) = grade(tmp_path)
    assert one.results["1.2"]["verdict"] == "not attempted"
    assert one.results["1.1"]["verdict"] != "passed"


@pytest.mark.nightly
def test_broken_files_are_said_and_the_others_graded(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "good.ipynb", SOLVED)
    (tmp_path / "ann" / "broken.ipynb").write_text('{"cells": [')
    (tmp_path / "bob.ipynb").write_text("[]")
    notebook(tmp_path / "cleo.ipynb", "x = (", SOLVED)
    ann, bob, cleo = grade(tmp_path)
    assert ann.results["1.1"]["verdict"] == cleo.results["1.1"]["verdict"] == "passed"
    assert "broken.ipynb is not JSON" in ann.problems[0]
    assert "is JSON, and not a notebook" in bob.problems[0]


@pytest.mark.nightly
def test_of_two_answers_the_better_one_counts(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "1.ipynb", SOLVED)
    notebook(tmp_path / "ann" / "2.ipynb", find("1.1").cell(WRONG.code))
    (one,) = grade(tmp_path)
    assert one.results["1.1"]["verdict"] == "passed"
    assert "both answer 1.1; the better one counts" in one.problems[0]


def test_a_submission_over_its_time_keeps_what_was_checked(tmp_path: Path) -> None:
    notebook(tmp_path / "ann.ipynb", SOLVED)
    (one,) = grade(tmp_path, seconds=0.01)
    assert one.problems == ["not done after 0 s; what was checked by then counts"]


@pytest.mark.nightly
def test_the_environment_is_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    notebook(tmp_path / "eve.ipynb", attempt("raise ValueError(sorted(os.environ))"))
    (one,) = grade(tmp_path)
    assert "ValueError" in one.results["1.1"]["text"]
    assert "SECRET_TOKEN" not in one.results["1.1"]["text"]


def test_the_report(tmp_path: Path) -> None:
    hostile = "=cmd|' /C calc'!A0"
    passed = {"1.1": {"verdict": "passed", "message": "All.", "text": "✔ ```\n<script>alert(1)</script>"}}
    grades = [Grade(hostile, passed, ["<img src=x onerror=alert(1)>"]), Grade("../../bob", {}, ["no notebook found"])]
    table, summary, *pages = write_report(grades, tmp_path / "out", "files")
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["passed"] for row in rows] == ["1", "0"]
    assert rows[0]["learner"] == f"'{hostile}", "no formula"
    assert list(rows[0])[3:-1] == list(catalog())
    assert rows[1]["1.1"] == "missing"
    assert all(page.parent == tmp_path / "out" / "learners" for page in pages)
    text = pages[0].read_text(encoding="utf-8")
    assert "<img" not in text
    assert text.count("````") == 2, "the fence is longer than the one inside"
    assert "2 submissions" in summary.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["=1", " =1", "\t=1", "\n=1", "＝1", "-1", "@x", "ann;=1", 'a"b', "a\nb", "a,b", "Ann", "ann"]
)
def test_in_a_spreadsheet_a_name_is_text_and_one_cell(tmp_path: Path, name: str) -> None:
    table, *_ = write_report([Grade(name)], tmp_path, "files")
    text = table.read_text(encoding="utf-8")
    for delimiter in ",;":
        _, (first, *_) = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
        assert name in first
        assert first.lstrip()[0] not in "=+-@＝"


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_submissions_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFolder, match="for each learner"):
        grade(tmp_path / name)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path / "class" / "ann.ipynb", SOLVED)
    assert run(parser(), ["grade", str(tmp_path / "class"), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 0
    assert "1 of 1 submissions graded" in capsys.readouterr().err
    (tmp_path / "class" / "bob.ipynb").write_text("nonsense")
    assert run(parser(), ["grade", str(tmp_path / "class"), "-o", str(tmp_path / "out")]) == 1


def test_nobody_vanishes(tmp_path: Path) -> None:
    notebook(tmp_path / "eve.IPYNB", SOLVED)
    notebook(tmp_path / "fay.ipynb.json", SOLVED)
    notebook(tmp_path / "gus" / "work.IPYNB", SOLVED)
    notebook(tmp_path / "gus" / "__MACOSX" / "._work.ipynb", SOLVED)
    (tmp_path / "gus" / "link.ipynb").symlink_to(tmp_path / "eve.IPYNB")
    notebook(tmp_path / "__MACOSX" / "ann" / "._x.ipynb", SOLVED)
    (tmp_path / "._x.ipynb").write_bytes(b"\0")
    (tmp_path / "dan.zip").write_bytes(b"PK")
    (tmp_path / "hal.txt").write_text("my answers")
    grades = grade(tmp_path, jobs=2)
    assert verdicts(grades) == {
        "dan": {},
        "eve": {"1.1": "passed"},
        "fay": {},
        "gus": {"1.1": "passed"},
        "hal": {},
    }
    said = {one.learner: "; ".join(one.problems) for one in grades}
    assert "dan.zip is an archive" in said["dan"]
    assert "fay.ipynb.json does not end in .ipynb" in said["fay"]
    assert said["gus"] == "link.ipynb is a link, and was not followed: hand in the file itself"
    assert "hal.txt is no notebook" in said["hal"]


@pytest.mark.nightly
def test_odd_files_are_graded_or_named(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    notebook(folder / "bom.ipynb", SOLVED)
    (folder / "bom.ipynb").write_bytes(b"\xef\xbb\xbf" + (folder / "bom.ipynb").read_bytes())
    notebook(folder / "crlf.ipynb", SOLVED.replace("\n", "\r\n"))
    cell = {"cell_type": "code", "metadata": {}, "source": SOLVED, "outputs": [{"text": "x" * (50 << 20)}]}
    (folder / "large.ipynb").write_text(json.dumps({"cells": [cell]}))
    (folder / "three.ipynb").write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": []}]}))
    (folder / "deep.ipynb").write_text("[" * 200_000)
    (folder / "empty.ipynb").write_bytes(b"")
    (folder / "other.ipynb").write_text('{"cells": [{"cell_type": "code", "source": [1, null]}]}')
    notebook(tmp_path / "elsewhere" / "work.ipynb", SOLVED)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "folder" / "work.ipynb").mkdir(parents=True)
    grades = {one.learner: one for one in grade(folder, jobs=2)}
    assert [name for name, one in grades.items() if one.results] == ["bom", "crlf", "large"]
    assert all(one.results["1.1"]["verdict"] == "passed" for one in grades.values() if one.results)
    for name, said in {
        "three": "of format 3",
        "deep": "is not JSON",
        "empty": "the file is empty",
        "other": "no cell answers an exercise",
        "linked": "linked is a link, and was not followed",
        "folder": "work.ipynb is no regular file",
    }.items():
        assert said in grades[name].problems[0]


@pytest.mark.nightly
def test_names_and_texts_that_are_no_unicode_cost_only_their_row(tmp_path: Path) -> None:
    name = os.fsdecode(b"m\xfcller")
    try:
        notebook(tmp_path / "class" / name / "a.ipynb", attempt(r"raise ValueError(chr(0xd800) + 'x')"))
    except OSError:
        pytest.skip("this file system takes no such name")
    notebook(tmp_path / "class" / "ann.ipynb", SOLVED)
    grades = grade(tmp_path / "class")
    table, *_ = write_report(grades, tmp_path / "out", "none")
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [(row["learner"], row["1.1"]) for row in rows] == [
        ("ann", "passed"),
        ("m\\udcfcller", "raised an error"),
    ]


@pytest.mark.nightly
def test_a_submission_that_cannot_be_read_costs_only_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook(tmp_path / "ann.ipynb", SOLVED)
    notebook(tmp_path / "bob.ipynb", SOLVED)

    def copy(path: Path, target: Path) -> Path:
        if path.name == "bob.ipynb":
            raise OSError(5, "Input/output error")
        target.write_bytes(path.read_bytes())
        return target

    monkeypatch.setattr("shutil.copyfile", copy)
    grades = grade(tmp_path)
    assert verdicts(grades) == {"ann": {"1.1": "passed"}, "bob": {}}
    assert grades[1].problems == ["bob.ipynb could not be read: Input/output error"]


@pytest.mark.nightly
def test_other_processes_of_the_user_count_for_nobody(tmp_path: Path) -> None:
    """A limit on processes counts all of the user's: a desktop has hundreds of threads."""
    notebook(tmp_path / "ann.ipynb", attempt("import threading; threading.Thread(target=print).start()"))
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(300)]
    for thread in threads:
        thread.start()
    try:
        (one,) = grade(tmp_path)
    finally:
        over.set()
    assert "returned nothing" in one.results["1.1"]["text"]


def test_without_a_wall_it_goes_on_only_when_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook(tmp_path / "class" / "ann.ipynb", SOLVED)
    monkeypatch.setattr("taskref_edu.grading.best_level", lambda: "none")
    arguments = ["grade", str(tmp_path / "class"), "-o", str(tmp_path / "out")]
    assert run(parser(), arguments) == 1
    assert "no sandbox can be had here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(parser(), [*arguments, "--no-sandbox"]) == 0
    assert "level none" in (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
