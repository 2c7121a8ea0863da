"""In a notebook: after each cell, checks the exercises that it answers, and shows the outcomes.

The decorator alone could not do this: when it runs, the function is not bound to its name yet, and the cell's text is
not at hand. IPython's `post_run_cell` provides the text. Outside IPython, nothing is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..clone import running_ipython
from . import cell_parsing as cells
from .child_process import start_early
from .commands import check_and_keep
from .exercise import UnknownExercise, find
from .guess_slips import unquoted
from .loader import attempt_from, imports_of
from .markdown import Note
from .notebook_files import BadNotebook, code_cells, ids_meant, read_notebook, source
from .outcomes import Verdict


def install() -> bool:
    """Install the hook into the running IPython, once; returns whether there is one."""
    shell = running_ipython()
    if shell is None:
        return False
    if _INSTALLED not in vars(shell):
        hook = _Hook(shell)
        shell.events.register("post_run_cell", hook.after_cell)
        setattr(shell, _INSTALLED, hook)
    return True


_INSTALLED = "_taskref_exercises_hook"


_decorated: list[str] = []  # the ids that `exercise(…)` was called with since the last cell ended


def note_use(id: str) -> None:
    """Record that the decorator was called: if the cell's text does not show it, the learner must be told.

    Only calls from a cell count; a check also runs the definitions, in a namespace of its own.
    """
    shell = running_ipython()
    if shell is not None and sys._getframe(2).f_globals is shell.user_ns:
        _decorated.append(id)


class _Hook:
    def __init__(self, shell: Any) -> None:
        self._shell = shell
        # The latest text of each cell, by the cell's id if the front end sends one, else by the text itself.
        self._cells: dict[str, str] = {text: text for text in shell.history_manager.input_hist_raw}

    def _notebook(self) -> Path:
        """The notebook's file: Jupyter's server and VS Code's extension each say where it is."""
        return Path(os.environ.get("JPY_SESSION_NAME") or self._shell.user_ns.get("__vsc_ipynb_file__") or "")

    def after_cell(self, result: Any) -> None:
        """Check the cell's exercises. Never raises: an error of ours must not look like the learner's."""
        text = result.info.raw_cell or ""
        used, _decorated[:] = list(_decorated), []
        self._cells.pop(text, None)  # from now on it is known by its id
        cell_id = getattr(result.info, "cell_id", None)
        self._cells[cell_id or text] = text
        # After interrupting a cell, the user does not want to wait for its check.
        if isinstance(result.error_in_exec, KeyboardInterrupt):
            return
        if said := unquoted(text, result.error_before_exec or result.error_in_exec):
            show(Note("Guess", said))
        others = [cell for cell in self._cells.values() if cell != text]
        imported = imports_of(others)
        ids = [*ids_meant({"id": cell_id}, text, imported), *used]
        if ids:
            saved = saved_cells(self._notebook(), cell_id, text)
            show_all(list(dict.fromkeys(ids)), text, others if saved is None else saved)
        else:
            for stray in cells.strays(text, imported):
                show(Note("This cell was not checked", stray.why))


def saved_cells(path: Path, cell_id: str | None, text: str) -> list[str] | None:
    """The other code cells in the notebook's file; None if the file, or this cell in it, is unknown.

    The kernel does not learn that a cell was deleted, edited or turned into Markdown; then the terminal's check, which
    reads the file, would miss imports that the kernel still has. A front end with cell ids of its own, as VS Code has,
    is matched by the cell's text.
    """
    if path.suffix != ".ipynb":
        return None
    try:
        saved = [(cell.get("id"), source(cell)) for _, cell in code_cells(read_notebook(path))]
    except BadNotebook:
        return None
    known = cell_id and cell_id in dict(saved)
    others = [other for id, other in saved if (id != cell_id if known else other != text)]
    return others if len(others) < len(saved) else None


def show(shown: object) -> None:
    """Display it below the cell."""
    from IPython.display import display

    display(shown)


def show_all(ids: Sequence[str], text: str, others: Sequence[str]) -> None:
    """Check each exercise of the cell, and show its outcome."""
    for id in ids:
        try:
            outcome = check_and_keep(attempt_from(id, text, others))
        except UnknownExercise as error:
            show(Note("No such exercise", f"{error}"))
            continue
        show(outcome)
        show_buttons(id)
        if outcome.verdict != Verdict.PASSED:  # another attempt is likely
            start_early(find(id))


def show_buttons(id: str) -> None:
    """Show Hint, Solution and Reset under the feedback; without ipywidgets, the learner calls the functions."""
    try:
        from .buttons import buttons
    except ImportError:
        return
    show(buttons(id))
