"""Who waits for a lock and who moves; that every schedule comes out right is in exercises/test_read_committed.py."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from taskref_edu.lab import real_connections


def test_who_is_freed_while_the_others_are_asked_about_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waits for B; as soon as the server has said so, B ends, and A goes on."""
    a, b = SimpleNamespace(is_moving=True), SimpleNamespace(is_moving=True)

    def waits(actor: Any, watcher: object) -> bool:
        if actor is a and b.is_moving:
            b.is_moving = False
            return True
        a.is_moving = actor is not a
        return False

    monkeypatch.setattr(real_connections, "_waits", waits)
    real_connections._settle([a, b], threading.Condition(), None)  # type: ignore[arg-type]
    assert not a.is_moving, "it was taken for waiting"
