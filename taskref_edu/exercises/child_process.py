"""Checks an attempt in a child process: for exercises whose answers may end the process in which they run.

The child checks as a notebook would, and returns the outcome as JSON. If it ends before that, the answer ended it. A
shell runs between the two, so that not even a signal to the child's parent reaches the caller. Python and its imports
take longer than the check, so `start_early` starts the next child before it is needed.

Not covered: limits on memory and files, which grading sets.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from .comparison import Comparison, Row
from .exercise import Exercise
from .loader import Attempt
from .outcomes import Outcome, Verdict

CHILD = "TASKREF_CHECKED_APART"  # set in the child, which must check the attempt itself
STARTING = 30.0  # seconds for Python and its imports, on a busy machine
ON_POSIX = os.name == "posix"
SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "check"]


def is_apart(exercise: Exercise) -> bool:
    """Whether this exercise must be checked in another process."""
    return exercise.apart and CHILD not in os.environ


_waiting: list[subprocess.Popen[str]] = []  # the child that was started early, if any


def start_early(exercise: Exercise) -> None:
    """Start the child for the next check of this exercise, unless one is waiting; it ends with this process."""
    if is_apart(exercise) and not any(process.poll() is None for process in _waiting):
        _end_waiting()
        _waiting.append(_started())


@atexit.register
def _end_waiting() -> None:
    while _waiting:
        _end(_waiting.pop())


def _started() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"{__name__}_main"]
    return subprocess.Popen(
        [*SHELL, *command] if ON_POSIX else command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, CHILD: "1", "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        encoding="utf-8",
        start_new_session=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End the child and the processes that it started."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL) if ON_POSIX else process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            with suppress(OSError):
                stream.close()


def check_apart(attempt: Attempt, exercise: Exercise) -> Outcome:
    """The outcome of the attempt, checked in a child."""
    process = _waiting.pop() if _waiting and _waiting[0].poll() is None else _started()
    sent = {**asdict(attempt), "elsewhere": sorted(attempt.elsewhere)}
    try:
        said, _ = process.communicate(json.dumps(sent), timeout=exercise.seconds + STARTING)
    except subprocess.TimeoutExpired:
        return exercise.failed(f"Stopped after {exercise.seconds:g} s: the process never came back.")
    finally:
        _end(process)
    try:
        return _outcome(json.loads(said))
    except ValueError:
        return exercise.failed(
            "That ends the whole process, and the library's worker with it: no thread survives its process. "
            "End the worker, not the world.",
        )


def _outcome(said: dict[str, Any]) -> Outcome:
    facts = [(heading, fact) for heading, fact in said.pop("facts")]
    pair = said.pop("comparison")
    comparison = Comparison([Row(**row) for row in pair["rows"]], pair["left_out"]) if pair else None
    # Without the notes: they are about threads and names of a process that has ended.
    told = {**said, "verdict": Verdict(said["verdict"]), "facts": facts, "notes": (), "comparison": comparison}
    return Outcome(**told)
