"""Check an attempt in a process of its own: for an exercise whose answers may end the process that they run in.

The child checks as a notebook would, and sends the outcome back as JSON. If it ends before that, the answer ended it.
Between the two stands a shell, so that not even a signal to the child's parent reaches the caller. Not contained: what
grading contains, such as memory and files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from .exercise import Exercise
from .loader import Attempt
from .outcomes import Outcome, Verdict

CHILD = "TASKREF_CHECKED_APART"  # set in the child, which checks right there
STARTING = 30.0  # seconds for Python and its imports, on a machine that has much to do
SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "check"]


def is_apart(exercise: Exercise) -> bool:
    """Whether this exercise is to be checked in another process than this one."""
    return exercise.apart and CHILD not in os.environ


def check_apart(attempt: Attempt, exercise: Exercise) -> Outcome:
    """The outcome of the attempt, checked in a child."""
    command = [sys.executable, "-m", f"{__name__}_child"]
    on_posix = os.name == "posix"
    process = subprocess.Popen(
        [*SHELL, *command] if on_posix else command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, CHILD: "1", "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        encoding="utf-8",
        start_new_session=True,
    )
    sent = {**asdict(attempt), "elsewhere": sorted(attempt.elsewhere)}
    try:
        said, _ = process.communicate(json.dumps(sent), timeout=exercise.seconds + STARTING)
    except subprocess.TimeoutExpired:
        return _failed(exercise, f"Stopped after {exercise.seconds:g} s: the process never came back.")
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if on_posix else process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
    try:
        return _outcome(json.loads(said))
    except ValueError:
        return _failed(
            exercise,
            "That ends the whole process, and the library's worker with it: no thread survives its process. "
            "End the worker, not the world.",
        )


def _failed(exercise: Exercise, message: str) -> Outcome:
    next_step = f'Change the cell and run it again; `hint("{exercise.id}")` helps.'
    return Outcome(exercise.id, exercise.title, Verdict.FAILED, message, next_step)


def _outcome(said: dict[str, Any]) -> Outcome:
    facts = [(heading, fact) for heading, fact in said.pop("facts")]
    return Outcome(**{**said, "verdict": Verdict(said["verdict"]), "facts": facts})
