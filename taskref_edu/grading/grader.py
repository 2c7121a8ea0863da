"""From a folder of submissions to results: one process for each learner, several at a time.

A submission is a folder or a notebook in the graded folder; its name is the learner's. It is copied to a scratch folder
and runs there, in a sandbox (`sandbox.py`), with a minimal environment. Whatever it does affects only its own result.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import TaskrefError
from ..exercises.outcomes import presentable
from .sandbox import Level, best_level, wrapped
from .submission import LEVEL, RUNNING, threads_of_user

SECONDS = 600.0  # for a whole submission
MAX_NAME, MAX_PROBLEM = 100, 1000  # characters of a learner's name, and of a problem, in the report
LEFTOVERS = (".", "__MACOSX")  # prefixes of names that programs create, not learners
ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar")
MAX_NOTEBOOK = 64 << 20  # bytes; a larger file is not opened
KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE")


class BadFolder(TaskrefError):
    """The folder to grade cannot be used."""


@dataclass
class Grade:
    """The result of one learner's submission.

    results: by exercise, `verdict`, `message` and `text`. problems: what could not be graded, a sentence for each.
    """

    learner: str
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class Submission:
    """One learner's notebooks, and other files that were handed in and are not graded."""

    notebooks: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def submissions(folder: Path) -> dict[str, Submission]:
    """Each learner's submission, including those without a notebook, with the reason. Raises BadFolder."""
    if not folder.is_dir():
        raise BadFolder(f"{folder} is not a folder: name the one that holds a folder or a notebook for each learner")
    found: dict[str, Submission] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(LEFTOVERS):
            continue
        one = found.setdefault(learner_of(entry), Submission())
        is_folder = entry.is_dir() and not entry.is_symlink()
        for path in sorted(_files_below(entry)) if is_folder else [entry]:
            if problem := _problem_with(path):
                one.problems.append(problem)
            elif is_notebook(path):
                one.notebooks.append(path)
            elif not is_folder:
                one.problems.append(f"{path.name} is no notebook")
    if not found:
        raise BadFolder(f"{folder} holds no submission: a folder or a notebook for each learner was expected")
    return found


def learner_of(entry: Path) -> str:
    """`dan` for the folder `dan`, and for `dan.ipynb`, `dan.IPYNB`, `dan.ipynb.json` and `dan.zip`."""
    name = entry.name
    return name if entry.is_dir() else re.sub(r"(?i)(\.ipynb.*|\.tar\.\w+|\.\w+)$", "", name) or name


def is_notebook(path: Path) -> bool:
    """Whether its suffix is that of a notebook, in any case."""
    return path.suffix.lower() == ".ipynb"


def _files_below(folder: Path) -> Iterator[Path]:
    """Everything except plain folders: links are not followed, and a folder named like a notebook is included."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        plain = path.is_dir() and not path.is_symlink() and not is_notebook(path)
        if not any(part.startswith(LEFTOVERS) for part in parts) and not plain:
            yield path


def _problem_with(path: Path) -> str:
    """Why a file that looks like work is not graded."""
    if path.is_symlink():
        return f"{path.name} is a link, and was not followed: hand in the file itself"
    if path.suffix.lower() in ARCHIVES:
        return f"{path.name} is an archive, and was not opened: unpack it"
    if is_notebook(path) and not path.is_file():
        return f"{path.name} is no regular file, and was not used"
    if ".ipynb" in path.name.lower() and not is_notebook(path):
        return f"{path.name} does not end in .ipynb, and was not used: rename it"
    return ""


def grade(
    folder: Path,
    *,
    jobs: int | None = None,
    seconds: float = SECONDS,
    level: Level | None = None,
    done: Callable[[int, int], None] = lambda *_: None,
) -> list[Grade]:
    """Grade every submission in `folder`, `jobs` at a time (one for each core), and return them by learner.

    seconds: the limit for one submission; results up to then count. level: the sandbox's level, by default the best.
    done(finished, all): called after each submission.
    """
    level = level or best_level()
    found = submissions(folder)
    grades: list[Grade] = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(grade_one, learner, one, level, seconds) for learner, one in found.items()]
        for future in as_completed(waiting):
            grades.append(future.result())
            done(len(grades), len(found))
    return sorted(grades, key=lambda one: one.learner)


def grade_one(learner: str, submission: Submission, level: Level, seconds: float) -> Grade:
    """Grade one submission in a process of its own; never raises because of what the submission contains or does."""
    one = Grade(presentable(learner, MAX_NAME), problems=list(submission.problems))
    if not submission.notebooks:
        one.problems.append("no notebook found")
    try:
        with tempfile.TemporaryDirectory(prefix="taskref-grade-", ignore_cleanup_errors=True) as scratch:
            copies = [_copied(path, Path(scratch), n, one) for n, path in enumerate(submission.notebooks)]
            kept = [str(path) for path in copies if path]
            for result in _run(kept, Path(scratch), level, seconds, one) if kept else ():
                _add(one, result)
            if kept and not one.results and not one.problems:
                one.problems.append("no cell answers an exercise")
    except Exception as error:
        one.problems.append(f"the grading of this submission stopped: {type(error).__name__}: {error}")
    one.problems = [presentable(problem, MAX_PROBLEM) for problem in one.problems]
    return one


def _copied(path: Path, scratch: Path, number: int, one: Grade) -> Path | None:
    try:
        if path.stat().st_size > MAX_NOTEBOOK:
            one.problems.append(f"{path.name} has {path.stat().st_size:,} bytes, {MAX_NOTEBOOK:,} are read at most")
            return None
        target = scratch / str(number) / presentable(path.name, MAX_NAME)
        target.parent.mkdir()
        return Path(shutil.copyfile(path, target))
    except OSError as error:
        one.problems.append(f"{path.name} could not be read: {error.strerror}")
        return None


def _run(paths: list[str], scratch: Path, level: Level, seconds: float, one: Grade) -> Iterator[dict[str, Any]]:
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= {"HOME": str(scratch), "TMPDIR": str(scratch), "TASKREF_HOME": str(scratch)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", LEVEL: level, RUNNING: str(threads_of_user())}
    command = wrapped([sys.executable, "-P", "-m", "taskref_edu.grading.submission", *paths], level, scratch)
    process = subprocess.Popen(
        command,
        cwd=scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, errors = process.communicate(timeout=seconds)
        if process.returncode:
            last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            one.problems.append(f"the grading process ended with {process.returncode}: {last[0]}")
    except subprocess.TimeoutExpired:
        one.problems.append(f"not done after {seconds:.0f} s; what was checked by then counts")
        _end(process)
        said, _ = process.communicate()
    finally:
        _end(process)
    yield from (json.loads(line) for line in said.splitlines(keepends=True) if line.endswith(b"\n"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its group, including bubblewrap's child, which holds the pipes."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _add(one: Grade, result: dict[str, Any]) -> None:
    """Add a result; if two notebooks answer one exercise, the better one counts, and a problem mentions it."""
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
