"""The progress file: whole at every moment, shared by kernels, never lost."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taskref_edu.exercises.loader import Attempt
from taskref_edu.exercises.outcomes import Outcome, Verdict
from taskref_edu.exercises.progress import KEPT, Progress, home
from taskref_edu.exercises.scoreboard import scoreboard
from taskref_edu.exercises.series_map import series_map


def record(verdict: Verdict = Verdict.FAILED, source: str = "x = 1", id: str = "1.1") -> None:
    Progress().record(Attempt(id, source, ("import math",)), Outcome(id, "Title", verdict, "What.", "Do."))


def test_nothing_is_there_at_first(home: Path) -> None:
    assert Progress().read() == {"exercises": {}, "guesses": {}}
    assert not home.exists()


def test_an_attempt_is_kept_with_what_it_needs() -> None:
    record(Verdict.FAILED, "one")
    record(Verdict.PASSED, "two")
    entry = Progress().exercise("1.1")
    assert (entry["outcome"], entry["checks"]) == ("passed", 2)
    assert [kept["source"] for kept in entry["attempts"]] == ["one", "two"]
    assert Progress().last_attempt("1.1") == Attempt("1.1", "two", ("import math",))


def test_passed_once_is_remembered() -> None:
    record(Verdict.PASSED)
    record(Verdict.ERROR)
    row = scoreboard(Progress().read()["exercises"]).rows[0]
    assert (row.passed, row.state) == (True, "▲ raised an error, passed before")


def test_a_stub_is_no_attempt(home: Path) -> None:
    record(Verdict.NOT_ATTEMPTED)
    assert not home.exists()


def test_the_same_text_is_kept_once_and_many_are_bounded() -> None:
    for number in range(KEPT + 5):
        record(source=f"x = {number}")
        record(source=f"x = {number}")
    sources = [kept["source"] for kept in Progress().exercise("1.1")["attempts"]]
    assert sources == [f"x = {number}" for number in range(5, KEPT + 5)]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "",
        "[]",
        '{"exercises": []}',
        '{"exercises": {"1.1": 3}}',
        '{"exercises": {"1.1": {"attempts": [{}]}}}',
        '{"exercises": {"1.1": {"attempts": [{"source": 1}]}}}',
        '{"exercises": {"1.1": {"attempts": null}}}',
        '{"exercises": {"1.1": {"hints": "two"}}}',
        "[" * 100_000,
        "\ud800",
    ],
)
def test_a_damaged_file_is_set_aside_and_said(home: Path, text: str) -> None:
    home.mkdir()
    (home / "progress.json").write_bytes(text.encode(errors="surrogatepass"))
    progress = Progress()
    assert progress.read() == {"exercises": {}, "guesses": {}}
    (aside,) = home.glob("progress.damaged-*.json")
    assert aside.read_bytes() == text.encode(errors="surrogatepass")
    (note,) = progress.take_notes()
    assert aside.name in note
    assert "`taskref check` rebuilds" in note
    record()
    assert Progress().exercise("1.1")["outcome"] == "failed"


def test_what_a_newer_version_added_stays(home: Path) -> None:
    home.mkdir()
    (home / "progress.json").write_text('{"exercises": {"1.1": {"colour": "red"}}, "badges": [1]}')
    record()
    known = json.loads((home / "progress.json").read_text())
    assert known["badges"] == [1]
    assert known["exercises"]["1.1"]["colour"] == "red"


def test_a_folder_that_cannot_be_made_is_said__and_remembered_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / "file" / "home"))
    progress = Progress()
    assert progress.change("exercises", "1.1", lambda entry: entry.update(hints=1)) == {"hints": 1}
    assert "Progress was not saved" in progress.take_notes()[0]
    assert progress.take_notes() == []
    assert Progress().read()["exercises"] == {"1.1": {"hints": 1}}
    (tmp_path / "file").unlink()
    assert progress.change("exercises", "1.1", lambda entry: entry.update(asked=1)) == {"hints": 1, "asked": 1}
    assert json.loads(progress.path.read_text())["exercises"] == {"1.1": {"hints": 1, "asked": 1}}


def test_threads_do_not_overwrite_each_other() -> None:
    def add(number: int) -> None:
        Progress().change("exercises", f"{number % 3}", lambda entry: entry.update(n=entry.get("n", 0) + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(60)))
    assert [entry["n"] for entry in Progress().read()["exercises"].values()] == [20, 20, 20]


@pytest.mark.slow
@pytest.mark.nightly
def test_processes_do_not_overwrite_each_other(home: Path) -> None:
    program = (
        "from taskref_edu.exercises.progress import Progress\n"
        "for _ in range(50):\n"
        "    Progress().change('guesses', 'a', lambda entry: entry.update(n=entry.get('n', 0) + 1))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2]) for _ in range(4)]
    assert [one.wait(60) for one in running] == [0] * 4
    assert Progress().read()["guesses"]["a"]["n"] == 200
    assert sorted(path.name for path in home.iterdir()) == ["lock", "progress.json"]


def test_home_is_in_the_clone_around_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKREF_HOME")
    (tmp_path / "authoring").mkdir()
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert home() == tmp_path / ".taskref"
    monkeypatch.setenv("TASKREF_HOME", "~/elsewhere")
    assert home() == Path("~/elsewhere").expanduser()


def test_the_scoreboard_as_text_and_as_html() -> None:
    record(Verdict.PASSED)
    board = scoreboard(Progress().read()["exercises"], ["<note>"])
    first, *_, note = str(board).splitlines()
    assert first.startswith("★ 1.1   Follow the arrow")
    assert first.endswith("✔ passed")
    assert board.summary.startswith("1 of ")
    assert note == "Note: <note>"
    html = series_map(board, {})._repr_html_()
    assert html.count("&lt;note&gt;") == 1
    assert "<caption>" in html
    assert 'scope="col"' in html
