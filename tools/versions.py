"""Runs the tests of the core and of the panel on other Pythons, and on the lowest and the newest packages.

    python tools/versions.py                    every Python here, with the lowest and with the newest packages
    python tools/versions.py --lowest           only the lowest versions that pyproject.toml admits
    python tools/versions.py --lowest --here    the same on the Python that runs this: what CI does
    python tools/versions.py --python 3.13 --newest

Each combination gets an environment of its own below .venv-versions/. pip cannot ask for the lowest versions, so
each lower bound of pyproject.toml becomes a constraint; what those packages need in turn is the newest that fits.
What fails runs once more by itself, as in `tools/test.py`. Not covered: the browser tests, and everything else that
`tools/test.py` runs once. Exit code 0 if every combination passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-versions"
LOWEST_PYTHON = 11  # 3.11
RESOLUTIONS = {"lowest": ["--constraint", "lowest.txt"], "newest": ["--upgrade", "--upgrade-strategy", "eager"]}
TESTS = [
    *("database", "queue", "worker", "approaches", "widgets", "costs", "layers"),
]
SHOWN = ("sqlmodel", "sqlalchemy", "pydantic", "jupyterlab", "ipykernel", "ipywidgets", "anywidget")


def main(arguments: list[str]) -> int:
    """Run the combinations asked for; prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--python", metavar="3.N", help="only this one of the Pythons that are found here")
    which.add_argument("--here", action="store_true", help="only the Python that runs this")
    for resolution in RESOLUTIONS:
        parser.add_argument(f"--{resolution}", action="store_true", help=f"only the {resolution} packages")
    asked = parser.parse_args(arguments)
    chosen = [name for name in RESOLUTIONS if getattr(asked, name)] or list(RESOLUTIONS)
    pythons = {"here": Path(sys.executable)} if asked.here else find_pythons()
    if asked.python:
        pythons = {asked.python: pythons[asked.python]} if asked.python in pythons else {}
    if not pythons:
        print("found no such Python on PATH or in ~/.pyenv/versions, 3.11 or newer expected", file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "lowest.txt").write_text("\n".join(lowest((ROOT / "pyproject.toml").read_text("utf-8"))))
    lines = [run(python, resolution) for python in pythons.values() for resolution in chosen]
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


def lowest(pyproject: str) -> list[str]:
    """Each lower bound of a pyproject.toml, given as text, as a constraint for pip: `name==version`."""
    project = tomllib.loads(pyproject)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = [Requirement(line) for group in groups for line in group]
    return [f"{one.name}=={bound.version}" for one in asked for bound in one.specifier if bound.operator == ">="]


def run(python: Path, resolution: str) -> str:
    """Install and test one combination; a line that says how it went."""
    begun = time.monotonic()
    version = subprocess.check_output([python, "-c", "import platform; print(platform.python_version())"], text=True)
    home = FOLDER / f"{version.strip()}-{resolution}"
    inside = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not inside.exists():
        subprocess.run([python, "-m", "venv", home], check=True)
    print(f"--- Python {version.strip()}, {resolution} packages: about a minute to install them", flush=True)
    install = [inside, "-m", "pip", "install", "--quiet", *RESOLUTIONS[resolution], "--editable", f"{ROOT}[dev]"]
    subprocess.run(install, cwd=FOLDER, check=True)
    tests = [str(test_path(name)) for name in TESTS]
    code = subprocess.run([inside, ROOT / "tools" / "test.py", "--only", *tests], cwd=ROOT)
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
