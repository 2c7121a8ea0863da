"""The line that installs an extra can be pasted as it is."""

from __future__ import annotations

import shlex
import sys

import pytest

from taskref_edu.errors import install_line


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/home/ann/my course/.venv/bin/python"])
@pytest.mark.parametrize(
    ("has_pip", "words"),
    [
        (True, ["{python}", "-m", "pip", "install", "taskref_edu[beyond]"]),
        (False, ["uv", "pip", "install", "--python", "{python}", "taskref_edu[beyond]"]),
    ],
    ids=["pip", "uv"],
)
def test_it_names_the_python_that_runs_this(
    monkeypatch: pytest.MonkeyPatch, python: str, has_pip: bool, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: has_pip or None)
    assert shlex.split(install_line("beyond")) == [word.format(python=python) for word in words]
