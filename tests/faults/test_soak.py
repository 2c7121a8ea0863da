"""The page on reliability: each promise names tests that exist, and `make soak` finds the place for its figures."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks.rounds import Table

from . import soak

ROOT = Path(__file__).parents[2]
TEXT = soak.PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)", TEXT)))


@pytest.mark.parametrize(("file", "names"), NAMED, ids="".join)
def test_a_test_that_is_named_exists(file: str, names: str) -> None:
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for name in names.split("::")[1:]:
        (found,) = (node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
        body = found.body


def test_each_of_the_ten_promises_names_a_test() -> None:
    promises = re.findall(r"^\| (\d+) \| .* \|$", TEXT, re.MULTILINE)
    assert promises == [str(number) for number in range(1, 11)]
    assert all("`tests/" in line for line in TEXT.splitlines() if re.match(r"\| \d+ \|", line))


def test_figures_replace_those_of_the_last_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{soak.BEGIN}\nfigures of 1999\n{soak.END}\nafter\n", encoding="utf-8")
    soak.write([Table("Killed", ["kills"], [["7"]])], 60.0, ["a promise"], page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{soak.BEGIN}\n")
    assert text.endswith(f"{soak.END}\nafter\n")
    assert "### Killed\n\n| kills |\n| --- |\n| 7 |" in text
    assert "**does not hold**: a promise" in text
    assert "1999" not in text
