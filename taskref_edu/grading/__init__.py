"""Grades a folder of submissions: each learner's notebooks in a separate process, under limits, in a sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

from .grader import grade
from .report import containment, write_report
from .sandbox import best_level

__all__ = ["command", "grade"]

NO_SANDBOX = (
    "taskref: no sandbox can be had here: neither bubblewrap nor Landlock (Linux 5.13) works. A submission could "
    "delete your files. Install bubblewrap, or grade on a machine that has nothing to lose, with --no-sandbox."
)


def command(folder: str, out: str, jobs: int | None, no_sandbox: bool) -> int:
    """`taskref grade`: grade the folder, write the report to `out`; 0 if every submission could be graded, else 1."""
    level = "none" if no_sandbox else best_level()
    if level == "none" and not no_sandbox:
        print(NO_SANDBOX, file=sys.stderr)
        return 1
    print(containment(level), file=sys.stderr)
    grades = grade(Path(folder), jobs=jobs, level=level, done=_progress)
    files = write_report(grades, Path(out), level)
    print("\n".join(str(path) for path in files[:2]))
    print(f"{len(files) - 2} learners' pages in {Path(out) / 'learners'}")
    for one in grades:
        if one.problems and not one.results:
            print(f"not graded: {one.learner}: {'; '.join(one.problems)}", file=sys.stderr)
    return int(any(one.problems and not one.results for one in grades))


def _progress(finished: int, total: int) -> None:
    end = "\n" if finished == total or not sys.stderr.isatty() else ""
    print(f"\r{finished} of {total} submissions graded", end=end, file=sys.stderr, flush=True)
