"""Imports point one way, between rooms and between the files of a room, and the core stays small to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import taskref_edu

PACKAGE = Path(taskref_edu.__file__).parent
# From the ground up; a room may import from those below it, never from beside it or above, not even for types.
LAYERS = [
    {"errors", "arguments"},
    {"models"},
    {"schema"},
    {"database"},
    {"queue"},
    {"worker"},
    {"approaches"},
    {"lab"},
    {"beyond"},
    {"exercises", "widgets"},
    {"series", "grading"},
    {"cli"},
]
FACE = "__init__"


def name_of(path: Path) -> str:
    """A file as it is imported, from the package on: `queue.task_queue`; a room's face is `queue.__init__`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imported_files(name: str) -> set[str]:
    """The files of the package that a file imports, relative and absolute imports alike, wherever they stand in it."""
    found: set[str] = set()
    package = ["taskref_edu", *name.split(".")[:-1]]
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:  # a file of that room, or a name out of the file or the room's face
                file = f"{module}.{alias.name}"
                found.add(file if _file_of(file) else module)
    return {file for each in found if (file := _file_of(each))} - {name}


def _file_of(module: str) -> str | None:
    """The file behind `taskref_edu.queue.task_queue`, or behind a room's name; None if it is none of ours."""
    inside = module.removeprefix("taskref_edu").removeprefix(".")
    if not module.startswith("taskref_edu"):
        return None
    return next((file for file in (inside, f"{inside}.{FACE}".removeprefix(".")) if file in FILES), None)


def room(name: str) -> str:
    return name.split(".")[0]


def test_every_room_has_a_layer() -> None:
    assert {room(name) for name in FILES} - {FACE} == set().union(*LAYERS)


def test_no_import_points_back() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    back = [
        f"{name} imports {other}"
        for name in sorted(FILES)
        for other in sorted(imported_files(name))
        if FACE not in (room(name), room(other)) and room(name) != room(other)
        if level[room(other)] >= level[room(name)]
    ]
    assert back == []


def test_what_shows_a_queue_knows_nothing_of_what_drives_it() -> None:
    driven = [name for name in FILES if name.startswith("widgets.display.")]
    assert driven
    assert [name for name in driven if any("widgets.panel" in other for other in imported_files(name))] == []


def test_importing_the_package_pulls_in_no_lab() -> None:
    program = """
import sys, taskref_edu
heavy = {"IPython", "ipywidgets", "anywidget", "matplotlib", "greenlet", "pytest", "jupyter_core", "traitlets"}
heavy.add("orjson")  # of the panel
print(*sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # SQLAlchemy imports greenlet by itself where it is installed.
    assert found.stdout.split() in ([], ["greenlet"])


def test_public_names() -> None:
    assert sorted(taskref_edu.__all__) == [
        "Order",
        "Task",
        "TaskQueue",
        "TaskReference",
        "TaskStatus",
        "Worker",
        "as_written",
        "classic",
        "errors",
        "inverted",
        "open_database",
        "reading",
        "writing",
    ]
    assert all(hasattr(taskref_edu, name) for name in taskref_edu.__all__)
