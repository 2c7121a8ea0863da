"""Sets up .venv for the lab or for the tests, or says in one line why it cannot.

    python tools/setup.py lab        (or: dev)

Standard library only: it runs before anything is installed. A second run finds the stamp that
the first one left and does nothing; without a stamp (interrupted, half copied, made by something
else) .venv is built anew. Not covered: finding the Python that runs this (`with-python`) and
starting JupyterLab (`taskref_edu/cli/launch.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "taskref-setup.json"

LOWEST_SQLITE = (3, 35)  # the first with UPDATE ... RETURNING
SERVES = {"lab": {"lab", "dev"}, "dev": {"dev"}}  # which installed extra serves the one that is wanted


class CannotSetUp(Exception):
    """One line: what was found, what is needed, what to do."""


def main(arguments: list[str]) -> int:
    """Set up for the one extra named; returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in SERVES:
        print("usage: python tools/setup.py lab|dev", file=sys.stderr)
        return 2
    try:
        with one_at_a_time():
            set_up(arguments[0])
    except CannotSetUp as problem:
        print(f"taskref_edu: {problem}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"taskref_edu: the set-up failed ({error}); mend that, then run it again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("taskref_edu: stopped; the next run starts the set-up afresh.", file=sys.stderr)
        return 130
    return 0


def set_up(extra: str) -> None:
    """Leave .venv with the extra installed and a stamp that says so."""
    stamp = read_stamp()
    if stamp and stamp["extra"] in SERVES[extra] and stamp["pyproject"] == fingerprint():
        return
    require_sqlite()
    require_writable()
    uv = shutil.which("uv")
    tool = "uv" if uv else "pip"
    if stamp and stamp["tool"] == tool:
        say(f"Updating .venv with {tool}: pyproject.toml has changed, or more packages are needed.")
    else:
        create(uv)
    STAMP.unlink(missing_ok=True)  # from here until the end .venv is not to be trusted
    install(extra, uv)
    write_stamp(extra, tool)
    say("Set up. The next start takes about a second.")


# --- the stamp ---------------------------------------------------------------------------------


def fingerprint() -> str:
    """What an installed environment depends on, as a hash."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def read_stamp() -> dict | None:
    """The last set-up's stamp, or None if .venv is not as that set-up left it."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        installed = set(packages())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    moved = stamp["root"] != str(ROOT)  # scripts in .venv hold the folder's name
    return None if moved or not installed.issuperset(stamp["packages"]) else stamp


def write_stamp(extra: str, tool: str) -> None:
    """Written last: its presence says that the set-up came to its end."""
    stamp = {
        "root": str(ROOT),
        "pyproject": fingerprint(),
        "extra": extra,
        "tool": tool,
        "packages": packages(),
    }
    STAMP.write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def packages() -> list[str]:
    """The installed packages with versions. Asks .venv's Python, so it fails if that one is gone."""
    ask = [PYTHON, "-I", "-c", "import sysconfig; print(ascii(sysconfig.get_path('purelib')))"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    folder = Path(answer.strip()[1:-1].encode("ascii").decode("unicode_escape"))
    return sorted(path.name for path in folder.glob("*.dist-info"))


# --- what must hold before anything is written ---------------------------------------------------


def require_sqlite() -> None:
    """Refuse a Python whose SQLite lacks what the queue is made of."""
    try:
        import sqlite3
    except ImportError:
        raise CannotSetUp(
            f"found {this_python()} without its sqlite3 module, needs it: use another build of Python "
            "(make lab PYTHON=/path/to/python)."
        ) from None
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        raise CannotSetUp(
            f"found SQLite {sqlite3.sqlite_version} in {this_python()}, needs 3.35 or newer: "
            "use a newer build of Python (make lab PYTHON=/path/to/python)."
        )


def require_writable() -> None:
    """Refuse a read-only folder. Tried by writing: permissions alone do not show a read-only disk."""
    try:
        tempfile.TemporaryFile(dir=ROOT).close()
    except OSError as error:
        raise CannotSetUp(
            f"found the folder {ROOT} read-only ({error.strerror}), needs to write .venv into it: "
            "copy the folder to a place of your own, and run it there."
        ) from None


# --- making it ----------------------------------------------------------------------------------


def create(uv: str | None) -> None:
    """A fresh .venv with this Python."""
    if not uv and not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        raise CannotSetUp(
            f"found {this_python()} without its venv module, needs it: on Debian or Ubuntu "
            f"`sudo apt install python3.{sys.version_info.minor}-venv`, or install uv; then run it again."
        )
    about = "15 seconds" if uv else "one minute"
    say(f"Setting up .venv for {this_python()} with {'uv' if uv else 'pip'}: about {about}, this once.")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    command = [uv, "venv", "--quiet", "--no-python-downloads", "--python"] if uv else []
    run(
        [*command, sys.executable, *([] if uv else ["-m", "venv"]), str(ENVIRONMENT)],
        "could not create .venv",
    )


def install(extra: str, uv: str | None) -> None:
    """The package itself (editable) with the extra; the tool's own progress is what one sees."""
    tool = [uv, "pip", "install", "--python", str(PYTHON)] if uv else [str(PYTHON), "-m", "pip", "install"]
    run(
        [*tool, "--editable", f".[{extra}]"],
        f"{'uv' if uv else 'pip'} could not install the packages, its own words stand above; "
        "the first set-up needs the network: check it, then run the same command again",
    )


def run(command: list[str], failure: str) -> None:
    """Run a step of the set-up with its output visible."""
    code = subprocess.run(command, cwd=ROOT).returncode
    if code:
        raise CannotSetUp(f"{failure} (exit code {code}).")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let `make lab` and `make test`, started together, take turns.

    The lock is on pyproject.toml opened for reading: the system frees it however we end."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (ROOT / "pyproject.toml").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is running in this folder; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def this_python() -> str:
    """The running Python, as a person would name it."""
    return f"Python {platform.python_version()} ({sys.executable})"


def say(line: str) -> None:
    """One line of progress, at once (the tools that follow write past Python's buffer)."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
