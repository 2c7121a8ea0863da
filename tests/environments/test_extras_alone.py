"""The wheel in environments of its own: the core alone, and each extra alone. Minutes, and a package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.environments, pytest.mark.slow]

CORE = """
import sys, taskref_edu
from taskref_edu import Order, TaskQueue, Worker, errors, inverted, open_database, reading, writing
queue = TaskQueue(open_database("tasks.db"))
queue.handler("process_payment")(inverted.process_payment)
with writing(queue.engine) as session:
    session.add(order := Order(customer="Ann", amount=2500))
    inverted.enqueue_payment(session, queue, order)
assert Worker(queue).run_until_idle() == 1
with reading(queue.engine) as session:
    assert session.get(Order, order.id).status == "paid"
def missing(module):
    try:
        __import__(module)
    except errors.MissingExtra as error:
        return str(error).rpartition("[")[2].rstrip(']"')
print(*map(missing, ["taskref_edu.lab", "taskref_edu.widgets", "taskref_edu.beyond.procrastinate_inverted"]))
"""
RACE = """
from sqlalchemy import text
from taskref_edu.lab import capture_sql, explore, explore_crashes, measure
def setup(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS t (n INTEGER)"))
        connection.execute(text("DELETE FROM t"))
        connection.execute(text("INSERT INTO t VALUES (0)"))
def add(engine):
    with engine.connect() as connection:
        n = connection.execute(text("SELECT n FROM t")).scalar_one()
        connection.commit()
        connection.execute(text("UPDATE t SET n = :n"), {"n": n + 1})
        connection.commit()
def two(session):
    n = session.execute(text("SELECT n FROM t")).scalar_one()
    return [] if n == 2 else [f"n is {n}"]
found = explore([add, add], setup=setup, invariant=two)
print(found.count > len(found.broken) > 0)
"""
POSTGRES = """
import sys
from taskref_edu import TaskQueue, Worker, open_database, writing
queue = TaskQueue(open_database(sys.argv[1]))
queue.handler("work")(lambda task: None)
with writing(queue.engine) as session:
    queue.enqueue(session, "work")
print(Worker(queue).run_until_idle())
"""
BEYOND = """
from taskref_edu import open_database, writing
from taskref_edu.beyond import procrastinate_inverted as procrastinate, start_postgres
engine = open_database(start_postgres())
queue = procrastinate.open_queue(engine)
with writing(engine) as session:
    session.add(order := procrastinate.Order(customer="Ann", amount=2500))
    procrastinate.enqueue_payment(session, queue, order)
procrastinate.run_until_idle(queue)
with writing(engine) as session:
    print(session.get(procrastinate.Order, order.id).status)
"""
PROCRASTINATE = "from taskref_edu.beyond import procrastinate_inverted as found; print(found.PAYMENT)"
LAB = """
import taskref_edu.exercises, taskref_edu.lab.charts, taskref_edu.widgets, taskref_edu.series.build
print(taskref_edu.widgets.Panel.__name__)
"""
ALONE = {
    "race": (RACE, "True"),
    "postgres": (POSTGRES, "1"),
    "procrastinate": (PROCRASTINATE, "process_payment"),
    "beyond": (BEYOND, "paid"),
    "lab": (LAB, "Panel"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT]
    if not shutil.which("uv"):
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(build, check=True)
    return next(folder.glob("*.whl"))


class Environment:
    """A virtual environment with what was named; nothing of this repository is on its path."""

    def __init__(self, folder: Path, *packages: str) -> None:
        self.folder = folder
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        uv = shutil.which("uv")
        making = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        subprocess.run([*making, folder / "venv"], check=True)
        python = self.bin / "python"
        install = (
            [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
        )
        subprocess.run([*install, *packages], check=True)

    def run(self, *command: str | Path, code: int = 0) -> str:
        """What a command of the environment prints; it must end with this exit code."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        program = self.bin / command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=kept, stdout=-1, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == code, done.stdout
        return done.stdout.strip()


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install taskref_edu pytest`."""
    return Environment(tmp_path_factory.mktemp("core"), str(wheel), "pytest")


def test_the_core_alone(core: Environment) -> None:
    assert core.run("python", "-W", "error", "-c", CORE) == "race lab procrastinate"


def test_the_core_is_typed(core: Environment) -> None:
    find = "import pathlib, taskref_edu; print((pathlib.Path(taskref_edu.__file__).parent / 'py.typed').exists())"
    assert core.run("python", "-c", find) == "True"


def test_a_pytest_run_of_another_project_beside_the_core(core: Environment) -> None:
    theirs = core.folder / "theirs"
    theirs.mkdir()
    (theirs / "quiz.ipynb").write_text('{"cells": [{"cell_type": "code", "source": "@exercise(1)"}]}')
    (theirs / "broken.ipynb").write_text('{"exercise(')
    (theirs / "test_it.py").write_text("import sys\n\ndef test_it():\n    assert 'taskref_edu' not in sys.modules\n")
    assert "1 passed" in core.run("python", "-W", "error", "-m", "pytest", "theirs")


def test_a_program_that_uses_the_package_may_start_pytest(core: Environment) -> None:
    (core.folder / "test_own.py").write_text("def test_it():\n    pass\n")
    program = "import sys, taskref_edu, pytest; sys.exit(pytest.main(['test_own.py']))"
    assert "1 passed" in core.run("python", "-W", "error", "-c", program)


def test_a_notebook_of_ours_beside_the_core_says_what_is_missing(core: Environment) -> None:
    ours = core.folder / "ours"
    ours.mkdir()
    cell = {"cell_type": "code", "source": 'from taskref_edu.exercises import exercise\n@exercise("1.1")\ndef f(): ...'}
    (ours / "a.ipynb").write_text(f'{{"cells": [{cell}]}}'.replace("'", '"').replace('("1.1")', "('1.1')"))
    (ours / "test_it.py").write_text("def test_it():\n    pass\n")
    out = core.run("python", "-m", "pytest", "ours", code=1)
    assert "1 failed, 1 passed" in out
    assert "taskref_edu[race]" in out


@pytest.mark.parametrize("command", ["progress", "check", "hint", "build", "lab"])
def test_a_command_that_needs_more_says_so_in_one_line(core: Environment, command: str) -> None:
    more = ["1.1"] if command == "hint" else []
    out = core.run("taskref", command, *more, code=1)
    assert out.startswith("taskref: ")
    assert len(out.splitlines()) == 1


def test_the_doctor_looks_at_a_database(core: Environment) -> None:
    core.run("python", "-c", CORE.replace("tasks.db", "patient.db"))
    assert "Nothing to repair" in core.run("taskref", "doctor", "patient.db")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may read: root starts PostgreSQL as another user. pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="taskref-extra-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("extra", ALONE)
def test_each_extra_alone(wheel: Path, open_folder: Path, extra: str, request: pytest.FixtureRequest) -> None:
    program, said = ALONE[extra]
    environment = Environment(open_folder, f"taskref_edu[{extra}] @ {wheel.as_uri()}")
    url = [request.getfixturevalue("postgresql_url")] if extra == "postgres" else []
    assert environment.run("python", "-c", program, *url).splitlines()[-1] == said
