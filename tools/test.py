"""Runs every check of the project, each to its end, and says which of them failed.

    python tools/test.py [arguments for pytest]

Bare `pytest` runs less: the fast tests and the exercises of the notebooks. Not covered: setting up
(`setup.py`).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS = {
    # All of tests/, slow and browser ones included, in as many processes as tests/conftest.py says. Tests that share
    # a resource name it with xdist_group, and then run one after the other. `make test-slow` runs what is left out.
    "pytest": ["-m", "pytest", "-m", "not environments and not nightly", "-n", "auto", "--dist", "loadgroup", "tests"],
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "pyright": ["-m", "pyright", "--threads", "--pythonpath", sys.executable],
}


def main(arguments: list[str]) -> int:
    """Run all the checks; returns 0 if every one of them passed."""
    failed = []
    for name, check in CHECKS.items():
        print(f"--- {name}", flush=True)
        more = arguments if name == "pytest" else []
        if subprocess.run([sys.executable, *check, *more], cwd=ROOT).returncode:
            failed.append(name)
    print(f"--- failed: {', '.join(failed)}" if failed else f"--- all passed: {', '.join(CHECKS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
