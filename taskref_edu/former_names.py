"""Module paths and names of earlier versions that learners' notebooks still import.

Such an import goes on working; it warns, and names the line to write instead. Entries are strings, so that this module
imports nothing above it.

Not covered: names that no notebook, exercise or document has ever shown.
"""

from __future__ import annotations

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
        "exercises.declaring": "exercises.exercise",
        "lab.beyond": "beyond.experiments",
        "lab.crash": "lab.explorer.explore_crashes",
        "lab.errors": "lab.explorer.errors",
        "lab.found": "lab.explorer.result",
        "lab.real_connections": "lab.explorer.explore",
        "lab.scenery": "lab.example_models",
        "lab.worker_processes": "beyond.worker_processes",
        "running": "queue.running_task",
    }.items()
}
# present module and former name -> present name
NAMES = {
    f"{PACKAGE}.beyond.experiments.NotHere": "Unavailable",
    f"{PACKAGE}.beyond.worker_processes.Crew": "WorkerProcesses",
    f"{PACKAGE}.lab.explorer.explore.explore_on_server": "explore",
    f"{PACKAGE}.lab.explorer.result.Found": "ExplorationResult",
}


def look_up(former: str, name: str) -> Any:
    """What `former.name` is now, with a warning. Raises AttributeError if there is no such name.

    Called by a module's `__getattr__`, so the warning points at the line that triggered that.
    """
    if name.startswith("__"):
        raise AttributeError(f"module {former!r} has no attribute {name!r}")
    module = MODULES[former]
    present = NAMES.get(f"{module}.{name}", name)
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


def serve_former_names() -> None:
    """Make imports of former modules work in this process."""
    sys.meta_path.append(_FormerModules())
