"""One submission, inside its own process: checks each exercise in a forked child, and prints a JSON line for each.

This process never runs a learner's code; only its children do. So an attempt that crashes, hangs, uses too much memory
or fills its folder affects only its own line. Without fork (on Windows), attempts run in this process, one by one.

Not covered: what the sandbox around the process permits (`sandbox.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import TaskrefError
from ..exercises import notebook_files as files
from ..exercises.check import check_attempt
from ..exercises.child_process import STARTING
from ..exercises.exercise import find
from ..exercises.loader import Attempt
from . import sandbox

MEMORY = 2 << 30  # bytes of address space for one attempt
FILE_SIZE = 64 << 20  # bytes of the largest file that an attempt may write
FOLDER_SIZE = 256 << 20  # bytes of an attempt's folder
PROCESSES = 256  # processes and threads of an attempt; with more, it is killed
MOST_PROCESSES = 1024  # the kernel's limit until then, beyond what the user already runs
GRACE = 5.0  # seconds beyond the exercise's own limit, for loading and ending
LOOK = 0.2  # seconds between two checks of an attempt's resources
CHILD_SUBREAPER = 36  # prctl()'s number for it
MAX_RESULT = 1 << 20  # bytes of a result that are read

# Environment variables in which the grader passes the number of the user's threads, and the sandbox's level.
RUNNING, LEVEL = "TASKREF_RUNNING", "TASKREF_SANDBOX"

Result = dict[str, Any]


def limit(**limits: int) -> None:
    """Set limits on resources for this process and its children, which they cannot raise again."""
    try:
        import resource
    except ImportError:
        return
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system supports every limit
            resource.setrlimit(getattr(resource, name), (value, value))


def threads_of_user() -> int:
    """How many processes and threads this user has on the whole machine; 0 if /proc is not available."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid():
                count += sum(1 for _ in (folder / "task").iterdir())
    return count


def results(path: Path) -> Iterator[Result]:
    """The result of each exercise that the notebook answers, or a single one that says why there is none."""
    try:
        found = files.answered(path)
    except MemoryError:
        yield {"notebook": path.name, "problem": f"{path.name} needs more than {MEMORY >> 30} GB to be read"}
        return
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
        exercise = find(attempt.id)
    except TaskrefError as error:
        return _without_verdict(str(error))
    if not hasattr(os, "fork"):
        return _outcome(attempt)
    return _in_a_fork(attempt, exercise.seconds + GRACE + (STARTING if exercise.apart else 0))


def _outcome(attempt: Attempt) -> Result:
    outcome = check_attempt(attempt)
    return {"verdict": str(outcome.verdict), "message": outcome.message, "text": str(outcome)}


def _without_verdict(reason: str) -> Result:
    return {"verdict": "raised an error", "message": reason, "text": reason}


def _in_a_fork(attempt: Attempt, seconds: float) -> Result:
    reader, writer = os.pipe()
    seal = secrets.token_bytes(16)  # distinguishes the check's result from what an attempt writes into the pipe
    with tempfile.TemporaryDirectory(prefix="attempt-", dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        running = max(int(os.environ.get(RUNNING, 0)), threads_of_user())
        sys.stdout.flush()
        try:
            child = os.fork()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            return _without_verdict(f"No process could be started for the attempt: {error.strerror}.")
        if child == 0:
            _be_the_attempt(attempt, Path(folder), running, writer, seal)
        os.close(writer)
        try:
            text, why = _read_until(reader, time.monotonic() + seconds, Path(folder))
        finally:
            os.close(reader)
            status = _end_all(child)
    if not text.startswith(seal):
        return _without_verdict(why or _why(status, bool(text)))
    try:
        found = json.loads(text.removeprefix(seal))
        return {key: str(found[key]) for key in ("verdict", "message", "text")}
    except (ValueError, KeyError, TypeError):
        return _without_verdict("The attempt wrote into the channel of its result.")


def _be_the_attempt(attempt: Attempt, folder: Path, running: int, writer: int, seal: bytes) -> None:
    """In the forked child: check, write the result, and end."""
    try:
        os.setsid()  # a process group of its own, so that everything that it starts can be ended with it
        os.closerange(3, writer)  # above all the pipe for other attempts' results
        os.closerange(writer + 1, 256)
        os.chdir(folder)  # of its own: it finds nothing there of another attempt's, and leaves it nothing
        os.environ |= {"HOME": str(folder), "TMPDIR": str(folder), "TASKREF_HOME": str(folder)}
        tempfile.tempdir = None  # so that it is determined again
        if os.environ.get(LEVEL) != "none" and sandbox.landlock_version():
            sandbox.restrict_writes(folder)  # again, so that this process cannot access its parent
        # Of children only: the kernel counts all processes of the user, so one that must fork gets no limit on them.
        limit(RLIMIT_FSIZE=FILE_SIZE, RLIMIT_NPROC=running + MOST_PROCESSES, RLIMIT_CORE=0)
        result = json.dumps(_outcome(attempt)).encode()
        with os.fdopen(writer, "wb") as out:
            out.write(seal + result[:MAX_RESULT])
    finally:
        os._exit(0)


def _read_until(reader: int, deadline: float, folder: Path) -> tuple[bytes, str]:
    """Everything that the child writes, up to the limit; and the reason if reading stopped before its end."""
    text = b""
    looked = time.monotonic()
    while len(text) <= MAX_RESULT:
        if select.select([reader], [], [], LOOK)[0]:
            part = os.read(reader, 1 << 16)
            if not part:
                break
            text += part
        if time.monotonic() > deadline:
            return b"", "The attempt did not end in its time and was killed."
        if time.monotonic() > looked + LOOK:  # also while it writes: a trickle must not hold us
            if too_much := _too_much(folder):
                return b"", too_much
            looked = time.monotonic()
    return text, ""


def _too_much(folder: Path) -> str:
    """Which of its limits the attempt exceeds, in words; "" if none."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.lstat().st_blocks * 512
    if size > FOLDER_SIZE:
        return f"The attempt wrote more than {FOLDER_SIZE >> 20} MB and was killed."
    if sum(_descendants().values()) > PROCESSES:
        return f"The attempt started more than {PROCESSES} processes and was killed."
    return ""


def _end_all(child: int) -> int:
    """End the attempt and everything that it started, in any process group or session; return the attempt's status.

    The next attempt may start only then, because dying processes and zombies still count as the user's.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    deadline = time.monotonic() + GRACE
    while (left := _descendants()) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # orphans are ours, see adopt_orphans()
                pass
    return status


def _descendants() -> dict[int, int]:
    """The descendants of this process with their numbers of threads, from /proc; none if there is no /proc."""
    found: dict[int, tuple[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()  # the name before it may be anything
            found[int(stat.parent.name)] = int(fields[1]), int(fields[17])
    below = {os.getpid()}
    while more := {process for process, (parent, _) in found.items() if parent in below} - below:
        below |= more
    return {process: found[process][1] for process in below - {os.getpid()}}


def adopt_orphans() -> None:
    """Become the parent of the processes that an attempt leaves behind (Linux), in order to wait for their end."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)


def _why(status: int, wrote: bool) -> str:
    if wrote:
        return "The attempt wrote into the channel of its result."
    if os.WIFSIGNALED(status):
        return f"The attempt ended its process by signal {os.WTERMSIG(status)}."
    return "The attempt ended its process without a result (os._exit, or out of memory)."


def main(paths: list[str]) -> int:
    """Print the results of these notebooks, one JSON line for each."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what attempts print is not a result
    adopt_orphans()
    limit(RLIMIT_AS=MEMORY)
    if os.environ.get(LEVEL) == "files":
        sandbox.restrict_writes(Path.cwd())
    for path in paths:
        for result in results(Path(path)):
            print(json.dumps(result), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
