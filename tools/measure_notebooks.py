"""Run every notebook, measure its cells, and print what it takes.

.venv/bin/python tools/measure_notebooks.py [03 05]       # writes authoring/run_seconds.json, from which minutes come

A cell's time is the processor's, of the kernel and of the processes that it waited for: the load of this machine does
not count. Not covered: sleeping, as where a cell waits for a lease to end; that is a few seconds of a whole notebook.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from taskref_edu.series.build import build_into
from taskref_edu.series.minutes import MEASURED, minutes_of, words_of
from taskref_edu.series.source import read_source, sources

ROOT = Path(__file__).resolve().parents[1]
WATCH = """
import time as _time
_cell_times = []
def _began(info): _cell_times.append(-_time.process_time())
def _ended(result): _cell_times[-1:] = [one + _time.process_time() for one in _cell_times[-1:]]
get_ipython().events.register("pre_run_cell", _began)
get_ipython().events.register("post_run_cell", _ended)
"""


def main(numbers: list[str]) -> int:
    kept = ROOT / "authoring" / MEASURED
    measured: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        os.environ.update(TASKREF_HOME=place, PYTHONPATH=str(ROOT), JUPYTER_PLATFORM_DIRS="1")
        for path in build_into(ROOT / "authoring", Path(place, "notebooks")):
            if not numbers or path.name[:2] in numbers:
                measured[path.name[:2]] = seconds_of(path)
    kept.write_text(json.dumps(dict(sorted(measured.items())), indent=1) + "\n", encoding="utf-8")
    print("| notebook | words | predictions | exercises | minutes | seconds | slowest cell |")
    print("|" + "---|" * 7)
    for path in sources(ROOT / "authoring"):
        source, one = read_source(path), measured.get(path.name[:2], {"seconds": "?", "slowest": "?"})
        counts = (words_of(source), len(source.guesses), len(source.exercise_ids), minutes_of(source))
        print("|", source.name, "|", *(f"{count} |" for count in counts), one["seconds"], "|", one["slowest"], "|")
    return 0


def seconds_of(path: Path) -> dict[str, Any]:
    """The seconds of all cells, and the slowest of them with its id."""
    notebook = nbformat.read(path, as_version=4)
    ids = [cell.id for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [new_code_cell(WATCH), *notebook.cells, new_code_cell("print(_cell_times[:-1])")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    took = [max(0.0, seconds) for seconds in json.loads(notebook.cells[-1].outputs[0].text)]
    slowest, id = max(zip(took, ids, strict=True))
    return {"seconds": round(sum(took), 1), "slowest": f"{slowest:.1f} s, {id}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
