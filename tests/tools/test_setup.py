"""The set-up as a learner meets it: the real scripts, run in a copy, with stubs for what is missing."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL = shutil.which("sh") or "/bin/sh"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shell scripts and make; on Windows `uv run` is the way")

# Stands in for uv: makes a real virtualenv, and "installs" one package and a `taskref` that echoes.
UV = f"""#!{SHELL}
echo "uv $@" >> "$LOG"
case "$1" in
    venv) for last; do :; done; exec "{sys.executable}" -m venv --without-pip "$last" ;;
    pip) if [ -n "$FAIL" ]; then echo "no route to host" >&2; exit 2; fi
         if [ -n "$HANG" ]; then /bin/touch "$HANG"; exec /bin/sleep 60; fi
         for site in .venv/lib/python*/site-packages; do /bin/mkdir -p "$site/sqlmodel-1.dist-info"; done
         printf '#!{SHELL}\\necho taskref "$@"\\n' > .venv/bin/taskref; /bin/chmod +x .venv/bin/taskref ;;
esac
"""


class Clone:
    """A copy of the scripts in a folder with an awkward name, and a PATH of stubs alone."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "Übung mit Leerzeichen"
        self.path = folder / "path"
        self.log = folder / "log"
        self.path.mkdir()
        shutil.copytree(ROOT / "tools", self.root / "tools")
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)

    def stub(self, name: str, script: str) -> None:
        """A command on PATH."""
        (self.path / name).write_text(script, encoding="utf-8")
        (self.path / name).chmod(0o755)

    def python(self, name: str, customized: str = "") -> None:
        """This Python under another name, with something of it broken by `customized`."""
        folder = self.path.parent / f"customized-{name}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(customized, encoding="utf-8")
        self.stub(name, f'#!{SHELL}\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')

    def environment(self, **variables: object) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "TMPDIR")}
        return kept | {"PATH": str(self.path), "LOG": str(self.log)} | {k: str(v) for k, v in variables.items()}

    def run(self, *command: str, **variables: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.environment(**variables), capture_output=True, text=True, timeout=240
        )

    def set_up(self, extra: str = "lab", **variables: object) -> subprocess.CompletedProcess[str]:
        return self.run(SHELL, "tools/with-python", "tools/setup.py", extra, **variables)

    def calls(self) -> list[str]:
        """What the stub uv was asked for since the last look, first words only."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return [" ".join(line.split()[:3]).removesuffix(" --quiet") for line in text.splitlines()]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """A clone whose first set-up for the lab is done."""
    clone.python("python3")
    clone.stub("uv", UV)
    assert clone.set_up().returncode == 0
    assert clone.calls() == CREATED
    return clone


# Neither uv nor pip gets anywhere, whatever index this machine has.
OFFLINE = {"FAIL": 1, "PIP_NO_INDEX": 1, "PIP_CONFIG_FILE": os.devnull}
ASKED = ["uv python find"]
CREATED = [*ASKED, "uv venv", "uv pip install"]
UPDATED = [*ASKED, "uv pip install"]


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Refused in one line of ours that says all of this, with no traceback."""
    ours = [line for line in result.stderr.splitlines() if line.startswith("taskref_edu: ")]
    assert result.returncode != 0
    assert len(ours) == 1, result.stderr
    assert all(part in ours[0] for part in parts), ours[0]
    assert "Traceback" not in result.stderr


# --- which Python -------------------------------------------------------------------------------

TOO_OLD = f'#!{SHELL}\ncase "$2" in *platform*) echo 3.9.18 ;; *) exit 1 ;; esac\n'
SHIM = f'#!{SHELL}\necho "command not found" >&2; exit 127\n'
PRINT = ("-c", "import os; print(os.environ['PYTHONPATH'])")


def test_python_too_old(clone):
    clone.stub("python3", TOO_OLD)
    assert_one_line(clone.set_up(), "Python 3.9.18 (python3)", "needs Python 3.11 or newer", "install one")


def test_no_python_at_all(clone):
    assert_one_line(clone.set_up(), "found no Python that runs", "needs Python 3.11 or newer")


def test_a_python_that_does_not_run_is_passed_over(clone):
    clone.stub("python3.14", SHIM)
    clone.stub("python3.13", TOO_OLD)
    clone.python("python3")
    assert "customized-python3\n" in clone.run(SHELL, "tools/with-python", *PRINT).stdout


def test_the_newest_complete_python_is_taken(clone):
    clone.python("python3.13", "import sys; sys.modules['ensurepip'] = None")
    clone.python("python3.12")
    clone.python("python3.11")
    assert "customized-python3.12\n" in clone.run(SHELL, "tools/with-python", *PRINT).stdout


def test_a_python_named_by_hand_is_the_only_one_tried(clone):
    clone.python("python3")
    clone.stub("old python", TOO_OLD)
    assert_one_line(clone.set_up(PYTHON=clone.path / "old python"), "Python 3.9.18", "old python)")


# --- what that Python lacks ---------------------------------------------------------------------


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_venv_module_missing(clone, module):
    clone.python("python3", f"import sys; sys.modules['{module}'] = None")
    assert_one_line(clone.set_up(), "without its venv module", f"python3.{sys.version_info.minor}-venv", "uv")


def test_venv_module_missing_does_not_matter_to_uv(clone):
    clone.python("python3", "import sys; sys.modules['ensurepip'] = None")
    clone.stub("uv", UV)
    assert clone.set_up().returncode == 0


def test_sqlite_missing(clone):
    clone.python("python3", "import sys; sys.modules['sqlite3'] = None")
    assert_one_line(clone.set_up(), "without its sqlite3 module", "use another build")


def test_sqlite_too_old(clone):
    old = "sqlite3.sqlite_version_info, sqlite3.sqlite_version = (3, 31, 1), '3.31.1'"
    clone.python("python3", f"import sqlite3; {old}")
    assert_one_line(clone.set_up(), "SQLite 3.31.1", "needs 3.35 or newer", "newer build")


def test_read_only_folder(clone):
    # A stub, because for root every folder is writable and a read-only disk cannot be had in a test.
    refuse = "def refuse(**_): raise OSError(30, 'Read-only file system')"
    clone.python("python3", f"import tempfile\n{refuse}\ntempfile.TemporaryFile = refuse")
    assert_one_line(clone.set_up(), "read-only", str(clone.root), "copy the folder")
    assert not (clone.root / ".venv").exists()


def test_a_disk_that_refuses_chmod(clone):
    # A stub, because no such disk can be mounted in a test; a real refusal, by seccomp, looks the same.
    refuse = "def refuse(*_, **__): raise PermissionError(1, 'Operation not permitted')"
    clone.python("python3", f"import os\n{refuse}\nos.chmod = refuse")
    assert_one_line(clone.set_up(), "refuses to make a file executable", str(clone.root), "copy the folder")
    assert not (clone.root / ".venv").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder__by_its_permissions(clone):
    clone.python("python3")
    clone.root.chmod(0o555)
    try:
        assert_one_line(clone.set_up(), "read-only", str(clone.root))
    finally:
        clone.root.chmod(0o755)


@pytest.mark.nightly
def test_no_network__uv(clone):
    clone.python("python3")
    clone.stub("uv", UV)
    result = clone.set_up(**OFFLINE)
    assert "That did not work. Preparing pip" in result.stdout
    assert_one_line(result, "pip could not install the packages", "needs the network", "run the same command again")


@pytest.mark.nightly
def test_no_network__pip(clone):
    """The real venv and the real pip, told to look nowhere."""
    clone.python("python3")
    result = clone.set_up(**OFFLINE)
    assert_one_line(result, "pip could not install the packages", "needs the network")
    assert "Setting up .venv for Python" in result.stdout


@pytest.mark.nightly
def test_a_step_that_takes_long_says_so(clone):
    clone.python("python3")
    clone.stub("uv", UV.replace("pip) if", "pip) echo Downloading numpy; /bin/sleep 6; if", 1))
    result = clone.set_up()
    assert result.returncode == 0
    assert result.stdout.count(" s  Downloading numpy") == 2
    assert "Set up with uv in" in result.stdout


def test_a_users_settings_for_other_places_lead_no_package_out_of_the_environment(monkeypatch):
    specification = importlib.util.spec_from_file_location("setup", ROOT / "tools" / "setup.py")
    assert specification
    assert specification.loader
    setup = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(setup)
    for name in ("PIP_USER", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HOME", os.devnull)  # where nobody can write
    found = setup.environment()
    assert found["PIP_USER"] == "0"
    assert not {"PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"} & found.keys()
    assert found["UV_NO_CACHE"] == "1"


@pytest.mark.environments
def test_with_no_uv_here_it_is_fetched_and_says_little(clone, tmp_path):
    """The real thing, from an index, with settings that would lead the packages elsewhere."""
    for name in ("taskref_edu", "README.md", "LICENSE", "pytest_taskref_edu.py", "taskref_edu_command.py"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, clone.root / name)
    clone.python("python3")
    index = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "HTTP"))}
    result = clone.set_up(**{**index, "PIP_USER": "1", "HOME": str(tmp_path)})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Set up with uv in" in result.stdout
    assert len(result.stdout.splitlines()) < 30
    assert (clone.root / ".venv" / "bin" / "pip").exists(), "the documents install extras with it"
    assert (clone.root / ".venv" / "bin" / "taskref").exists()


# --- the second run -----------------------------------------------------------------------------


def test_a_second_run_does_nothing(ready):
    result = ready.set_up()
    assert (result.returncode, result.stdout, ready.calls()) == (0, "", ASKED)


def test_dev_is_more_than_lab_and_serves_it(ready):
    assert ready.set_up("dev").returncode == 0
    assert ready.calls() == UPDATED
    ready.set_up("lab")
    ready.set_up("dev")
    assert ready.calls() == ASKED * 2


def test_changed_dependencies_are_installed(ready):
    with (ready.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    ready.set_up()
    assert ready.calls() == UPDATED


@pytest.mark.nightly
def test_a_failed_set_up_is_done_afresh(ready):
    assert ready.set_up("dev", **OFFLINE).returncode == 1
    assert ready.set_up("dev").returncode == 0
    assert ready.calls() == [*UPDATED, *CREATED]


def test_an_interrupted_set_up_is_done_afresh(ready, tmp_path):
    hanging = tmp_path / "hanging"
    # A job in the background ignores Control-C, and so would all that it starts: the program sets it back first.
    set_back = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "tools/setup.py", "dev"]
    command = [sys.executable, "-c", set_back, *command]
    environment = ready.environment(HANG=hanging)
    with subprocess.Popen(
        command, cwd=ready.root, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        wait_for(hanging)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does on Control-C
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopped; the next run starts the set-up afresh" in stderr
    assert "Traceback" not in stderr
    ready.calls()
    assert ready.set_up("dev").returncode == 0
    assert ready.calls() == CREATED


def test_a_virtualenv_whose_python_is_gone_is_rebuilt(ready):
    for python in (ready.root / ".venv/bin").glob("python*"):
        python.unlink()
    assert ready.set_up().returncode == 0
    assert ready.calls() == CREATED


def test_a_virtualenv_that_lost_a_package_is_rebuilt(ready):
    (package,) = (ready.root / ".venv").glob("lib/python*/site-packages/sqlmodel-1.dist-info")
    package.rmdir()
    assert ready.set_up().returncode == 0
    assert ready.calls() == CREATED


def test_a_moved_clone_is_set_up_again(ready):
    """Scripts in a virtualenv hold its path."""
    ready.root = ready.root.rename(ready.root.with_name("moved"))
    assert ready.set_up().returncode == 0
    assert ready.calls() == CREATED


def test_a_broken_stamp_is_no_stamp(ready):
    (ready.root / ".venv/taskref-setup.json").write_text("{", encoding="utf-8")
    assert ready.set_up().returncode == 0
    assert ready.calls() == CREATED


def test_the_stamp_names_what_it_stands_for(ready):
    stamp = json.loads((ready.root / ".venv/taskref-setup.json").read_text(encoding="utf-8"))
    assert (stamp["extra"], stamp["tool"], stamp["packages"]) == ("lab", "uv", ["sqlmodel-1.dist-info"])


def test_two_set_ups_take_turns(ready):
    import fcntl

    with (ready.root / "pyproject.toml").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, "tools/setup.py", "lab"],
            cwd=ready.root,
            env=ready.environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "Another set-up is running in this folder; waiting for it.\n"
            fcntl.flock(held, fcntl.LOCK_UN)
            assert process.wait(timeout=120) == 0


def test_usage(clone):
    result = clone.run(sys.executable, "tools/setup.py", "everything")
    assert (result.returncode, result.stderr) == (2, "usage: python tools/setup.py lab|dev\n")


# --- make ---------------------------------------------------------------------------------------

MAKE = shutil.which("make") or ""
needs_make = pytest.mark.skipif(not MAKE, reason="make is not installed")


@needs_make
def test_make_lab_sets_up_and_passes_the_arguments_on(ready):
    (ready.path / "sh").symlink_to(SHELL)
    result = ready.run(MAKE, "lab", "ARGS=--no-browser --port 8899")
    assert result.stdout == "taskref lab --no-browser --port 8899\n", result.stderr


@needs_make
def test_make_lab_stops_where_the_set_up_fails(clone):
    (clone.path / "sh").symlink_to(SHELL)
    clone.stub("python3", TOO_OLD)
    assert_one_line(clone.run(MAKE, "lab"), "Python 3.9.18")


@needs_make
def test_make_alone_explains_every_target(clone):
    (clone.path / "sed").symlink_to(shutil.which("sed") or "")
    makefile = (clone.root / "Makefile").read_text(encoding="utf-8")
    (phony,) = (line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    explained = [line.split()[1] for line in clone.run(MAKE).stdout.splitlines()]
    assert explained == [target for target in phony.split()[1:] if target != "help"]


def wait_for(file: Path) -> None:
    """Until another process has made the file."""
    end = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < end, f"{file} did not appear"
        time.sleep(0.02)
