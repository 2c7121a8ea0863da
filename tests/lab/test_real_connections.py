"""Who waits for a lock and who moves; that every schedule comes out right is in exercises/test_read_committed.py."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from taskref_edu.lab import real_connections


def test_who_is_freed_while_the_others_are_asked_about_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waits for B; while B is asked about, it ends, and A goes on."""
    a, b = SimpleNamespace(is_moving=True), SimpleNamespace(is_moving=True)
    asked: list[object] = []

    def waits(actor: Any, watcher: object) -> bool:
        asked.append(actor)
        if actor is b:
            b.is_moving = False
        elif len(asked) > 1:
            a.is_moving = False
        return len(asked) == 1

    monkeypatch.setattr(real_connections, "_waits", waits)
    real_connections._settle([a, b], threading.Condition(), None)  # type: ignore[arg-type]
    assert not a.is_moving, "it was taken for waiting"
