"""Imports point one way, and the core stays small to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import taskref_edu

PACKAGE = Path(taskref_edu.__file__).parent
# From the ground up; a module may import from its own layer and from those before it.
LAYERS = [
    {"errors", "arguments", "extras"},
    {"models", "payload", "connection", "pauses", "forks"},
    {"schema", "driver", "server", "faults"},
    {"opening"},
    {"sqlite"},
    {"database", "bell", "postgres"},
    {"running", "handlers", "statements", "new_task", "listener", "moves", "repair"},
    {"queue"},
    {"wakeup", "heartbeat", "attempt"},
    {"desk"},
    {"worker", "approaches"},
    {"lab"},
    {"exercises"},
    {"series", "grading"},
    {"widgets"},
    {"launch"},
    {"doctor"},
    {"doctor_database"},
    {"cli"},
]
# For type checkers only: a running task and its handlers name the queue that they belong to.
ONLY_TYPES = {("running", "queue"), ("repair", "queue"), ("handlers", "queue"), ("handlers", "models")}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The modules and folders of the package that a file imports, relative and absolute imports alike."""
    found: set[str] = set()
    package = ["taskref_edu", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{name.name}" for name in node.names}
    parts = (name.split(".") for name in found)
    return {part[1] for part in parts if part[0] == "taskref_edu" and len(part) > 1}


def test_every_module_has_a_layer() -> None:
    rooms = {room(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= set().union(*LAYERS)


def test_no_import_points_back() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    back = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (here := room(path)) != "__init__"
        for other in imported_rooms(path)
        if level.get(other, -1) > level[here] and (here, other) not in ONLY_TYPES
    ]
    assert back == []


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
