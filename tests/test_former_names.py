"""Notebooks that learners already have go on working."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from taskref_edu import former_names
from taskref_edu.former_names import MODULES, NAMES

# Every import of the package in the notebooks of an earlier version.
LINES = Path(__file__).with_name("imports_of_earlier_notebooks.txt").read_text().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_every_import_of_an_earlier_notebook_goes_on_working(line: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        exec(line, {})


@pytest.mark.parametrize(
    "line",
    [
        "import taskref_edu.lab.scenery\nfound = taskref_edu.lab.scenery.Parcel",
        "import taskref_edu.lab.scenery as s\nfound = s.Parcel",
        "from taskref_edu.lab import scenery\nfound = scenery.Parcel",
        "from taskref_edu.lab.scenery import Parcel as found",
    ],
)
def test_each_form_of_import_works_and_says_what_to_write(line: str) -> None:
    namespace: dict[str, object] = {}
    with pytest.warns(FutureWarning, match="write `from taskref_edu.lab.example_models import Parcel`") as said:
        exec(compile(line, "a cell", "exec"), namespace)
    assert namespace["found"] is importlib.import_module("taskref_edu.lab.example_models").Parcel
    assert [one.filename for one in said] == ["a cell"], "the warning is about the learner's line"


def test_a_name_that_never_was_is_an_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from taskref_edu.lab.scenery import Nothing", {})


def test_the_table_leads_to_what_exists() -> None:
    """In a process of its own: a module there may declare tables, and this process has enough."""
    lines = [f"import {module}" for module in dict.fromkeys(MODULES.values())]
    for former, name in NAMES.items():
        module = former.rpartition(".")[0]
        lines.append(f"from {module} import {name}")
    subprocess.run([sys.executable, "-W", "ignore", "-c", "\n".join(lines)], check=True)


def test_nothing_that_exists_is_called_former() -> None:
    package = Path(former_names.__file__).parent
    for module in MODULES:
        path = package.joinpath(*module.split(".")[1:])
        assert not path.is_dir(), module
        assert not path.with_suffix(".py").exists(), module
