"""The peers' own environment: installed once by pip into a folder that git ignores, and never a dependency."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".venv-bench"
PACKAGES = ["huey", "litequeue", "persist-queue", "liteq", "django-tasks", "django-tasks-db", "frontrun", "sqlmodel"]


def environment() -> Path | None:
    """The interpreter that can import the peers; None, and a word why, if they cannot be installed."""
    python = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = FOLDER / "complete"
    if complete.exists() and complete.read_text() == " ".join(PACKAGES):
        return python
    print(f"installing {', '.join(PACKAGES)} into {FOLDER.name} …", file=sys.stderr, flush=True)
    venv.create(FOLDER, with_pip=True, clear=True)
    installed = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        print(f"no comparison with peers: {installed.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    complete.write_text(" ".join(PACKAGES))
    return python
