"""Fetches a newer version of the series without losing a learner's work.

`git pull` refuses to overwrite notebooks with local changes. So they are set aside, git pulls, they are put back, and
then `taskref build` carries the answers over into the new version. Whatever fails on the way, the learner's files are
restored. A notebook that the newer version no longer has is also put back, so that the build finds its answers; then
`retire` removes it. `command()` is `taskref update`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ..clone import root as clone_root
from ..errors import TaskrefError


class CannotUpdate(TaskrefError):
    """The newer version could not be fetched; the notebooks are as they were."""


def command() -> int:
    """Pull, then build in a new process, because this one has the old code."""
    clone = clone_root()
    gone = fetch(clone)
    code = subprocess.run([sys.executable, "-m", "taskref_edu.cli", "build"], cwd=clone, check=False).returncode
    if code == 0:
        for line in retire(clone, gone):
            print(line)
    return code


def fetch(root: Path) -> list[Path]:
    """Pull with git; notebooks with local changes are as before afterwards. Raises CannotUpdate.

    Returns those that the newer version no longer has, for `retire` after a build has carried their answers over.
    """
    _git(root, "rev-parse", "--git-dir", why="this folder is no git clone, so there is nothing to pull from")
    aside = root / ".taskref" / "backup" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f-update")
    mine = _set_aside(root, aside)
    try:
        _git(root, "pull", "--ff-only", why="the newer version could not be fetched")
    finally:
        for path in mine:
            shutil.copy2(aside / path.name, path)
    tracked = _git(root, "ls-files", "-z", "--", "notebooks", why="git cannot tell what it knows").split("\0")
    return [path for path in mine if f"notebooks/{path.name}" not in tracked]


def retire(root: Path, paths: Iterable[Path]) -> list[str]:
    """Remove notebooks that have left the series, keeping a copy of each; returns a sentence for each."""
    aside = root / ".taskref" / "backup" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f-retired")
    said = []
    for path in paths:
        aside.mkdir(parents=True, exist_ok=True)
        kept = aside / path.name
        shutil.move(path, kept)
        said.append(f"{path}: no longer part of the series; your copy is kept as {kept}")
    return said


def _set_aside(root: Path, aside: Path) -> list[Path]:
    """Copy every notebook to `aside`, and reset those that git tracks; returns the paths of those that were changed."""
    folder = root / "notebooks"
    shutil.copytree(folder, aside, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    changed = _git(root, "diff", "--name-only", "-z", "HEAD", "--", "notebooks", why="git cannot tell what changed")
    paths = [root / name for name in changed.split("\0") if name.endswith(".ipynb")]
    _git(root, "checkout", "HEAD", "--", "notebooks", why="the notebooks could not be set aside")
    return [path for path in paths if (aside / path.name).exists()]


def _git(root: Path, *arguments: str, why: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotUpdate(
            "git is not installed: install it, or copy the new version here and run `taskref build`"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotUpdate(f"{why}: {said[0] if said else 'git said nothing'}. Your notebooks are as they were")
    return done.stdout
