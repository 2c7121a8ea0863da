"""What `taskref build` and `taskref update` do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..exercises.progress import root
from .build import build as build_all
from .build import build_solutions, chosen
from .rules import problems
from .source import BadSource
from .update import fetch


def build(names: Sequence[str], check: bool, solutions: str | None) -> int:
    """Write notebooks, or solved ones elsewhere, or list what breaks a rule; returns the exit code."""
    clone = root()
    if not (clone / "authoring").is_dir():
        raise BadSource(f"no folder authoring/ in {clone}: run this inside a clone of the repository")
    if check:
        return _check(chosen(clone / "authoring", names))
    if solutions:
        for path in build_solutions(clone, Path(solutions)):
            print(path)
        return 0
    for written in build_all(clone, names):
        print(written)
    return 0


def update() -> int:
    """Pull, then build with the code that was pulled: in a process of its own, since this one has the old code."""
    clone = root()
    fetch(clone)
    return subprocess.run([sys.executable, "-m", "taskref_edu.cli", "build"], cwd=clone, check=False).returncode


def _check(paths: Sequence[Path]) -> int:
    found = problems(paths)
    for problem in found:
        print(problem)
    print(f"{len(found)} problems in {len(paths)} sources" if found else f"no problem in {len(paths)} sources")
    return int(bool(found))
