"""A learner's clone pulls a changed series, and no answer is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from taskref_edu.exercises.exercise import find
from taskref_edu.exercises.notebook_files import answered, replace_answer
from taskref_edu.series.build import Written, build
from taskref_edu.series.update import CannotUpdate, fetch, retire

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ANSWER = find("1.1").cell(find("1.1").solution.replace(".one()", ".one()  # my answer"))
SOURCE = """---
title: Trial
question: Does it survive?
objectives:
  1-follow: Follow.
---

{text}

```{{exercise}} 1.1
```
"""


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def publish(root: Path, text: str) -> None:
    (root / "authoring").mkdir(exist_ok=True)
    (root / "authoring" / "01_trial.md").write_text(SOURCE.format(text=text))
    build(root)
    git(root, "add", "authoring", "notebooks")
    git(root, "commit", "-m", text)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    root = tmp_path / "origin"
    root.mkdir()
    git(root, "init", "-b", "main")
    publish(root, "The first version.")
    return root


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", str(origin), "clone")
    return tmp_path / "clone"


def update(root: Path) -> list[Written]:
    """What `taskref update` does, in one process."""
    gone = fetch(root)
    written = build(root)
    retire(root, gone)
    return written


def notebook(root: Path) -> Path:
    return root / "notebooks" / "01_trial.ipynb"


def answer(root: Path) -> str:
    return answered(notebook(root)).attempts[0].source


def test_an_answer_comes_along_into_the_new_version(origin: Path, clone: Path) -> None:
    replace_answer(notebook(clone), "1.1", ANSWER)
    mine = notebook(clone).read_bytes()
    publish(origin, "The second version.")
    (written,) = update(clone)
    assert written.carried == ["1.1"]
    assert "my answer" in answer(clone)
    assert "The second version." in notebook(clone).read_text()
    kept = list((clone / ".taskref" / "backup").rglob("01_trial.ipynb"))
    assert mine in [path.read_bytes() for path in kept]


def test_an_answer_comes_along_when_its_notebook_is_renamed(origin: Path, clone: Path) -> None:
    """As when the verdict moved to the end: the old file goes, the answer is in the new one, the rest is kept."""
    replace_answer(notebook(clone), "1.1", ANSWER)
    mine = notebook(clone).read_bytes()
    git(origin, "mv", "authoring/01_trial.md", "authoring/02_moved.md")
    git(origin, "rm", "notebooks/01_trial.ipynb")
    build(origin)
    git(origin, "add", "authoring", "notebooks")
    git(origin, "commit", "-m", "The notebook has another place.")
    (written,) = update(clone)
    assert (written.path.name, written.carried) == ("02_moved.ipynb", ["1.1"])
    assert "my answer" in answered(written.path).attempts[0].source
    assert not notebook(clone).exists()
    kept = list((clone / ".taskref" / "backup").rglob("01_trial.ipynb"))
    assert mine in [path.read_bytes() for path in kept]


def test_an_untouched_notebook_that_was_renamed_leaves_nothing(origin: Path, clone: Path) -> None:
    git(origin, "mv", "authoring/01_trial.md", "authoring/02_moved.md")
    git(origin, "rm", "notebooks/01_trial.ipynb")
    build(origin)
    git(origin, "add", "authoring", "notebooks")
    git(origin, "commit", "-m", "The notebook has another place.")
    update(clone)
    assert [path.name for path in (clone / "notebooks").iterdir()] == ["02_moved.ipynb"]


def test_outputs_alone_do_not_stand_in_the_way(origin: Path, clone: Path) -> None:
    content = json.loads(notebook(clone).read_text())
    content["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "a note of mine"})
    notebook(clone).write_text(json.dumps(content))
    publish(origin, "The second version.")
    update(clone)
    assert "The second version." in notebook(clone).read_text()


def test_where_nothing_is_new_nothing_is_lost(clone: Path) -> None:
    replace_answer(notebook(clone), "1.1", ANSWER)
    update(clone)
    assert "my answer" in answer(clone)


def test_a_failed_pull_leaves_everything_as_it_was(origin: Path, clone: Path) -> None:
    replace_answer(notebook(clone), "1.1", ANSWER)
    before = notebook(clone).read_bytes()
    shutil.rmtree(origin)
    with pytest.raises(CannotUpdate, match=r"could not be fetched: .*Your notebooks are as they were"):
        update(clone)
    assert notebook(clone).read_bytes() == before


def test_no_clone_no_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(CannotUpdate, match="no git clone"):
        update(tmp_path)
