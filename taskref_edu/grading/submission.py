"""One submission, inside its own process: check each exercise in a fork of its own, print a JSON line for each.

This process never runs a learner's line; only its forks do. So an attempt that dies, hangs or eats memory spoils
its own line and no other. Where there is no fork (Windows), attempts run here, one after the other.

Not covered: a wall against attacks. A fork can still read what the grading user can read, and use the network.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import TaskrefError
from ..exercises import notebook_files as files
from ..exercises.check import check_attempt
from ..exercises.exercise import find
from ..exercises.loader import Attempt

MEMORY = 2 << 30  # bytes of address space for one attempt
FILE_SIZE = 64 << 20  # bytes of the largest file that an attempt may write
PROCESSES = 256  # of this user, where the system counts them
GRACE = 5.0  # seconds beyond the exercise's own limit, for loading and for ending
MAX_RESULT = 1 << 20  # bytes of a result that are read

Result = dict[str, Any]


def limit_resources() -> None:
    """Give this process and its forks limits that they cannot raise again; nothing happens where there are none."""
    try:
        import resource
    except ImportError:
        return
    limits = {"RLIMIT_AS": MEMORY, "RLIMIT_FSIZE": FILE_SIZE, "RLIMIT_NPROC": PROCESSES, "RLIMIT_CORE": 0}
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system has or takes every one
            resource.setrlimit(getattr(resource, name), (value, value))


def results(path: Path) -> Iterator[Result]:
    """The result of each exercise that the notebook answers, or one line that says why there is none."""
    try:
        found = files.answered(path)
    except TaskrefError as error:
        yield {"notebook": path.name, "problem": str(error).replace(str(path), path.name)}
        return
    for attempt in found.attempts:
        yield {"notebook": path.name, "id": attempt.id, **_checked(attempt)}
    yield from ({"notebook": path.name, "problem": problem} for problem in found.problems)
    if not found.attempts:
        yield {"notebook": path.name}


def _checked(attempt: Attempt) -> Result:
    try:
        seconds = find(attempt.id).seconds
    except TaskrefError as error:
        return _without_verdict(str(error))
    if not hasattr(os, "fork"):
        return _outcome(attempt)
    return _in_a_fork(attempt, seconds + GRACE)


def _outcome(attempt: Attempt) -> Result:
    outcome = check_attempt(attempt)
    return {"verdict": str(outcome.verdict), "message": outcome.message, "text": str(outcome)}


def _without_verdict(reason: str) -> Result:
    return {"verdict": "raised an error", "message": reason, "text": reason}


def _in_a_fork(attempt: Attempt, seconds: float) -> Result:
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()  # a group of its own, so that what it starts can be ended with it
        os.closerange(3, writer)  # the way out for other results, above all
        os.closerange(writer + 1, 256)
        try:
            os.write(writer, json.dumps(_outcome(attempt)).encode()[:MAX_RESULT])
        finally:
            os._exit(0)
    os.close(writer)
    try:
        text = _read_until(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    try:
        found = json.loads(text or b"")
        return {key: str(found[key]) for key in ("verdict", "message", "text")}
    except (ValueError, KeyError, TypeError):
        return _without_verdict(_why(status, text is None))


def _read_until(reader: int, deadline: float) -> bytes | None:
    """All that the fork writes, up to the limit; None if it was not done by the deadline."""
    text = b""
    while len(text) <= MAX_RESULT:
        if not select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        part = os.read(reader, 1 << 16)
        if not part:
            break
        text += part
    return text


def _why(status: int, late: bool) -> str:
    if late:
        return "The attempt did not end in its time and was killed."
    if os.WIFSIGNALED(status):
        return f"The attempt ended its process by signal {os.WTERMSIG(status)}."
    return "The attempt ended its process without a result (os._exit, or out of memory)."


def main(paths: list[str]) -> int:
    """Print the results of these notebooks, a JSON line each."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what attempts print is not a result
    limit_resources()
    for path in paths:
        for result in results(Path(path)):
            print(json.dumps(result), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
