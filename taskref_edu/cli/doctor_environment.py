"""What `taskref doctor` checks: everything that the lab needs, each problem with its remedy.

The checks try things out instead of asking about them: they run a statement, write a file, let a worker run a task.

Not covered: a database (`doctor_database.py`); whether the browser displays the lab (`taskref lab` shows that).
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from taskref_edu import TaskQueue, Worker, open_database, writing
from taskref_edu.cli import launch
from taskref_edu.database.sqlite_engine import LOWEST_SQLITE
from taskref_edu.errors import TaskrefError

WIDTH = 80
SERVER_TIMEOUT = 120.0
TASK_TIMEOUT = 10.0  # seconds for the worker's task
INSTALL = "run `make lab` in the clone, or there `pip install '.[lab]'`"
OTHER_PYTHON = "use a newer build of Python: make lab PYTHON=/path/to/python"
FRONT_ENDS = {"@jupyter-widgets/jupyterlab-manager": "ipywidgets", "anywidget": "anywidget"}


@dataclass(frozen=True)
class Finding:
    """What one check found; `remedy`: what to do about the problem, None if all is well."""

    found: str
    remedy: str | None = None

    def __str__(self) -> str:
        lines = wrapped("  ok       " if self.remedy is None else "  PROBLEM  ", self.found)
        if self.remedy is not None:
            lines += wrapped("           -> ", self.remedy)
        return "\n".join(lines)


def run(checks: Iterable[Callable[[], Finding]] | None = None) -> int:
    """Print a line for each check; 0 if there is no problem, else 1."""
    problems = 0
    for check in CHECKS if checks is None else checks:
        try:
            finding = check()
        except Exception as error:  # a check that raises is a finding, too
            finding = Finding(f"{check.__name__}: {type(error).__name__}: {error}", "fix that, then try again")
        problems += finding.remedy is not None
        print(finding, flush=True)
    if problems:
        print(f"{problems} problem{'s' * (problems > 1)}. Fix the first one, then run it again.")
    else:
        print("All is well.")
    return int(problems > 0)


def wrapped(head: str, text: str) -> list[str]:
    """The text after its heading, in lines of at most 80 columns; a long path is not broken."""
    indent = " " * len(head)
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def python() -> Finding:
    """The Python that runs this."""
    found = f"Python {platform.python_version()}, {sys.executable}"
    return Finding(found, None if sys.version_info >= (3, 11) else f"3.11 or newer is needed: {OTHER_PYTHON}")


def sqlite() -> Finding:
    """SQLite: its version, RETURNING, JSON, and whether threads may use it."""
    found = f"SQLite {sqlite3.sqlite_version} with RETURNING and JSON"
    if sqlite3.sqlite_version_info < LOWEST_SQLITE:
        return Finding(f"SQLite {sqlite3.sqlite_version}", f"3.35 or newer is needed: {OTHER_PYTHON}")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (payload)")
        try:
            connection.execute("INSERT INTO t VALUES (?) RETURNING json_extract(payload, '$.a')", ('{"a": 1}',))
        except sqlite3.Error as error:
            return Finding(f"SQLite {sqlite3.sqlite_version}: {error}", f"it was built without that: {OTHER_PYTHON}")
    if sqlite3.threadsafety != 3:
        return Finding(f"{found}, but not for threads", f"the worker is a thread: {OTHER_PYTHON}")
    return Finding(found)


def variables() -> Finding:
    """Variables that change what Python runs."""
    if sys.flags.optimize:
        return Finding("Python runs with PYTHONOPTIMIZE or -O: the checks' asserts are gone", "unset PYTHONOPTIMIZE")
    if path := os.environ.get("PYTHONPATH"):
        return Finding(f"PYTHONPATH={path}; what is there is imported before this environment's packages")
    return Finding("no variable that changes what Python runs")


def home() -> Finding:
    """The home folder: Jupyter and IPython keep files there."""
    if problem := launch.home_problem():
        return Finding(f"the home folder cannot be used ({problem}); `taskref lab` uses a temporary one instead")
    return Finding(f"the home folder {Path.home()}")


def server() -> Finding:
    """The server with the user's own settings, up to the point where it would listen."""
    try:
        clone = launch.find_root()
    except launch.CannotStart as error:
        found, _, remedy = str(error).partition(": ")
        return Finding(found, remedy)
    without = f"import sys; sys.modules[{launch.UNUSED_PARSER!r}] = None"
    program = f"{without}; from jupyterlab.labapp import LabApp; LabApp.initialize_server(sys.argv[1:])"
    arguments = [*launch.options(clone), "--no-browser", "--allow-root"]
    tried = {**os.environ, **launch.environment(os.environ)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=tried,
            capture_output=True,
            text=True,
            timeout=SERVER_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return Finding(f"JupyterLab was not ready in {SERVER_TIMEOUT:g} s", "run `taskref lab` and see what it says")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        return Finding(f"JupyterLab does not start: {last[0]}", "see the settings that `jupyter --paths` lists")
    return Finding("JupyterLab starts with your settings")


def temporary_files() -> Finding:
    """The folder of temporary files, where the notebooks' databases are."""
    folder = tempfile.gettempdir()
    remedy = "set TMPDIR to a folder on a local disk that you may write to"
    try:
        with tempfile.TemporaryDirectory(prefix="taskref-") as inside:
            with closing(sqlite3.connect(Path(inside, "x.db"))) as connection:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except (OSError, sqlite3.Error) as error:
        return Finding(f"the folder for temporary files, {folder}: {error}", remedy)
    if mode != "wal":
        return Finding(
            f"the folder for temporary files, {folder}, allows no write-ahead log (a network drive?)", remedy
        )
    return Finding(f"temporary files in {folder}, with a write-ahead log")


def package(name: str) -> Callable[[], Finding]:
    """A check of one package of the extra `lab`: whether it is installed, in a version that works."""

    def check() -> Finding:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return Finding(f"{name} is not installed", INSTALL)
        wanted = wanted_versions(name)
        if wanted is not None and not wanted.contains(found, prereleases=True):
            return Finding(f"{name} {found} is installed, {wanted} is needed", INSTALL)
        return Finding(f"{name} {found}")

    check.__name__ = name
    return check


def wanted_versions(name: str):  # type: ignore[no-untyped-def] # a SpecifierSet, of a package that may be missing
    """The versions of a package that our own metadata requires; None if that is unknown."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None
    texts = importlib.metadata.requires("taskref_edu") or []
    return next((found.specifier for found in map(Requirement, texts) if found.name == name), None)


def kernel() -> Finding:
    """The kernel that notebooks get: it must be this environment's."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("no kernel: ipykernel is not installed", INSTALL)
    os.environ.update(launch.environment(os.environ))
    remedy = f"run {sys.executable} -m ipykernel install --sys-prefix"
    try:
        folder = Path(KernelSpecManager().get_kernel_spec("python3").resource_dir)
    except NoSuchKernel:
        return Finding("no kernel named python3", remedy)
    if not folder.is_relative_to(sys.prefix):
        return Finding(f"the kernel python3 of {folder} is another environment's", remedy)
    return Finding("the kernel python3 is this environment's")


def front_end() -> Finding:
    """The widgets' browser part: JupyterLab's prebuilt extensions, found and not disabled."""
    try:
        from jupyter_core.paths import jupyter_path
        from jupyterlab_server.config import get_page_config
    except ImportError:
        return Finding("no front end for widgets: JupyterLab is not installed", INSTALL)
    page = get_page_config(jupyter_path("labextensions"))
    there = {extension["name"] for extension in page["federated_extensions"]}
    off = {name.partition(":")[0] for name in page.get("disabledExtensions", ())}
    for extension, name in FRONT_ENDS.items():
        if extension not in there:
            return Finding(
                f"JupyterLab finds no extension {extension}", f"reinstall {name} beside JupyterLab: {INSTALL}"
            )
        if extension in off:
            remedy = f"run `jupyter labextension enable {extension}`"
            return Finding(f"JupyterLab's extension {extension} is disabled", remedy)
    return Finding("the widgets' front end: " + " and ".join(FRONT_ENDS.values()))


def notebooks() -> Finding:
    """The clone and its notebooks, where answers are saved."""
    try:
        clone = launch.find_root()
        launch.require_writable(clone)
        launch.require_writable(clone / "notebooks")
    except launch.CannotStart as error:
        found, _, remedy = str(error).partition(": ")
        return Finding(found, remedy)
    return Finding(f"notebooks that can be saved, in {clone}")


def progress() -> Finding:
    """The folder of the learner's progress."""
    try:
        from taskref_edu.exercises.progress import home
    except ImportError as error:
        return Finding(f"no exercises: {error}", INSTALL)
    folder = home().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())  # checks only; creates nothing
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return Finding(f"progress cannot be kept in {folder}: {error.strerror}", "set TASKREF_HOME to another folder")
    return Finding(f"progress is kept in {folder}")


def worker() -> Finding:
    """A worker's thread runs a task in a database of its own."""
    ran = threading.Event()
    remedy = "see the lines above: the worker needs SQLite and a folder for temporary files"
    try:
        engine = open_database()
        queue = TaskQueue(engine)
        queue.handler("look")(lambda task: ran.set())
        with Worker(queue, name="doctor") as thread:
            begun = time.perf_counter()
            with writing(engine) as session:
                queue.enqueue(session, "look")
            done = ran.wait(TASK_TIMEOUT)
            error = thread.status.error
        engine.dispose()
    except (TaskrefError, OSError) as refused:
        return Finding(f"no worker: {refused}", remedy)
    if not done:
        return Finding(f"the worker's thread ran no task in {TASK_TIMEOUT:g} s: {error or 'it says nothing'}", remedy)
    return Finding(f"a worker's thread ran a task, {(time.perf_counter() - begun) * 1000:.0f} ms after the enqueue")


PACKAGES = (
    "sqlmodel",
    "jupyterlab",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "matplotlib",
    "greenlet",
    "orjson",
    "jupytext",
    "pytest",
)
CHECKS = [
    *(python, variables, sqlite, temporary_files, home, worker),
    *map(package, PACKAGES),
    *(kernel, front_end, notebooks, progress, server),
]
