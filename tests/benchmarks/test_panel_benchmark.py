"""The benchmark of the panel: what it makes of frames and commits, and that it says why it cannot run."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test installs it")

from benchmarks import panel


def test_frames_dropped_frames_and_the_time_to_the_pixel():
    frames = [0.0, 1000 / 60, 2000 / 60, 5000 / 60]  # two are missing before the last
    found = panel._figures(
        {"frames": frames, "shown": [[1, 5.0], [2, 1060.0], [3, 2040.0], [9, 1.0]]}, {2: 1.0, 3: 2.0}
    )
    assert found["fps"] == pytest.approx(36)
    assert found["dropped"] == pytest.approx(2 * 4000 / frames[-1])
    assert found["ms"] == pytest.approx(50)


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    (table,) = panel.run(quick=True)
    assert "not measured" in str(table)
    assert "no Chromium found. Install one" in str(table)
