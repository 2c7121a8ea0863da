"""Imports point one way, between rooms and between the files of a room, and the core stays small to import."""

from __future__ import annotations

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import taskref_edu
from tools.rooms import FACE, imports, room

# From the ground up; a room may import from those below it, never from beside it or above, not even for types.
LAYERS = [
    {"errors", "arguments", "clone", "former_names", "lazy_imports"},
    {"models", "clearing_trigger"},
    {"schema"},
    {"database"},
    {"queue"},
    {"worker", "approaches", "beyond"},
    {"lab"},
    {"exercises", "widgets"},
    {"series", "grading"},
    {"cli"},
]


def test_every_room_has_a_layer() -> None:
    assert {room(name) for name in imports()} - {FACE} == set().union(*LAYERS)


def test_no_import_points_back() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    back = [
        f"{name} imports {other}"
        for name in sorted(imports())
        for other in sorted(imports()[name])
        if FACE not in (room(name), room(other)) and room(name) != room(other)
        if level[room(other)] >= level[room(name)]
    ]
    assert back == []


def test_no_file_imports_itself_by_a_detour() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


def test_what_shows_a_queue_knows_nothing_of_what_drives_it() -> None:
    driven = [name for name in imports() if name.startswith("widgets.display.")]
    assert driven
    assert [name for name in driven if any("widgets.panel" in other for other in imports()[name])] == []


def test_what_plays_a_recording_knows_nothing_of_what_makes_it() -> None:
    players = [name for name in imports() if name.startswith("lab.player.")]
    assert players
    assert [name for name in players if any("lab.explorer" in other for other in imports()[name])] == []


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


def test_a_panel_imports_no_explorer() -> None:
    """It would triple the time until a panel is there."""
    program = """
import sys
from taskref_edu.widgets import Panel
print(*sorted({"taskref_edu.lab.explorer.explore", "taskref_edu.lab.player.page"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


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
