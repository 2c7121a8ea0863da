"""Where the clone of the repository is: its notebooks, and beside them the learner's progress.

A module of its own, because the exercises and the command line need it, and it needs neither.
"""

from __future__ import annotations

import sys
from pathlib import Path

FIRST_NOTEBOOK = Path("notebooks", "00_start_here.ipynb")
MARKS = (Path(".taskref"), Path("authoring"), FIRST_NOTEBOOK)  # what only a clone has, or a folder with progress


def root() -> Path:
    """The clone around the folder where the learner started, else the one that this package lies in.

    Without any: the folder's git repository, or the folder itself.
    """
    start = _starting_folder()
    around = (start, *start.parents)
    for folder in (*around, Path(__file__).resolve().parents[1]):
        if any((folder / mark).exists() for mark in MARKS):
            return folder
    return next((folder for folder in around if (folder / ".git").exists()), start)


def _starting_folder() -> Path:
    """The working directory; in a notebook as it was before any `%cd`, which must not split the progress."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return Path(shell.starting_dir) if shell else Path.cwd()
