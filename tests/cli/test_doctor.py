"""`taskref doctor`: what is wrong here, or in a database, each with its remedy."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from taskref_edu import Order, TaskQueue, Worker, open_database, writing
from taskref_edu.cli import command as cli
from taskref_edu.cli import doctor_environment as doctor
from taskref_edu.cli import launch
from taskref_edu.cli.doctor_environment import Finding
from tests.conftest import _empty

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> int:
    return cli.run(cli.parser(), ["doctor", *map(str, arguments)])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # kernel() adds to it


def test_all_is_well_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / "home"))
    code = run()
    *checks, last = (shown := capsys.readouterr().out).splitlines()
    assert (code, last) == (0, "All is well."), shown
    assert len([line for line in checks if line.startswith("  ok  ")]) == len(doctor.CHECKS)
    for word in ("Python 3", "SQLite 3", "jupyterlab 4", "ipykernel", "front end", "notebooks", "ran a task"):
        assert word in shown
    assert not (tmp_path / "home").exists(), "it only looks"


class TestProblems:
    def test_each_is_counted_and_shown_with_its_remedy(self, capsys: pytest.CaptureFixture[str]) -> None:
        def breaks() -> Finding:
            raise RuntimeError("no idea")

        checks = [lambda: Finding("fine"), lambda: Finding("x" * 90 + " and some more words " * 5, "do it"), breaks]
        assert doctor.run(checks) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "  ok       fine"
        assert lines[-1] == "2 problems. Fix the first one, then run it again."
        assert "  PROBLEM  breaks: RuntimeError: no idea" in lines
        assert "           -> do it" in lines
        assert [line for line in lines if len(line) > 80 and len(line.split()) > 2] == []

    def test_a_missing_package(self) -> None:
        assert doctor.package("no-such-package")() == Finding("no-such-package is not installed", doctor.INSTALL)

    def test_a_package_of_another_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "3.6.1")
        found = doctor.package("jupyterlab")()
        assert found.found.startswith("jupyterlab 3.6.1 is installed, ")
        assert ">=4.4" in found.found
        assert found.remedy == doctor.INSTALL

    def test_an_old_sqlite(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        assert "3.35 or newer is needed" in (doctor.sqlite().remedy or "")

    def test_no_folder_for_temporary_files(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        assert "set TMPDIR to a folder" in (doctor.temporary_files().remedy or "")
        assert doctor.worker().remedy is not None

    def test_the_kernel_of_another_environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        folder = tmp_path / "kernels" / "python3"
        folder.mkdir(parents=True)
        spec = {"argv": ["/elsewhere/python"], "display_name": "Elsewhere", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        assert doctor.kernel().found == f"the kernel python3 of {folder} is another environment's"

    def test_widgets_that_are_disabled(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "labconfig").mkdir()
        config = tmp_path / "labconfig" / "page_config.json"
        config.write_text(json.dumps({"disabledExtensions": {"anywidget": True}}))
        monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
        assert doctor.front_end().remedy == "run `jupyter labextension enable anywidget`"
        config.unlink()
        assert doctor.front_end().remedy is None

    def test_widgets_that_are_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "FRONT_ENDS", {"@nobody/nothing": "nothing"})
        assert doctor.front_end().found == "JupyterLab finds no extension @nobody/nothing"

    def test_a_folder_that_cannot_be_written(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TASKREF_HOME", "/proc/self/home" if Path("/proc/self").is_dir() else "/")
        if os.name == "nt":
            pytest.skip("no such folder there")
        assert doctor.progress().remedy == "set TASKREF_HOME to another folder"

    def test_a_worker_that_does_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "TASK_TIMEOUT", 0.05)
        monkeypatch.setattr(Worker, "start", lambda self: None)
        assert doctor.worker().found == "the worker's thread ran no task in 0.05 s: it says nothing"


class TestDatabase:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """One orphan, one reference to nothing."""
        engine = open_database(tmp_path / "x.db")
        with writing(engine) as session:
            session.add_all([Order(customer="x", amount=1) for _ in range(3)])
            TaskQueue(engine).enqueue(session, "process_payment")
            TaskQueue(engine).enqueue(session, "send_letter")
        engine.dispose()
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            connection.execute("UPDATE orders SET processing_task_id = 999 WHERE id = 2")
            connection.commit()
        return tmp_path / "x.db"

    def test_it_looks_then_mends_when_asked(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            assert run(path) == 1
            shown = capsys.readouterr().out
            assert "every page is whole; schema both, version 1" in shown
            assert "2 found, not repaired (a dry run):" in shown
            assert "orders.processing_task_id of row 2 names task 999" in shown
            assert shown.endswith("To fix it, run the same with --repair.\n")
        assert run(path, "--repair") == 0
        assert "2 repaired:" in capsys.readouterr().out
        assert run(path) == 0
        assert "Nothing to repair" in capsys.readouterr().out

    def test_further_types(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(path, "--type", "send_letter") == 1
        assert "2 x orphan" in capsys.readouterr().out

    def test_a_damaged_page(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with closing(sqlite3.connect(path)) as connection:
            (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'orders'").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)
        assert run(path, "--repair") == 1
        shown = capsys.readouterr().out
        assert "PROBLEM" in shown
        remedy = f"-> stop what uses it, keep a copy, remove {path}-wal and {path}-shm, then put a backup"
        assert "".join(remedy.split()) in "".join(shown.split()), "it is wrapped"

    def test_no_database_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(tmp_path / "x.db") == 1
        assert capsys.readouterr().err == (
            f"taskref: {tmp_path}/x.db not found: look at the name and the folder; nothing was created\n"
        )
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.xdist_group("postgresql")
    def test_on_a_server(self, postgresql_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        _empty(postgresql_url)
        open_database(postgresql_url).dispose()
        assert run(postgresql_url) == 0
        assert "schema both, version 1" in capsys.readouterr().out


class TestRealMachines:
    @pytest.mark.nightly
    def test_an_optimized_python_is_named(self) -> None:
        program = "from taskref_edu.cli.doctor_environment import variables; print(variables())"
        done = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True)
        assert "PROBLEM  Python runs with PYTHONOPTIMIZE" in done.stdout

    def test_a_python_path_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", "/of/mine")
        assert "PYTHONPATH=/of/mine" in doctor.variables().found

    def test_a_home_that_cannot_be_used_is_named_and_not_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", os.devnull)
        found = doctor.home()
        assert "cannot be used" in found.found
        assert found.remedy is None
        assert "JUPYTER_RUNTIME_DIR" in launch.environment({})

    @pytest.mark.slow
    @pytest.mark.nightly
    def test_a_users_preferred_folder_elsewhere_stops_no_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = f"c.ServerApp.preferred_dir = {str(tmp_path)!r}\nc.FileContentsManager.preferred_dir = 'nowhere'\n"
        (tmp_path / "jupyter_server_config.py").write_text(lines)
        monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
        monkeypatch.setenv("HOME", os.devnull)
        assert doctor.server() == Finding("JupyterLab starts with your settings")

    @pytest.mark.nightly
    def test_settings_that_stop_the_server_are_a_problem(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "jupyter_server_config.py").write_text("c.ServerApp.port = 'mine'\n")
        monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
        assert "does not start" in doctor.server().found


def test_a_pipe_that_has_no_check_mark_stops_no_command(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "TASKREF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "taskref_edu.cli", "progress"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


class TestAnOldPackageOnThePythonPath:
    """The command's own entry, in a process each: the package of this process has long been imported."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        (tmp_path / "sqlmodel.py").write_text("# too old to have anything of what we import\n")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        program = f"import sys; sys.path.append({str(ROOT)!r}); import taskref_edu_command as it; sys.exit(it.main())"

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", program, *arguments]
            return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

        return run

    def test_doctor_names_it_and_goes_on_without(self, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        done = run("doctor", "no-such.db")
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "PROBLEM  the package cannot be imported (ImportError: cannot import name" in done.stdout
        assert "-> unset PYTHONPATH" in done.stdout
        assert "no-such.db not found" in done.stderr

    @pytest.mark.nightly
    def test_all_is_not_well_then(self, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        done = run("doctor")
        assert done.returncode == 1
        assert "ok       Python" in done.stdout, "the other checks are made, too"
        assert "All is well" not in done.stdout
        assert "PYTHONPATH" not in done.stdout.partition("Everything else, without PYTHONPATH:")[2]
        assert done.stdout.endswith("Fix the first problem, then run it again.\n")

    def test_any_other_command_says_it_in_a_line(self, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        done = run("progress")
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert "unset PYTHONPATH, or see `taskref doctor`" in done.stderr
