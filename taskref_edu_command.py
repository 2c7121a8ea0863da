"""The `taskref` command's entry point: says by name why the package cannot be imported, where it cannot.

Importing anything of the package imports its models, which an old SQLModel on PYTHONPATH breaks. So this stands beside
the package, not in it, and uses the standard library only. `taskref doctor` then goes on without PYTHONPATH.
"""

from __future__ import annotations

import os
import subprocess
import sys

INSTALL = "run `make lab` in the clone, or there `pip install '.[lab]'`"


def main() -> int:
    """Run the command; where it cannot be imported, name the problem and the remedy."""
    try:
        from taskref_edu.cli import main as command
    except Exception as error:  # an old package may fail in any way while ours is built on it
        return _cannot_import(error)
    return command()


def _cannot_import(error: Exception) -> int:
    path = os.environ.get("PYTHONPATH")
    found = f"the package cannot be imported ({type(error).__name__}: {error})"
    if path:
        found += f" with PYTHONPATH={path}"
    remedy = "unset PYTHONPATH" if path else INSTALL
    if sys.argv[1:2] != ["doctor"]:
        print(f"taskref: {found}: {remedy}, or see `taskref doctor`.", file=sys.stderr)
        return 1
    print(f"  PROBLEM  {found}\n           -> {remedy}", flush=True)
    if path:
        print("Everything else, without PYTHONPATH:", flush=True)
        _without_pythonpath(sys.argv[1:])
        print("Fix the first problem, then run it again.")
    return 1


def _without_pythonpath(arguments: list[str]) -> None:
    """Run the command without PYTHONPATH. The summary at the end of a bare `doctor` knows nothing of our problem."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-EP", "-m", "taskref_edu.cli", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = ""
        for line in process.stdout:
            print(held, end="", flush=True)
            held = line
        if arguments != ["doctor"]:
            print(held, end="")
