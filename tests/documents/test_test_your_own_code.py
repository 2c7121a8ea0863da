"""The blocks of docs/test-your-own-code.md are one project, whose tests pass on both databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "test-your-own-code.md"
BLOCK = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run_page(folder: Path, **environment: str) -> str:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```python")
    for name, text in blocks:
        folder.joinpath(name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=prepend", str(folder)]
    inherited = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    done = subprocess.run(command, cwd=folder, env=inherited | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_on_sqlite(tmp_path: Path) -> None:
    assert "9 passed, 9 skipped" in run_page(tmp_path)


@pytest.mark.nightly
@pytest.mark.xdist_group("postgresql")
def test_on_both(tmp_path: Path, postgresql_url: str) -> None:
    assert "18 passed" in run_page(tmp_path, TEST_DATABASE_URL=postgresql_url)
