"""Runs every check of the project, each to its end, and says which of them failed.

    python tools/test.py [arguments for pytest]
    python tools/test.py --slow [arguments for pytest]  what that leaves out
    python tools/test.py --only PATHS                   these tests, slow ones included, and no linters

Bare `pytest` runs less: the fast tests and the exercises of the notebooks. A few tests that failed beside the others
run once more by themselves: several watch threads, browsers and leases, and a machine that is busy is no fault of the
code. What then passes is named, and is still worth a look. Not covered: setting up (`setup.py`).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["-m", "pytest", "-m", "not environments and not nightly"]  # of tests/, slow and browser ones included
SLOW = ["-m", "pytest", "-m", "environments or nightly"]  # what that leaves out
ONLY = ["-m", "pytest", "-q", "-m", "not browser and not environments"]
# In as many processes as tests/conftest.py says. Tests that share a resource name it with xdist_group, and then run one
# after the other.
BESIDE = ["-n", "auto", "--dist", "loadgroup"]
ALONE = ["-n", "0"]
MOST_AGAIN = 10  # more failures than these are no accident
MEMORY = Path("/dev/shm")
ROOM, ROOM_FOR_SLOW = 1 << 30, 4 << 30  # bytes; the slow ones install packages
LINTERS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "pyright": ["-m", "pyright", "--threads", "--pythonpath", sys.executable],
}


def main(arguments: list[str]) -> int:
    """Run all the checks, or some of the tests; returns 0 if every one of them passed."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the processes that tests start would compile the package
    match arguments:
        case ["--slow", *more]:
            with temporary_files_in_memory(ROOM_FOR_SLOW):
                return 0 if run_tests(["tests", *more], ROOT, SLOW) else 1
        case ["--only", *paths]:
            return 0 if run_tests(paths, ROOT, ONLY) else 1
    print("--- pytest", flush=True)
    # The tests wait a third of their time: for browsers, servers and leases.
    with temporary_files_in_memory(ROOM), ThreadPoolExecutor(1) as beside:
        linted = beside.submit(lint)
        failed = [] if run_tests(["tests", *arguments], ROOT) else ["pytest"]
    for name, done in linted.result().items():
        print(f"--- {name}", done.stdout, sep="\n", end="", flush=True)
        if done.returncode:
            failed.append(name)
    print(f"--- failed: {', '.join(failed)}" if failed else f"--- all passed: pytest, {', '.join(LINTERS)}")
    return 1 if failed else 0


@contextmanager
def temporary_files_in_memory(needed: int) -> Iterator[None]:
    """Where Linux has room for them: the tests open thousands of new databases, and each waits for the disk."""
    fits = MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > needed
    if not fits or "TMPDIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="taskref-tests-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o1777)  # as /tmp is: root's PostgreSQL runs as another user
        os.environ["TMPDIR"] = folder
        yield
        del os.environ["TMPDIR"]


def lint() -> dict[str, subprocess.CompletedProcess[str]]:
    """Run the linters one after the other; what each said."""
    catch = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return {name: subprocess.run([sys.executable, *check], cwd=ROOT, **catch) for name, check in LINTERS.items()}


def run_tests(arguments: list[str], root: Path, tests: list[str] = TESTS) -> bool:
    """Whether all tests of `root` that the arguments name pass, a few of them perhaps only by themselves."""
    if not (code := run([*tests, *BESIDE, *arguments], root)):
        return True
    again = last_failed(root) if code == 1 else []  # other codes: interrupted, a usage error, nothing collected
    if not again or len(again) > MOST_AGAIN:
        return False
    print(f"--- pytest, by themselves: the {len(again)} that failed", flush=True)
    if run([*tests, *ALONE, *again], root):
        return False
    print("--- passed by themselves, failed beside the others:", *again, sep="\n    ", flush=True)
    return True


def last_failed(root: Path) -> list[str]:
    """What pytest's own cache says of its last run, without the group that pytest-xdist appends to a test's name."""
    file = root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else ()
    return [re.sub(r"@[^]]*$", "", test) for test in found]


def run(arguments: list[str], root: Path = ROOT) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=root).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
