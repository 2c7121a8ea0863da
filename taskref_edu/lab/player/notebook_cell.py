"""Which cell of a notebook is running, and whether its output has to contain the player's JavaScript module.

The module is in a page only once: in the first cell that shows a player. If that cell runs again, its new output
contains the module again, because its former output is gone. Outside a kernel, every output contains it. Apart, because
results, exercises and the scheduler share it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...clone import running_ipython


class Cell(NamedTuple):
    """A cell of a notebook, and one run of it."""

    name: str
    run: str


_first: Cell | None = None


def module_wanted() -> bool:
    """Whether the output of the running cell has to contain the module."""
    global _first
    here = current_cell()
    if here is None:
        return True
    if _first is None or (_first.name == here.name and _first.run != here.run):
        _first = here
        return True
    return False


def current_cell() -> Cell | None:
    """The cell that runs now; None outside a kernel."""
    shell = running_ipython()
    if not hasattr(shell, "kernel"):
        return None
    request: dict[str, Any] = shell.get_parent() or {}
    run = request.get("header", {}).get("msg_id", "")
    # JupyterLab sends the cell's id. Other front ends do not: there, cells with equal text count as one.
    name = request.get("metadata", {}).get("cellId") or request.get("content", {}).get("code", "")
    return Cell(name, run) if name else None
