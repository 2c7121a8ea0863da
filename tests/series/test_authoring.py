"""What authors have written keeps the rules, and the notebooks in git are what the build makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from taskref_edu.exercises.predictions import explanation_of
from taskref_edu.series.notebook import to_notebook, to_text
from taskref_edu.series.rules import violations
from taskref_edu.series.source import read_source, sources

ROOT = Path(__file__).parents[2]
SOURCES = sources(ROOT / "authoring")
# What a notebook is made of. While an author changes it, the notebooks in git are behind, and rightly so.
MADE_OF = ["authoring", "notebooks", "taskref_edu/series", "taskref_edu/exercises/catalog"]
KEPT_FOR_LATER = {"01-c"}  # notebook 11 comes back to it in its own text
EACH = pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])


def git(*arguments: str) -> str | None:
    """What git says about HEAD; None where there is no git, or no such thing in HEAD."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


@pytest.fixture(scope="module")
def in_git() -> None:
    """Skips, with the reason, where the notebooks cannot be compared with git."""
    changed = git("status", "--porcelain", "--", *MADE_OF[:1], *MADE_OF[2:])
    if changed is None:
        pytest.skip("not in a git checkout: there is no HEAD to compare the notebooks with")
    if changed:
        pytest.skip(f"not committed yet, so the notebooks in HEAD may be older:\n{changed}")


@EACH
def test_the_rules_are_kept(path: Path) -> None:
    found = [str(problem) for problem in violations([path])]
    assert found == []


@EACH
def test_the_notebook_in_git_is_a_fresh_build(path: Path, in_git: None) -> None:
    """Compared with HEAD, never with the working copy: in a clone somebody learns, and answers stand in there."""
    committed = git("show", f"HEAD:notebooks/{path.stem}.ipynb")
    assert committed is not None, f"notebooks/{path.stem}.ipynb is not in git: run `taskref build`, and commit it"
    fresh = to_text(to_notebook(read_source(path)))
    assert committed == fresh, f"notebooks/{path.stem}.ipynb is out of date: run `taskref build {path.stem}`"


def test_no_notebook_in_git_is_without_a_source(in_git: None) -> None:
    listed = git("ls-tree", "--name-only", "HEAD", "notebooks/") or ""
    committed = {Path(name).stem for name in listed.split() if name.endswith(".ipynb")}
    assert committed <= {path.stem for path in SOURCES}


@EACH
def test_no_explanation_stands_in_the_notebook(path: Path) -> None:
    """Nor any sentence of one: reveal() shows them, after the experiment."""
    source = read_source(path)
    text = " ".join("".join(cell["source"]) for cell in to_notebook(source)["cells"])
    flat = " ".join(text.split())
    sentences = [part for one in source.explanations.values() for part in " ".join(one.split()).split(". ")]
    assert [part for part in sentences if len(part) > 30 and part in flat] == []


def test_every_prediction_has_its_explanation_and_the_package_ships_it() -> None:
    asked = [id for path in SOURCES for id in read_source(path).guesses]
    assert [id for id in asked if not explanation_of(id) and id not in KEPT_FOR_LATER] == []
