"""Runs every check of the project, each to its end, and says which of them failed.

    python tools/test.py [arguments for pytest]

Lint and types are checked while the tests run, which often wait; what they say comes after the tests. Bare `pytest`
runs less: the fast tests and the exercises of the notebooks. Left out: setting up (`setup.py`). Read next: the
section [tool.pytest] of `pyproject.toml`.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# All of tests/, slow and browser ones included; a process for each core: with one more, tests that watch
# the clock starve. Tests that share a resource name it with xdist_group, and then run one after the other.
TESTS = ["-m", "pytest", "-m", "", "-n", "auto", "--dist", "loadgroup", "tests"]
BESIDE = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "pyright": ["-m", "pyright", "--pythonpath", sys.executable],
}


def main(arguments: list[str]) -> int:
    """Run all the checks; returns 0 if every one of them passed."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        started = {name: beside.submit(quietly, check) for name, check in BESIDE.items()}
        print("--- pytest", flush=True)
        codes = {"pytest": subprocess.run([sys.executable, *TESTS, *arguments], cwd=ROOT).returncode}
        for name, check in started.items():
            codes[name], said = check.result()
            print(f"--- {name}\n{said}", end="", flush=True)
    failed = [name for name, code in codes.items() if code]
    print(f"--- failed: {', '.join(failed)}" if failed else f"--- all passed: {', '.join(codes)}")
    return 1 if failed else 0


def quietly(check: list[str]) -> tuple[int, str]:
    """Run a check; its exit code and what it printed."""
    ran = subprocess.run(
        [sys.executable, *check], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return ran.returncode, ran.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
