"""tools/versions.py finds Pythons and tests; running them takes minutes (see CONTRIBUTING.md)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


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
