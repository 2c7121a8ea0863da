"""Which live views there are, and which of them a new one replaces.

A cell that is run again must not leave its old view's threads behind: its names are bound anew, and nobody else
knows of the view. Not covered: other kernels; they are other processes and do not disturb each other.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from ..lab.player.once import Cell


class Live(Protocol):
    """A view with threads. `places`: what it works on; two views of one place would disturb each other."""

    cell: Cell | None
    places: frozenset[Any]

    def stop(self, reason: str = ...) -> None:
        """End its threads; what it shows stays on the page."""
        ...

    def close(self) -> None:
        """Stop, and take it away from the page."""
        ...


_live: list[Live] = []
_lock = threading.Lock()


def stop_former(new: Live) -> None:
    """Stop the live views that `new` takes the place of."""
    with _lock:
        former = [old for old in _live if same_cell(old.cell, new.cell) or old.places & new.places]
    for old in former:
        if same_cell(old.cell, new.cell):
            old.close()  # its output is gone from the page
        else:
            old.stop("replaced by a newer panel")


def remember(view: Live) -> None:
    """The view is live."""
    with _lock:
        _live.append(view)


def forget(view: Live) -> None:
    """The view is stopped."""
    with _lock:
        if view in _live:
            _live.remove(view)


def same_cell(old: Cell | None, new: Cell | None) -> bool:
    """Whether the cell of `old` was run again; a second view of one run stands beside the first."""
    return old is not None and new is not None and old.name == new.name and old.run != new.run
