"""`taskref lab`: what it refuses, what it adds, and a real JupyterLab that it starts."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskref_edu.cli import launch
from taskref_edu.clone import FIRST_NOTEBOOK

ROOT = Path(__file__).resolve().parents[2]
NEWS = "/lab/api/settings/@jupyterlab/apputils-extension:notification"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder like a clone: what `taskref lab` needs is the first notebook."""
    folder = tmp_path / "Übung mit Leerzeichen"
    (folder / "notebooks").mkdir(parents=True)
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / FIRST_NOTEBOOK).write_text(json.dumps(empty), encoding="utf-8")
    return folder


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "taskref_edu.cli", "lab", *arguments]


def environment(home: Path) -> dict[str, str]:
    """A home of its own, and nothing of the Jupyter that may be running these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


# --- the port -----------------------------------------------------------------------------------


def test_a_taken_port_is_one_line(lab, taken, tmp_path):
    result = subprocess.run(
        command("--no-browser", "--port", str(taken)),
        cwd=lab,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert re.fullmatch(
        rf"taskref: found port {taken} taken by another program: choose another "
        r"\(--port \d+ is free\), or leave --port out and JupyterLab takes a free one\.\n",
        result.stderr,
    )


@pytest.mark.parametrize("form", ["--port={}", "--port {}", "--ServerApp.port={}", "--ip 127.0.0.1 --port {}"])
def test_a_taken_port__in_every_spelling(form, taken):
    with pytest.raises(launch.CannotStart, match=f"port {taken} taken"):
        launch.require_free_port(["--no-browser", *form.format(taken).split()])


def test_the_port_that_is_offered_is_free(taken):
    with pytest.raises(launch.CannotStart) as refused:
        launch.require_free_port([f"--port={taken}"])
    (offered,) = re.findall(r"--port (\d+) is free", str(refused.value))
    launch.require_free_port([f"--port={offered}"])


@pytest.mark.parametrize("arguments", [[], ["--no-browser"], ["--port=0"], ["--port=eight"], ["--port"]])
def test_no_port_to_refuse(arguments):
    """Nothing asked for, or nothing that is a number (JupyterLab explains that itself)."""
    launch.require_free_port(arguments)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port(port):
    with pytest.raises(launch.CannotStart, match=f"found --port {port}, needs a number from 0 to 65535"):
        launch.require_free_port([f"--port={port}"])


# --- the folder ---------------------------------------------------------------------------------


def test_the_clone_is_found_from_a_folder_inside_it(lab, monkeypatch):
    monkeypatch.chdir(lab / "notebooks")
    assert launch.find_root() == lab


def test_no_clone(tmp_path, monkeypatch):
    (tmp_path / ".taskref").mkdir()  # a folder with progress, without the repository
    monkeypatch.chdir(tmp_path)
    with pytest.raises(launch.CannotStart, match=r"found no notebooks.00_start_here.ipynb in .*: run it inside"):
        launch.find_root()


def test_a_read_only_folder(lab, monkeypatch):
    # A stub, because for root every folder is writable and a read-only disk cannot be had in a test.
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(launch.tempfile, "TemporaryFile", refuse)
    with pytest.raises(launch.CannotStart, match=r"read-only \(Read-only file system\), needs to save your answers"):
        launch.require_writable(lab)


# --- what is added ------------------------------------------------------------------------------


def test_root_is_allowed_and_told(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert launch.as_root([]) == ["--allow-root"]
    assert re.fullmatch(r"Running as root, .* added --allow-root, .*\n", capsys.readouterr().out)


@pytest.mark.parametrize(("user", "arguments"), [(1000, []), (0, ["--allow-root"])])
def test_root_is_allowed_and_told__only_where_needed(user, arguments, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    assert launch.as_root(arguments) == []
    assert capsys.readouterr().out == ""


def test_the_users_own_configuration_path_comes_first():
    path = launch.environment({"JUPYTER_CONFIG_PATH": "/mine"})["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert path[0] == "/mine"
    assert (Path(path[1]) / "labconfig" / "default_setting_overrides.json").is_file()


# --- the whole ----------------------------------------------------------------------------------


SLOW = """
import time
class LabApp:
    @classmethod
    def launch_instance(cls, arguments):
        time.sleep(0 if "--version" in arguments else 6.5)
"""


@pytest.mark.parametrize(("argument", "said"), [("--no-browser", 2), ("--version", 0)])
def test_a_start_that_takes_long_says_so(lab, tmp_path, argument, said):
    package = tmp_path / "slow" / "jupyterlab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "labapp.py").write_text(SLOW)
    path = f"{package.parent}{os.pathsep}{ROOT}"
    inherited = environment(tmp_path) | {"PYTHONPATH": path}
    done = subprocess.run(command(argument), cwd=lab, env=inherited, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^ +\d+ s  JupyterLab is starting$", done.stdout, re.MULTILINE)
    assert (len(found) >= said) if said else ("tarting" not in done.stdout), done.stdout


@pytest.mark.skipif(not shutil.which("jupyter", path=str(Path(sys.executable).parent)), reason="needs the extra `lab`")
@pytest.mark.nightly
def test_a_real_jupyterlab_opens_the_first_notebook(lab, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    arguments = ("--no-browser", f"--port={port}", "--ServerApp.port_retries=0")
    process = subprocess.Popen(
        command(*arguments), cwd=lab, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        told = next(line for line in process.stdout if b"token=" in line).decode()  # the address, once all is ready
        assert f"http://localhost:{port}/lab/tree/notebooks/00_start_here.ipynb?token=" in told
        token = told.strip().partition("?")[2]
        settings = json.loads(fetch(port, f"{NEWS}?{token}"))
        assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"  # no pop-up that asks
        assert settings["schema"]["properties"]["checkForUpdates"]["default"] is False
        assert json.loads(fetch(port, f"/api/contents/{FIRST_NOTEBOOK.as_posix()}?{token}"))["type"] == "notebook"
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert not list(tmp_path.glob(".jupyter/**/*.json*")), "a setting was written into the home"


def fetch(port: int, path: str) -> bytes:
    """A page of the server, waiting for it to come up."""
    end = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except ConnectionRefusedError:
            assert time.monotonic() < end, f"nothing answers on port {port}"
            time.sleep(0.1)
        finally:
            connection.close()
