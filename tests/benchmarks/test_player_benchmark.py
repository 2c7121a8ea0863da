"""The benchmark of the race player: figures where there is a browser, and what to install where there is none."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test installs it")

from benchmarks import player


@pytest.mark.nightly
def test_each_figure_is_there() -> None:
    (table,) = player.run(quick=True)
    assert [row[1].split()[-1] for row in map(list, table.rows)] == ["ms"] * 5  # type: ignore[attr-defined]


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (table,) = player.run(quick=True)
    assert "no Chromium found. Install one" in str(table)
