"""Where the learner works: the clone of the repository, with its notebooks and the progress, and IPython.

A module of its own, because both the exercises and the command line need it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FIRST_NOTEBOOK = Path("notebooks", "00_start_here.ipynb")
MARKS = (Path(".taskref"), Path("authoring"), FIRST_NOTEBOOK)  # any of these marks a clone, or a folder with progress


def root() -> Path:
    """The clone that contains the starting folder, else the one that contains this package.

    If there is neither: the git repository of the starting folder, or that folder itself.
    """
    start = _starting_folder()
    around = (start, *start.parents)
    for folder in (*around, Path(__file__).resolve().parents[1]):
        if any((folder / mark).exists() for mark in MARKS):
            return folder
    return next((folder for folder in around if (folder / ".git").exists()), start)


def _starting_folder() -> Path:
    """The working directory; in a notebook the one before any `%cd`, so that all progress stays in one place."""
    shell = running_ipython()
    return Path(shell.starting_dir) if shell else Path.cwd()


def running_ipython() -> Any:
    """The IPython that runs this, or None; imports nothing."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
