"""Which panels are live, and which of them a new one replaces.

A cell that is run again must not leave its old panel's threads behind, though its names are bound anew and
nobody else knows of it. Leaves out: other kernels; they are other processes, and do not disturb each other.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .panel.panel import Panel


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook, and one run of it."""

    name: str
    run: str


_live: list[Panel] = []
_lock = threading.Lock()


def current_cell() -> Cell | None:
    """The cell that runs now; None outside a kernel."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return None
    request: dict[str, Any] = shell.get_parent() or {}
    run = request.get("header", {}).get("msg_id", "")
    # JupyterLab names the cell. Where nobody does, the same text is the same cell.
    name = request.get("metadata", {}).get("cellId") or request.get("content", {}).get("code", "")
    return Cell(name, run) if name else None


def stop_former(panel: Panel) -> None:
    """Stop the live panels that `panel` takes the place of."""
    with _lock:
        former = [other for other in _live if _is_replaced(other, panel)]
    for other in former:
        if _same_cell(other, panel):
            other.close()  # its output is gone from the page
        else:
            other.stop("replaced by a newer panel")


def remember(panel: Panel) -> None:
    """The panel is live."""
    with _lock:
        _live.append(panel)


def forget(panel: Panel) -> None:
    """The panel is stopped."""
    with _lock:
        if panel in _live:
            _live.remove(panel)


def _is_replaced(old: Panel, new: Panel) -> bool:
    return _same_cell(old, new) or old.queue is new.queue or bool(old.places & new.places)


def _same_cell(old: Panel, new: Panel) -> bool:
    """Whether the cell of `old` was run again; a second panel of one run stands beside the first."""
    if old.cell is None or new.cell is None:
        return False
    return old.cell.name == new.cell.name and old.cell.run != new.cell.run
