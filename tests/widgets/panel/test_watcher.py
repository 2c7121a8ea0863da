"""When a panel looks: at once where something happens, and seldom where nothing does."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from taskref_edu.widgets.panel import watcher
from taskref_edu.widgets.panel.watcher import Watcher
from tests.conftest import until


def test_it_asks_less_often_at_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watcher, "LIVELY", 0.5)
    asked: list[float] = []
    stirs = threading.Event()

    def has_changes() -> bool:
        asked.append(time.monotonic())
        return stirs.is_set()

    its = Watcher(lambda: None, lambda: None, "test", has_changes)
    its.start()
    try:
        until(lambda: len(asked) > 10)
        assert shortest(asked) >= watcher.RARE_TICK
        asked.clear()
        stirs.set()
        until(lambda: asked)
        stirs.clear()
        asked.clear()
        until(lambda: len(asked) > 10)
        assert shortest(asked) < watcher.RARE_TICK
    finally:
        its.stop()


def shortest(times: list[float]) -> float:
    return min(later - earlier for earlier, later in pairwise(times))
