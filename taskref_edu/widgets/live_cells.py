"""Keeps track of live views, and decides which of them a new view replaces.

When a cell runs again, its variables are rebound and nothing else references the old view, whose threads must be
stopped.

Not covered: other kernels, which are separate processes and do not disturb each other.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from ..lab.player.notebook_cell import Cell


class Live(Protocol):
    """A view with threads. places: what it works on; two views of one place would disturb each other."""

    cell: Cell | None
    places: frozenset[Any]

    def stop(self, reason: str = ...) -> None:
        """End its threads; its last state stays on the page."""
        ...

    def close(self) -> None:
        """Stop, and remove it from the page."""
        ...


_live: list[Live] = []
_lock = threading.Lock()


def stop_former(new: Live) -> None:
    """Stop the live views that `new` replaces."""
    with _lock:
        former = [old for old in _live if same_cell(old.cell, new.cell) or old.places & new.places]
    for old in former:
        if same_cell(old.cell, new.cell):
            old.close()  # its output is gone from the page
        else:
            old.stop("replaced by a newer panel")


def remember(view: Live) -> None:
    """Record that the view is live."""
    with _lock:
        _live.append(view)


def forget(view: Live) -> None:
    """Record that the view has stopped."""
    with _lock:
        if view in _live:
            _live.remove(view)


def same_cell(old: Cell | None, new: Cell | None) -> bool:
    """Whether the cell of `old` was run again; a second view in one run does not replace the first."""
    return old is not None and new is not None and old.name == new.name and old.run != new.run
