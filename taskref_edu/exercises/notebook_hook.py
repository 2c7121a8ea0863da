"""In a notebook: after each cell, check the exercises that it answers and show how they ended.

The decorator alone could not do it: when it runs, the function has no name yet, and the cell's text is hard to
come by. IPython's `post_run_cell` gives the text. Outside IPython nothing is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from . import cell_parsing as cells
from .commands import check_and_keep
from .exercise import UnknownExercise
from .loader import attempt_from
from .markdown import Note


def install() -> bool:
    """Install the hook into the running IPython, once; whether there is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return False
    if _INSTALLED not in vars(shell):
        hook = _Hook(shell)
        shell.events.register("post_run_cell", hook.after_cell)
        setattr(shell, _INSTALLED, hook)
    return True


_INSTALLED = "_taskref_exercises_hook"


class _Hook:
    def __init__(self, shell: Any) -> None:
        # The latest text of each cell: by its id where the front end gives one, else by the text itself.
        self._cells: dict[str, str] = {text: text for text in shell.history_manager.input_hist_raw}

    def after_cell(self, result: Any) -> None:
        """Check what the cell answers. Never raises: a fault of ours must not look like the learner's."""
        text = result.info.raw_cell or ""
        self._cells.pop(text, None)  # it has an id now
        self._cells[getattr(result.info, "cell_id", None) or text] = text
        ids = cells.ids_in(text)
        # A cell that was interrupted by hand is not to be checked for another ten seconds.
        if ids and not isinstance(result.error_in_exec, KeyboardInterrupt):
            show_all(ids, text, [cell for cell in self._cells.values() if cell != text])


def show_all(ids: Sequence[str], text: str, others: Sequence[str]) -> None:
    """Check and show each exercise of the cell."""
    from IPython.display import display

    for id in ids:
        try:
            outcome = check_and_keep(attempt_from(id, text, others))
        except UnknownExercise as error:
            display(Note("No such exercise", f"{error}"))
            continue
        display(outcome)
        show_buttons(id)


def show_buttons(id: str) -> None:
    """Hint, Solution and Reset under the feedback; without ipywidgets, the functions are enough."""
    try:
        from IPython.display import display

        from .buttons import buttons
    except ImportError:
        return
    display(buttons(id))
