"""Runs the tests of the core and of the panel on other Pythons, and on the lowest and the newest packages.

    python tools/versions.py                    every Python here, with the lowest and with the newest packages
    python tools/versions.py --lowest           only the lowest versions that pyproject.toml admits
    python tools/versions.py --python 3.13 --newest

Each combination gets an environment of its own below .venv-versions/, made by uv (found on PATH, or installed
there by pip: pip itself cannot ask for the lowest versions). Left out: the browser tests, and everything else that
`tools/test.py` runs once. Exit code 0 if every combination passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-versions"
LOWEST_PYTHON = 11  # 3.11
RESOLUTIONS = {"lowest": ["--resolution", "lowest-direct"], "newest": ["--upgrade"]}
TESTS = [
    *("database", "queue", "statements", "payload", "desk", "worker", "costs", "layers", "repair", "fuzz"),
    *("approaches", "widgets"),
]
SHOWN = ("sqlmodel", "sqlalchemy", "pydantic", "jupyterlab", "ipykernel", "ipywidgets", "anywidget")


def main(arguments: list[str]) -> int:
    """Run the combinations asked for; prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", metavar="3.N", help="only this one of the Pythons that are found here")
    for resolution in RESOLUTIONS:
        parser.add_argument(f"--{resolution}", action="store_true", help=f"only the {resolution} packages")
    asked = parser.parse_args(arguments)
    chosen = [name for name in RESOLUTIONS if getattr(asked, name)] or list(RESOLUTIONS)
    pythons = find_pythons()
    if asked.python:
        pythons = {asked.python: pythons[asked.python]} if asked.python in pythons else {}
    if not pythons:
        print("found no such Python on PATH or in ~/.pyenv/versions, 3.11 or newer expected", file=sys.stderr)
        return 2
    uv = find_uv()
    lines = [run(uv, python, resolution) for python in pythons.values() for resolution in chosen]
    print("\n".join(["", *lines]))
    return 1 if any(line.startswith("FAILED") for line in lines) else 0


def find_pythons() -> dict[str, Path]:
    """One Python for each minor version from 3.11 on: on PATH, or else among those that pyenv keeps beside it."""
    names = [f"python3.{minor}" for minor in range(LOWEST_PYTHON, 20)]
    places = [Path(place) for name in names if (place := shutil.which(name))]
    places += sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    found: dict[int, Path] = {}
    for python in places:
        ask = [python, "-c", "import sys; print(sys.version_info[1])"]
        answer = subprocess.run(ask, capture_output=True, text=True)
        if answer.returncode == 0:  # a version manager's stub may only print an error
            found.setdefault(int(answer.stdout), python)
    return {f"3.{minor}": found[minor] for minor in sorted(found) if minor >= LOWEST_PYTHON}


def find_uv() -> str:
    """uv from PATH, or installed by pip into an environment of its own."""
    if uv := shutil.which("uv"):
        return uv
    home = FOLDER / "uv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.with_name("uv").exists() and not python.with_name("uv.exe").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
    return str(python.with_name("uv"))


def run(uv: str, python: Path, resolution: str) -> str:
    """Install and test one combination; a line that says how it went."""
    begun = time.monotonic()
    version = subprocess.check_output([python, "-c", "import platform; print(platform.python_version())"], text=True)
    home = FOLDER / f"{version.strip()}-{resolution}"
    inside = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not inside.exists():
        subprocess.run([uv, "venv", "--quiet", "--seed", "--no-python-downloads", "--python", python, home], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", inside, *RESOLUTIONS[resolution], "--editable", ".[dev]"]
    subprocess.run(install, cwd=ROOT, check=True)
    tests = [str(test_path(name)) for name in TESTS]
    print(f"--- Python {version.strip()}, {resolution} packages", flush=True)
    pytest = [inside, "-m", "pytest", "-q", "-m", "not browser", "-n", "auto", "--dist", "loadgroup"]
    code = subprocess.run([*pytest, "-p", "no:cacheprovider", *tests], cwd=ROOT)
    packages = subprocess.check_output([inside, "-c", SHOW, *SHOWN], text=True).strip()
    word = "FAILED" if code.returncode else "passed"
    return f"{word}  Python {version.strip():<8} {resolution}  {time.monotonic() - begun:3.0f} s  {packages}"


def test_path(name: str) -> Path:
    """The folder or file that a short name means."""
    folder = ROOT / "tests" / name
    return folder if folder.is_dir() else ROOT / "tests" / f"test_{name}.py"


SHOW = (
    "import sys; from importlib.metadata import version; print(*(f'{name} {version(name)}' for name in sys.argv[1:]))"
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
