"""What `taskref grade` does: a progress line while it works, then where the results are."""

from __future__ import annotations

import sys
from pathlib import Path

from . import grader
from .report import NOT_CONTAINED, write_report


def grade(folder: str, out: str, jobs: int | None) -> int:
    """Grade the folder and write the report to `out`; 0 if every submission could be graded, else 1."""
    print(NOT_CONTAINED, file=sys.stderr)
    grades = grader.grade(Path(folder), jobs=jobs, done=_progress)
    files = write_report(grades, Path(out))
    print("\n".join(str(path) for path in files[:2]))
    print(f"{len(files) - 2} learners' pages in {Path(out) / 'learners'}")
    return int(any(grade.problems and not grade.results for grade in grades))


def _progress(finished: int, total: int) -> None:
    end = "\n" if finished == total or not sys.stderr.isatty() else ""
    print(f"\r{finished} of {total} submissions graded", end=end, file=sys.stderr, flush=True)
