"""tools/versions.py finds Pythons and tests; running them takes minutes (see CONTRIBUTING.md)."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@pytest.fixture
def versions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("versions", ROOT / "tools" / "versions.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_test_that_it_names_is_there(versions: ModuleType) -> None:
    assert [name for name in versions.TESTS if not versions.test_path(name).exists()] == []


def test_a_stub_that_only_prints_an_error_is_no_python(
    versions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, program in (("python3.11", "exit 127"), ("python3.12", f'exec "{sys.executable}" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    if sys.platform == "win32":
        pytest.skip("no shell scripts there")
    mine = f"3.{sys.version_info[1]}"
    assert versions.find_pythons() == {mine: tmp_path / "python3.12"}


def test_a_python_that_is_not_here_is_said(versions: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert versions.main(["--python", "3.99"]) == 2
    assert "found no such Python" in capsys.readouterr().err


def test_lower_bounds_become_constraints_of_pip(versions: ModuleType) -> None:
    project = """
        [project]
        dependencies = ["one>=0.0.45,<0.1"]
        [project.optional-dependencies]
        lab = ["two[extra]>=3.2,<4", "three<9.2"]
        dev = ["this[lab]", "four>=1 ; python_version < '3.12'"]
    """
    assert versions.lowest(project) == ["one==0.0.45", "two==3.2", "four==1"]


def test_each_package_of_ours_has_a_lower_bound(versions: ModuleType) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"].values()
    asked = {Requirement(line).name for extra in extras for line in extra} - {"taskref_edu"}
    assert asked | {"sqlmodel"} == {line.partition("==")[0] for line in versions.lowest(text)}
