"""`docs/document-map.md`: every snippet and claim of the document is there, and all that it names exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from taskref_edu.approaches import as_written
from taskref_edu.exercises.exercise import names
from taskref_edu.series.source import read_source

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/the-document.md").read_text(encoding="utf-8")
CELL = re.compile(r"\[(\d\d), (.+?)\]\(\.\./(notebooks/\S+?\.ipynb)\)")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the map, without its head."""
    text = (ROOT / "docs/document-map.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


SNIPPETS, CLAIMS = rows("The snippets"), rows("The claims")
EVERY = pytest.mark.parametrize("row", [*SNIPPETS, *CLAIMS], ids=lambda row: row[1] if len(row) == 7 else row[0])


def snippets() -> list[tuple[str, str]]:
    """The document's blocks of code: the section, and the first line."""
    found, section, inside = [], "", False
    lines = iter(DOCUMENT.splitlines())
    for line in lines:
        if line.startswith("```"):
            inside = not inside
            if inside:
                found.append((section, next(lines)))
        elif line.startswith("#") and not inside:
            section = line.lstrip("# ").partition(":")[0]
    return found


@cache
def headings(name: str) -> list[str]:
    """The headings of a notebook's source."""
    prose = [block.text for block in read_source(ROOT / "authoring" / f"{name}.md").blocks if block.kind == "prose"]
    return re.findall(r"^#+ (.+)$", "\n".join(prose), flags=re.MULTILINE)


def test_every_snippet_is_there_in_order() -> None:
    listed = [(section, snippet.strip("`")) for section, snippet, *_ in SNIPPETS]
    assert listed == snippets()


def test_every_claim_is_there() -> None:
    conclusion = DOCUMENT.partition("## Conclusion")[2]
    listed = [claim for claim, *_ in CLAIMS]
    assert [claim for claim in listed if claim not in conclusion] == []
    assert set(re.findall(r"^\d\. (.+)$", conclusion, flags=re.MULTILINE)) <= set(listed)


@pytest.mark.parametrize("row", SNIPPETS, ids=lambda row: row[2])
def test_the_translation_exists(row: list[str]) -> None:
    name = row[2].strip("`")
    assert hasattr(as_written, name) or name == "TaskQueue.task"


@EVERY
def test_the_part_of_the_notebook_exists(row: list[str]) -> None:
    found = CELL.fullmatch(row[-3])
    assert found, f"{row[-3]!r} found, a link such as [01, With a decorator](../notebooks/01_two_arrows.ipynb) expected"
    number, heading, path = found.groups()
    assert Path(path).name.startswith(f"{number}_")
    assert (ROOT / path).exists()
    assert heading in headings(Path(path).stem)


@EVERY
def test_the_test_exists(row: list[str]) -> None:
    path, *scopes, name = row[-2].strip("`").split("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    for scope in scopes:
        assert f"class {scope}:" in text
    assert f"def {name}(" in text


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row[0])
def test_each_claim_has_an_experiment_and_its_opposite(row: list[str]) -> None:
    assert len(row[1].split()) > 5
    text = (ROOT / "tests/documents/test_refutations.py").read_text(encoding="utf-8")
    assert f"def {row[2].strip('`')}(" in text


@EVERY
def test_the_exercise_exists_and_stands_in_a_notebook(row: list[str]) -> None:
    assert row[-1] in names()
