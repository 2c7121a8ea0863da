"""Run notebook 09 with a real PostgreSQL and keep what its experiments returned: what learners without one see.

.venv/bin/python tools/record_09.py       # writes taskref_edu/beyond/recorded_09.json; needs the extra `dev`
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from taskref_edu.beyond.experiments import RECORD, RECORDED, server
from taskref_edu.series.build import build_into

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    if not server().url:
        print(server(), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        folder, record = Path(place, "notebooks"), Path(place, "record.json")
        os.environ.update({RECORD: str(record), "TASKREF_HOME": place, "JUPYTER_PLATFORM_DIRS": "1"})
        build_into(ROOT / "authoring", folder)
        (path,) = folder.glob("09_*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
        RECORDED.write_text(record.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{RECORDED.relative_to(ROOT)}: {', '.join(json.loads(RECORDED.read_text())['results'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
