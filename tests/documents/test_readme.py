"""README's run prints what it says, and its links lead somewhere. Its pattern: `test_readme_pattern.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN, *_ = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
(OUTPUT,) = re.findall(r"^```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_run_prints_what_the_readme_says() -> None:
    found = subprocess.run([sys.executable, "-W", "error", "-c", RUN], capture_output=True, text=True, check=True)
    assert found.stdout == OUTPUT


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/RESULTS.md", *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_names_every_notebook_and_every_module() -> None:
    for notebook in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"notebooks/{notebook.name}" in README
    folders = {path.name for path in (ROOT / "taskref_edu").iterdir() if (path / "__init__.py").exists()}
    assert all(f"taskref_edu/{folder}" in README for folder in folders)
