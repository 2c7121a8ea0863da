"""Who waits for a lock and who moves; that every schedule comes out right is in exercises/test_read_committed.py."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, create_engine

from taskref_edu.beyond import explore_on_server as real_connections
from taskref_edu.beyond.explore_on_server import _Actor


def test_who_is_freed_while_the_others_are_asked_about_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waits for B; as soon as the server has said so, B ends, and A goes on."""
    moved, engine = threading.Condition(), create_engine("sqlite://")
    a, b = (_Actor(letter, lambda engine: None, engine, moved) for letter in "AB")

    def waits(actor: _Actor, watcher: Connection) -> bool:
        if actor is a and b.is_moving:
            b.ended = True
            return True
        a.ended = actor is a
        return False

    monkeypatch.setattr(real_connections, "_waits", waits)
    with engine.connect() as watcher:
        real_connections._settle([a, b], moved, watcher)
    assert not a.is_moving, "it was taken for waiting"
