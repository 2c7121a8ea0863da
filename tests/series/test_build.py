"""The build: the same bytes every time, ids that stay, and no learner's work lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from taskref_edu.cli import command as cli
from taskref_edu.exercises.catalog import e1_1_follow_the_arrow
from taskref_edu.exercises.cell_parsing import ids_in
from taskref_edu.exercises.exercise import Exercise, find
from taskref_edu.series import build as building
from taskref_edu.series.build import build, build_solutions
from taskref_edu.series.notebook import slug
from taskref_edu.series.source import BadSource, read_source

from .conftest import Series

ANSWER = find("1.1").cell(find("1.1").wrong_answers[0].code)


def cells(path: Path) -> dict[str, str]:
    """The text of each cell by its id."""
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]}


def answer(series: Series, text: str = ANSWER, path: Path | None = None) -> None:
    """Write an answer into the notebook, as JupyterLab would save it: as one string, with outputs."""
    path = path or series.notebook
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if "1.1" in ids_in("".join(cell["source"])):
            cell.update(source=text, outputs=[{"output_type": "stream", "name": "stdout", "text": "x"}])
    path.write_text(json.dumps(notebook))


def kept(series: Series) -> list[Path]:
    return sorted((series.root / ".taskref" / "backup").glob("*/*.ipynb"))


def test_what_the_build_writes(series: Series) -> None:
    (written,) = build(series.root)
    assert (written.path, written.changed, written.kept) == (series.notebook, True, None)
    notebook = nbformat.read(series.notebook, as_version=4)
    nbformat.validate(notebook)
    assert [(cell.id, cell.cell_type) for cell in notebook.cells] == [
        ("title", "markdown"),
        ("begin-text-1", "markdown"),
        ("look-text-1", "markdown"),
        ("recall", "code"),
        ("look-code-1", "code"),
        ("look-code-2", "code"),
        ("the-sum", "code"),
        ("exercise-1-1-goal", "markdown"),
        ("exercise-1-1", "code"),
        ("look-code-3", "code"),
        ("what-we-left-for-later-text-1", "markdown"),
        ("to-take-home-text-1", "markdown"),
        ("progress", "code"),
    ]
    assert notebook.metadata.kernelspec.name == "python3"
    assert "jupytext" not in notebook.metadata
    assert notebook.cells[6].metadata == {"tags": ["hide-input"]}
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_an_explanation_is_package_data_and_not_in_the_notebook(series: Series) -> None:
    package = series.root / "taskref_edu" / "exercises"
    package.mkdir(parents=True)
    kept = package / "explanations.json"
    kept.write_text('{"01-z": "of an earlier build", "02-a": "of another notebook"}')
    build(series.root)
    assert json.loads(kept.read_text()) == {"01-a": "Two is the sum.", "02-a": "of another notebook"}
    assert "Two is the sum." not in series.notebook.read_text()


def test_the_first_cell_comes_from_the_frame(series: Series) -> None:
    build(series.root)
    assert cells(series.notebook)["title"].splitlines() == [
        "# 01 · Two arrows",
        "",
        "**Which way?**",
        "",
        "About 20 minutes.",
        "Afterwards you can:",
        "",
        "- find the order of a task.",
    ]


def test_goal_and_stub_are_the_catalogs(series: Series) -> None:
    build(series.root)
    found = cells(series.notebook)
    assert found["exercise-1-1"] + "\n" == find("1.1").cell()
    assert find("1.1").goal.strip() in found["exercise-1-1-goal"]


def test_one_cell_shows_the_recall_items_and_the_last_one_the_way_on(series: Series) -> None:
    build(series.root)
    text = series.notebook.read_text()
    assert cells(series.notebook)["recall"].endswith('recall("01")')
    assert cells(series.notebook)["progress"].endswith('progress("01")')
    assert "The caller." not in text
    assert "Who commits?" not in text


def test_questions_and_answers_are_package_data(series: Series) -> None:
    package = series.root / "taskref_edu" / "exercises"
    package.mkdir(parents=True)
    series.change("More prose.", "More prose.\n\nIs it\ntwo?")
    series.change("{recall} Who claims?", "{recall} Who claims it?")
    series.change('guess("01-a", None)', 'guess("01-a", choices=range(3))')
    build(series.root)
    (entry,) = json.loads((package / "outline.json").read_text())
    assert (entry["number"], entry["minutes"], entry["exercises"]) == ("01", 20, ["1.1"])
    assert entry["guesses"] == {"01-a": "Is it two?"}
    assert entry["choices"] == {"01-a": [0, 1, 2]}
    assert entry["recall"][1] == {"question": "Who claims it?", "answer": "The worker."}


def test_the_minutes_are_filled_in_wherever_a_table_has_them(series: Series) -> None:
    page = series.root / "authoring" / "README.md"
    page.write_text(
        "| | notebook | minutes |\n|---|---|---|\n| 01 | Two arrows | 99 | x |\n| 02 | Other | 7 |\n\n| 01 | 99 |\n"
    )
    build(series.root)
    assert page.read_text().splitlines()[2:] == [
        "| 01 | Two arrows | 20 | x |",
        "| 02 | Other | 7 |",
        "",
        "| 01 | 99 |",
    ]


def test_a_second_build_changes_nothing(series: Series) -> None:
    build(series.root)
    before = series.notebook.stat().st_mtime_ns
    (written,) = build(series.root)
    assert not written.changed
    assert series.notebook.stat().st_mtime_ns == before
    assert kept(series) == []


def test_an_edit_changes_no_id_and_a_new_cell_only_those_of_its_section(series: Series) -> None:
    build(series.root)
    before = cells(series.notebook)
    series.change("More prose.", "Other prose.")
    build(series.root)
    assert list(cells(series.notebook)) == list(before)
    series.change("Some prose.\n", "Some prose.\n\n+++\n\nNew cell.\n")
    build(series.root)
    assert cells(series.notebook).keys() - before.keys() == {"begin-text-2"}
    series.change("## To take home", "## A new section\n\nText.\n\n+++\n\n## To take home")
    build(series.root)
    assert before.keys() <= cells(series.notebook).keys()


def test_jupytexts_own_front_matter_leaves_no_trace(series: Series) -> None:
    build(series.root)
    before = series.notebook.read_text()
    jupytext = "jupytext:\n  text_representation:\n    format_name: myst\n"
    series.change("title: Two", f"{jupytext}kernelspec:\n  name: x\n  display_name: X\ntitle: Two")
    build(series.root)
    assert series.notebook.read_text() == before


def test_only_the_named_ones(series: Series) -> None:
    (series.root / "authoring" / "02_more.md").write_text(series.source.read_text())
    assert [written.path.name for written in build(series.root, ["02"])] == ["02_more.ipynb"]
    with pytest.raises(BadSource, match="begins with '07'"):
        build(series.root, ["07"])


def test_solutions(series: Series) -> None:
    (path,) = build_solutions(series.root, series.root / "solved")
    assert cells(path)["exercise-1-1"] + "\n" == find("1.1").cell(find("1.1").solution)


# No learner's work is lost


def test_an_answer_is_carried_over_and_the_old_file_kept(series: Series) -> None:
    build(series.root)
    answer(series)
    old = series.notebook.read_bytes()
    series.change("Some prose.", "Better prose.")
    (written,) = build(series.root)
    assert written.carried == ["1.1"]
    found = cells(series.notebook)
    assert found["exercise-1-1"] == ANSWER.rstrip("\n")
    assert found["begin-text-1"] == "Better prose."
    assert [path.read_bytes() for path in kept(series)] == [old]
    assert str(written.kept) in str(written)


def test_a_cell_of_the_learners_own_is_in_the_file_that_is_kept(series: Series) -> None:
    build(series.root)
    notebook = json.loads(series.notebook.read_text())
    notebook["cells"].append({"cell_type": "code", "id": "mine", "metadata": {}, "source": "mine = 1", "outputs": []})
    series.notebook.write_text(json.dumps(notebook))
    (written,) = build(series.root)
    assert written.kept is not None
    assert "mine = 1" in written.kept.read_text()
    assert "mine" not in cells(series.notebook)


def test_the_last_of_two_answers_is_carried(series: Series) -> None:
    build(series.root)
    notebook = json.loads(series.notebook.read_text())
    for text in (ANSWER, ANSWER.replace("return", "return  ")):
        notebook["cells"].append({"cell_type": "code", "id": "x", "metadata": {}, "source": text, "outputs": []})
    series.notebook.write_text(json.dumps(notebook))
    build(series.root)
    assert "return  " in cells(series.notebook)["exercise-1-1"]


def test_an_untouched_stub_gives_way_to_a_new_stub(series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    build(series.root)
    new = Exercise(**{**vars(find("1.1")), "stub": find("1.1").stub.replace("...", "return session.first")})
    monkeypatch.setattr(e1_1_follow_the_arrow, "EXERCISE", new)
    (written,) = build(series.root)
    assert written.carried == []
    assert cells(series.notebook)["exercise-1-1"] + "\n" == new.cell()


def test_an_answer_follows_its_exercise_to_another_notebook(series: Series) -> None:
    build(series.root)
    answer(series)
    moved = series.root / "authoring" / "02_more.md"
    moved.write_text(series.source.read_text())
    series.change("```{exercise} 1.1\n```\n", "")
    first, second = build(series.root)
    assert (first.carried, second.carried) == ([], ["1.1"])
    assert cells(second.path)["exercise-1-1"] == ANSWER.rstrip("\n")
    assert len(kept(series)) == 1


def test_a_copy_does_not_fill_a_stub(series: Series) -> None:
    build(series.root)
    copy = series.notebook.with_name("01_two_arrows-Copy1.ipynb")
    copy.write_bytes(series.notebook.read_bytes())
    answer(series, path=copy)
    (written,) = build(series.root)
    assert not written.changed
    assert ANSWER in cells(copy).values()


def test_a_broken_notebook_is_kept_and_said(series: Series) -> None:
    build(series.root)
    series.notebook.write_text('{"cells": [exercise(')
    (written,) = build(series.root)
    assert "is not JSON" in str(written)
    assert [path.read_text() for path in kept(series)] == ['{"cells": [exercise(']
    assert "exercise-1-1" in cells(series.notebook)


def test_a_failing_write_leaves_the_old_file(series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    build(series.root)
    answer(series)
    old = series.notebook.read_bytes()
    series.change("Some prose.", "Better prose.")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(building, "write_whole", full)
    with pytest.raises(OSError, match="disk full"):
        build(series.root)
    assert series.notebook.read_bytes() == old


# The source


def test_lines_of_blocks(series: Series) -> None:
    lines = series.source.read_text().splitlines()
    for block in read_source(series.source).blocks:
        found = lines[block.line - 1]
        first = block.head if block.kind in ("exercise", "recall", "explain") else (block.text.splitlines() or [""])[0]
        assert first in found or found.startswith(":")


def test_fences_of_other_kinds_are_prose(series: Series) -> None:
    series.change("More prose.", "```sql\n# not a heading\nSELECT 1\n```")
    assert "SELECT 1" in next(block.text for block in read_source(series.source).blocks if "SELECT" in block.text)


def test_a_front_matter_that_is_no_yaml(series: Series) -> None:
    series.change("title: Two", "title: [Two")
    with pytest.raises(BadSource, match=r"01_two_arrows\.md"):
        read_source(series.source)


def test_slugs() -> None:
    assert slug("Wait: who *commits*?") == "wait-who-commits"
    assert slug("Überraschung · 2") == "uberraschung-2"
    assert slug("???") == "section"
    assert len(slug("long " * 30)) <= 40


# The command


def test_the_command(series: Series, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(series.root)
    assert cli.run(cli.parser(), ["build"]) == 0
    assert "01_two_arrows.ipynb: written" in capsys.readouterr().out
    assert cli.run(cli.parser(), ["build", "--check"]) == 0
    assert "no problem in 1 sources" in capsys.readouterr().out
    series.change("title: Two arrows\n", "")
    assert cli.run(cli.parser(), ["build", "--check", "01"]) == 1
    assert "01_two_arrows.md:1: the front matter has no title" in capsys.readouterr().out
    assert cli.run(cli.parser(), ["build", "--solutions", "solved"]) == 0
    assert (series.root / "solved" / "01_two_arrows.ipynb").exists()


def test_the_command_outside_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".taskref").mkdir()  # the learner works here, and not in the clone that the package lies in
    monkeypatch.chdir(tmp_path)
    assert cli.run(cli.parser(), ["build"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("def ", "async def "),
        lambda text: text.replace('@exercise("1.1")', "@exercise(NUMBER)"),
        lambda text: text.replace('@exercise("1.1")\n', ""),
        lambda text: f"%%writefile mine.py\n{text}",
        lambda text: f"\n%%memit\n{text}",
    ],
    ids=["async", "no id", "no decorator", "writefile", "memit"],
)
def test_no_answer_is_overwritten_that_was_not_recognised(series: Series, change: Callable[[str], str]) -> None:
    build(series.root)
    text = change(find("1.1").cell(find("1.1").solution)).rstrip("\n")
    notebook = json.loads(series.notebook.read_text())
    (cell,) = [cell for cell in notebook["cells"] if cell["id"] == "exercise-1-1"]
    cell.update(source=text, metadata=None)
    series.notebook.write_text(json.dumps(notebook))
    build(series.root)
    rebuilt = json.loads(series.notebook.read_text())["cells"]
    assert ["".join(cell["source"]) for cell in rebuilt if cell["id"] == "exercise-1-1"] == [text]
