"""From a folder of submissions to results: one process for each learner, several at a time.

A submission is a folder or a notebook in the graded folder; its name is the learner. It is copied to a scratch
folder and runs there, with a bare environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import TaskrefError

SECONDS = 600.0  # for a whole submission
MAX_NOTEBOOK = 20 << 20  # bytes; a larger file is not opened
KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE")


class BadFolder(TaskrefError):
    """The folder to be graded cannot be used."""


@dataclass
class Grade:
    """What one learner's submission came to.

    results: by exercise, `verdict`, `message` and `text`. problems: what could not be graded, a sentence each.
    """

    learner: str
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def submissions(folder: Path) -> dict[str, list[Path]]:
    """The notebooks of each learner; a folder without one is there with none. Raises BadFolder."""
    if not folder.is_dir():
        raise BadFolder(f"{folder} is not a folder: name the one that holds a folder or a notebook for each learner")
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found.setdefault(entry.name, []).extend(_notebooks_below(entry))
        elif entry.suffix == ".ipynb":
            found.setdefault(entry.stem, []).append(entry)
    if not found:
        raise BadFolder(f"{folder} holds no submission: a folder or a notebook for each learner was expected")
    return found


def _notebooks_below(folder: Path) -> list[Path]:
    paths = (path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def grade(
    folder: Path,
    *,
    jobs: int | None = None,
    seconds: float = SECONDS,
    done: Callable[[int, int], None] = lambda *_: None,
) -> list[Grade]:
    """Grade every submission in `folder`, `jobs` at a time (one for each core), and return them by learner.

    seconds: for one submission; what was found by then counts. done(finished, all): called after each.
    """
    found = submissions(folder)
    grades: list[Grade] = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(grade_one, learner, paths, seconds) for learner, paths in found.items()]
        for future in as_completed(waiting):
            grades.append(future.result())
            done(len(grades), len(found))
    return sorted(grades, key=lambda one: one.learner)


def grade_one(learner: str, paths: list[Path], seconds: float = SECONDS) -> Grade:
    """Grade one submission in a process of its own; never raises for what the submission does."""
    one = Grade(learner)
    if not paths:
        one.problems.append("no notebook found")
    with tempfile.TemporaryDirectory(prefix="taskref-grade-", ignore_cleanup_errors=True) as scratch:
        copies = [_copied(path, Path(scratch), number, one) for number, path in enumerate(paths)]
        kept = [str(path) for path in copies if path]
        for result in _run(kept, Path(scratch), seconds, one) if kept else ():
            _add(one, result)
    return one


def _copied(path: Path, scratch: Path, number: int, one: Grade) -> Path | None:
    if path.stat().st_size > MAX_NOTEBOOK:
        one.problems.append(f"{path.name} has {path.stat().st_size:,} bytes, {MAX_NOTEBOOK:,} are read at most")
        return None
    target = scratch / str(number) / path.name
    target.parent.mkdir()
    return Path(shutil.copyfile(path, target))


def _run(paths: list[str], scratch: Path, seconds: float, one: Grade) -> Iterator[dict[str, Any]]:
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= {"HOME": str(scratch), "TMPDIR": str(scratch), "TASKREF_HOME": str(scratch)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-P", "-m", "taskref_edu.grading.submission", *paths]
    with (scratch / "said").open("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.DEVNULL
        )
        try:
            if process.wait(seconds):
                one.problems.append(f"the grading process ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            one.problems.append(f"not done after {seconds:.0f} s; what was checked by then counts")
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        yield from (json.loads(line) for line in said if line.endswith("\n"))


def _add(one: Grade, result: dict[str, Any]) -> None:
    """Take over a result; of two notebooks that answer one exercise the better one counts, and that is said."""
    if problem := result.get("problem"):
        one.problems.append(problem)
    id = result.get("id")
    if not id:
        return
    before = one.results.get(id)
    if before:
        one.problems.append(f"{before['notebook']} and {result['notebook']} both answer {id}; the better one counts")
    if before is None or _rank(result) > _rank(before):
        one.results[id] = result


def _rank(result: dict[str, Any]) -> int:
    return ["not attempted", "raised an error", "failed", "passed"].index(result["verdict"])
