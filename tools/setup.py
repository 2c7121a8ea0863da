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
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "taskref-setup.json"

SILENCE = 2.5  # seconds after which a step that goes on says so
TOLD, WIDTH, SHOWN = 10, 70, 15  # such lines a step at most, their width, and a failure's last lines that are shown
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
        print(f"taskref_edu: the set-up failed ({error}); fix that, then run it again.", file=sys.stderr)
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
    began = time.monotonic()
    uv = shutil.which("uv")
    if stamp:
        say("Updating .venv: pyproject.toml has changed, or more packages are needed.")
    else:
        create(uv)
    STAMP.unlink(missing_ok=True)  # from here until the end .venv is not to be trusted
    tool = install(extra, uv)
    write_stamp(extra, tool)
    say(f"Set up with {tool} in {time.monotonic() - began:.0f} s.")


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
    """Refuse a folder that cannot hold .venv. Tried by writing: permissions alone do not show a read-only disk."""
    try:
        tempfile.TemporaryFile(dir=ROOT).close()
    except OSError as error:
        raise CannotSetUp(
            f"found the folder {ROOT} read-only ({error.strerror}), needs to write .venv into it: "
            "copy the folder to a place of your own, and run it there."
        ) from None
    try:
        with tempfile.NamedTemporaryFile(dir=ROOT) as file:
            Path(file.name).chmod(0o700)
    except OSError as error:
        raise CannotSetUp(
            f"found that the disk of {ROOT} refuses to make a file executable ({error.strerror}), as some network and "
            "USB drives do, needs that to install programs: copy the folder to a disk of this machine, run it there."
        ) from None


# --- making it ----------------------------------------------------------------------------------


def create(uv: str | None) -> None:
    """A fresh .venv with this Python."""
    if not uv and not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        raise CannotSetUp(
            f"found {this_python()} without its venv module, needs it: on Debian or Ubuntu "
            f"`sudo apt install python3.{sys.version_info.minor}-venv`, or install uv; then run it again."
        )
    say(f"Setting up .venv for {this_python()}: about half a minute, this once.")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    with_uv = [uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable]
    command = with_uv if uv else [sys.executable, "-m", "venv", "--without-pip"]  # pip takes seconds: see install()
    run([*command, str(ENVIRONMENT)], "could not create .venv")


def install(extra: str, uv: str | None) -> str:
    """The package itself (editable) with the extra; returns the tool that did it.

    uv downloads several packages at a time, which usually saves more than fetching uv costs. Where it cannot be had,
    or fails (it reads no pip.conf, and brings its own certificates), pip does the work.
    """
    package = ["--editable", f".[{extra}]"]
    pip = [str(PYTHON), "-m", "pip", "install", "--no-input"]
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not uv and watch([*pip, "--quiet", "--retries", "1", "uv"], "Fetching uv, the faster installer", bundled_pip()):
        uv = str(ENVIRONMENT / ("Scripts/uv.exe" if os.name == "nt" else "bin/uv"))
    with_uv = [str(uv), "pip", "install", "--python", str(PYTHON), "pip", *package]
    if uv and watch(with_uv, "Installing the packages with uv", quiet=has_ensurepip):
        return "uv"
    if has_ensurepip:
        watch([str(PYTHON), "-m", "ensurepip", "--upgrade"], "That did not work. Preparing pip")
        if watch([*pip, *package], "Installing the packages with pip", quiet=False):
            return "pip"
    raise CannotSetUp(
        f"{'pip' if has_ensurepip else 'uv'} could not install the packages, its own words stand above; "
        "the first set-up needs the network: check it, then run the same command again."
    )


def bundled_pip() -> dict[str, str]:
    """Runs `python -m pip` out of the wheel that Python brings, which saves unpacking it."""
    import ensurepip

    folders = [Path(ensurepip.__file__).with_name("_bundled"), Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/")]
    wheels = [str(wheel) for folder in folders for wheel in folder.glob("pip-*.whl")]
    return {"PYTHONPATH": wheels[0]} if wheels else {}


def environment() -> dict[str, str]:
    """For the tools: what a user has set for other places must not lead the packages out of .venv."""
    leading_away = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in os.environ.items() if name not in leading_away}
    kept |= {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_SYSTEM_CERTS": "1"}
    if not (Path.home().is_dir() and os.access(Path.home(), os.W_OK)):
        kept["UV_NO_CACHE"] = "1"
    return kept


def watch(command: list[str], doing: str, variables: dict[str, str] | None = None, *, quiet: bool = True) -> bool:
    """Run a step, saying every few seconds how far it is; whether it succeeded. quiet: say nothing of its failure."""
    say(f"{doing} ...")
    began, lines = time.monotonic(), [""]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() | (variables or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    told = 0
    while True:
        try:
            code = process.wait(SILENCE)
            break
        except subprocess.TimeoutExpired:
            told += 1
            if told <= TOLD:
                say(f"  {time.monotonic() - began:3.0f} s  {(lines[-1].strip() or doing)[:WIDTH]}")
            else:  # a slow network: still alive
                print(".", end="", flush=True)
    if told > TOLD:
        say("")
    reader.join(SILENCE)
    if code and not quiet:
        print("".join(lines[-SHOWN:]), end="", file=sys.stderr, flush=True)
    return not code


def run(command: list[str], failure: str) -> None:
    """Run a step of the set-up with its output visible."""
    code = subprocess.run(command, cwd=ROOT, env=environment()).returncode
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
