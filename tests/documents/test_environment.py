"""environment.yml, pyproject.toml and tools/with-python name the same things in the same ranges."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA_NAMES = {"matplotlib": "matplotlib-base"}  # conda's `matplotlib` would bring Qt along


def items(section: str) -> list[str]:
    """The lines of one list of environment.yml, without the dashes (no YAML parser needed)."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    below = re.split(rf"^{section}:.*\n", text, flags=re.M)[1]
    block = re.match(r"(?: +.*\n?)*", below)
    assert block
    return [line.strip().removeprefix("- ") for line in block.group().splitlines()]


def conda_name(requirement: str) -> str:
    name = re.split(r"[<>=\[]", requirement)[0]
    return CONDA_NAMES.get(name, name) + requirement.removeprefix(name)


def test_environment_holds_the_lab_extra_in_the_same_ranges():
    lab = PYPROJECT["project"]["optional-dependencies"]["lab"]
    python, *others = items("dependencies")
    assert others == ["pip", *map(conda_name, lab), "pip:", "-e ."]
    # How repo2docker, and so Binder, reads it; with `python>=3.11` it took 3.10.
    read = re.match(r"python\s*=+\s*([\d\.]*)", python)
    assert read, python
    assert Version(read[1]) in SpecifierSet(PYPROJECT["project"]["requires-python"])


def test_environment_has_the_name_of_the_project_and_one_channel():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert f"\nname: {PYPROJECT['project']['name']}\n" in text
    assert items("channels") == ["conda-forge"]


def test_the_core_needs_sqlmodel_alone():
    assert [re.split("[<>=]", need)[0] for need in PYPROJECT["project"]["dependencies"]] == ["sqlmodel"]


def test_the_labs_packages_hold_those_of_race_in_the_same_range():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras["race"]) <= set(extras["lab"])


def test_the_lowest_python_is_the_same_everywhere():
    lowest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    finder = (ROOT / "tools/with-python").read_text(encoding="utf-8")
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")
    assert PYPROJECT["tool"]["pyright"]["pythonVersion"] == lowest
    assert f":python{lowest}:python3}}" in finder
    assert f"sys.version_info < ({lowest.replace('.', ', ')})" in finder
    assert f"needs Python {lowest} or newer" in finder


@pytest.mark.parametrize("name", [".python-version", "uv.lock"])
def test_nothing_pins_a_python_or_an_index__for_others(name):
    """The first makes uv look for one exact Python; the second names a package index's host."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert name in ignored


@pytest.mark.xdist_group("any")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process, no groups")
def test_tests_of_a_group_run_in_one_process(request: pytest.FixtureRequest):
    assert request.node.nodeid.endswith("@any"), "pytest-xdist no longer sees the marker xdist_group"
