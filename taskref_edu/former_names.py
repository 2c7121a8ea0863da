"""Module paths and names of earlier versions that learners' notebooks still import.

Such an import goes on working; it warns, and names the line to write instead. `taskref build` and `taskref update`
rewrite it in the answers that they carry over. Entries are strings, so that this module imports nothing above it.

Not covered: names that no notebook, exercise or document has ever shown.
"""

from __future__ import annotations

import ast
import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = __name__.partition(".")[0]
# former module -> the module that holds its contents now
MODULES = {
    f"{PACKAGE}.{former}": f"{PACKAGE}.{present}"
    for former, present in {
        "approaches.installing": "approaches.reference_setup",
        "approaches.procrastinate": "beyond.procrastinate_inverted",
        "approaches.procrastinate_lease": "beyond.procrastinate_lease",
        "approaches.procrastinate_schema": "beyond.procrastinate_schema",
        "approaches.reference": "approaches.task_reference",
        "exercises.cells": "exercises.cell_parsing",
        "exercises.checking": "exercises.check",
        "exercises.declaring": "exercises.exercise",
        "exercises.files": "exercises.notebook_files",
        "exercises.guesses": "exercises.predictions",
        "exercises.learner": "exercises.commands",
        "lab.beyond": "beyond.experiments",
        "lab.crash": "lab.explorer.explore_crashes",
        "lab.errors": "lab.explorer.errors",
        "lab.found": "lab.explorer.result",
        "lab.race": "lab.explorer.explore",
        "lab.real_connections": "lab.explorer.explore",
        "lab.scenery": "lab.example_models",
        "lab.worker_processes": "beyond.worker_processes",
        "pauses": "worker.database_backoff",
        "payload": "queue.payload",
        "postgres": "beyond.embedded_postgresql",
        "running": "queue.running_task",
        "statements": "queue.statements",
    }.items()
}
# present module and former name -> present name
NAMES = {
    f"{PACKAGE}.beyond.experiments.NotHere": "Unavailable",
    f"{PACKAGE}.beyond.worker_processes.Crew": "WorkerProcesses",
    f"{PACKAGE}.lab.explorer.explore.explore_on_server": "explore",
    f"{PACKAGE}.lab.explorer.result.Found": "ExplorationResult",
    f"{PACKAGE}.schema.ADDITIONS": "EXTRA_DDL",
}


def present_name(module: str, name: str) -> tuple[str, str]:
    """The module and name to import now for what an earlier version imported as `from module import name`."""
    if whole := MODULES.get(f"{module}.{name}"):  # `from taskref_edu.lab import scenery`
        parent, _, last = whole.rpartition(".")
        return parent, last
    module = MODULES.get(module, module)
    return module, NAMES.get(f"{module}.{name}", name)


def look_up(former: str, name: str) -> Any:
    """What `former.name` is now, with a warning. Raises AttributeError if there is no such name.

    Called by a module's `__getattr__`, so the warning points at the line that triggered that.
    """
    module, present = present_name(former, name)
    if name.startswith("__") or (module, present) == (former, name):
        raise AttributeError(f"module {former!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), present)
    renamed = f" as {name}" if present != name else ""
    line = f"from {module} import {present}{renamed}"
    warnings.warn(f"{former}.{name} has moved: write `{line}`", FutureWarning, stacklevel=3)
    return value


class _FormerModules(MetaPathFinder, Loader):
    """Finds former modules when no other finder does. Such a module imports the present one when a name is used."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        def __getattr__(name: str) -> Any:
            return look_up(module.__name__, name)

        vars(module)["__getattr__"] = __getattr__


def install() -> None:
    """Make imports of former modules work in this process."""
    if not any(isinstance(finder, _FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(_FormerModules())


def rewritten(text: str) -> str:
    """The cell's text with present module paths and names in its imports; unchanged if it has no former ones.

    `import taskref_edu.lab.scenery` without `as` stays, because the code below it writes out the whole path.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # a magic, or an unfinished cell: look_up() still serves its imports
        return text
    lines = text.split("\n")
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in sorted(imports, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        present = _present_statements(node)
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        head, tail = lines[first].encode()[: node.col_offset], lines[last - 1].encode()[node.end_col_offset :]
        if present:
            separator = "\n" + head.decode() if not head.strip() else "; "
            lines[first:last] = [head.decode() + separator.join(present) + tail.decode()]
    return "\n".join(lines)


def _present_statements(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The statements that replace an import; none if it has no former names."""
    found: dict[str, list[ast.alias]] = {}
    changed = False
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            module, name = present_name(node.module or "", alias.name)
            changed |= (module, name) != (node.module, alias.name)
            bound = alias.asname or (alias.name if alias.name != name else None)
            found.setdefault(module, []).append(ast.alias(name, bound))
        else:
            moved = MODULES.get(alias.name) if alias.asname else None
            changed |= moved is not None
            found.setdefault("", []).append(ast.alias(moved or alias.name, alias.asname))
    if not changed or vars(node).get("level"):
        return []
    if isinstance(node, ast.Import):
        return [ast.unparse(ast.Import(found[""]))]
    return [ast.unparse(ast.ImportFrom(module, names, 0)) for module, names in found.items()]
