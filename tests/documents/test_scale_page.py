"""The measured tables of docs/scale.md, and what its text quotes of them, are those of benchmarks/RESULTS.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def numbers_of(page: Path, name: str) -> list[str]:
    """The medians in the row of a table that begins with this name: quartiles in brackets are left out."""
    rows = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", page.read_text(encoding="utf-8"), re.M)
    assert rows, f"{page.name} has no row {name!r}"
    cells = [re.sub(r"\(.*?\)", "", cell).strip().replace(",", "") for cell in rows[0].split("|")]
    return [cell for cell in cells if re.fullmatch(r"[\d.]+", cell)]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("SQLite, NORMAL", "SQLite, synchronous = NORMAL"),
        ("SQLite, FULL", "SQLite, FULL"),
        ("PostgreSQL, `synchronous_commit = off`", "PostgreSQL, synchronous_commit = off"),
        ("PostgreSQL", "PostgreSQL"),
        ("Procrastinate", "Procrastinate"),
        ("Procrastinate, with our fence", "Procrastinate, with our fence"),
        ("classic, PostgreSQL", "classic, PostgreSQL"),
        ("inverted, PostgreSQL", "inverted, PostgreSQL"),
        ("Procrastinate, inverted", "Procrastinate, inverted"),
    ],
)
def test_a_row_is_what_was_measured(here: str, there: str) -> None:
    shown = numbers_of(ROOT / "docs" / "scale.md", here)
    assert len(shown) >= 4
    assert set(shown) <= set(numbers_of(ROOT / "benchmarks" / "RESULTS.md", there))


def test_what_the_text_quotes() -> None:
    page = " ".join((ROOT / "docs" / "scale.md").read_text(encoding="utf-8").split())
    results = ROOT / "benchmarks" / "RESULTS.md"
    text = results.read_text(encoding="utf-8")
    ratios = re.findall(r"^\| (?:1|4|8|32) \|.*\| ([\d.]+) \(.*\|$", text, re.M)
    assert len(ratios) == 4
    assert "{}, {}, {} and {}".format(*ratios) in page
    claims = re.findall(r"^\| 1(?:,000|0,000|00,000) \| ([\d.]+) \| [\d.]+ \|$", text, re.M)
    assert len(claims) == 3
    assert "{}, {} and {} ms".format(*claims) in page
