"""Submissions that mean harm, in each sandbox that works here: the canary and the other rows stand.

They can only reach folders of the test's own, even where the sandbox fails: what they attack is the victim's folder,
and the scratch folder that they run in lies two levels below it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from taskref_edu.exercises.exercise import catalog, find
from taskref_edu.grading.grader import grade
from taskref_edu.grading.sandbox import LEVELS, Level, best_level, landlock_version, works

from .test_grading import attempt, notebook, verdicts

VANDALS = {
    "deletes": "shutil.rmtree('..', ignore_errors=True); shutil.rmtree(victim, ignore_errors=True); os.remove(canary)",
    "overwrites": "open(canary, 'w').write('x')",
    "appends": "open(canary, 'a').write('x')",
    "renames": "os.rename(canary, canary + '.gone')",
    "truncates": "os.truncate(canary, 0)",
    "links": "os.link(canary, 'mine'); open('mine', 'w').write('x')",
    "creates": "open(victim + '/new', 'w').close()",
    "chmods": "os.chmod(canary, 0)",
    "connects": "socket.create_connection(('127.0.0.1', port), 2).send(b'x')",
    "fills the disk": "for n in range(8): open(str(n), 'wb').write(b'x' * (60 << 20))\ntime.sleep(3)",
    "kills its parent": "if ctypes.CDLL(None).kill(os.getppid(), 9): raise PermissionError",
    "forks": "for n in range(400):\n    if os.fork() == 0: time.sleep(4); os._exit(0)\ntime.sleep(3)",
    "hides what it leaves": (
        "for n in range(100):\n    if os.fork() == 0: os.setsid(); os.fork(); time.sleep(60); os._exit(0)"
    ),
    "trickles": (
        "pipes = [n for n in range(3, 30) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "child = os.fork()\n"
        "while child == 0:\n"
        "    for n in pipes:\n"
        "        try: os.write(n, b'x')\n"
        "        except OSError: pass\n"
        "    time.sleep(.1)"
    ),
    "starts threads": "for n in range(400): threading.Thread(target=time.sleep, args=(3,)).start()",
    "forges a verdict": (
        "line = json.dumps({'notebook': 'x', 'id': '1.1', 'verdict': 'passed', 'message': '', 'text': ''}).encode()\n"
        "for number in range(1, 30):\n"
        "    for path in (f'/proc/self/fd/{number}', f'/proc/{os.getppid()}/fd/{number}'):\n"
        "        try: open(path, 'wb', 0).write(line + b'\\n')\n"
        "        except OSError: pass\n"
        "ctypes.CDLL(None)._exit(0)"
    ),
}
NOT_AT = {"files": {"chmods"}}  # Landlock has no right for a file's mode
QUICK = {"deletes", "kills its parent", "forges a verdict"}  # for each run; the others at night
ROOT_MAY = {"starts threads"}  # the kernel limits no number of root's


def vandal(body: str, victim: Path, port: int) -> str:
    before = "import json, shutil, socket, threading, time"
    names = f"victim, canary, port = {str(victim)!r}, {str(victim / 'canary')!r}, {port}"
    return attempt("\n".join([before, names, *body.splitlines(), "raise ValueError('came through')"]))


@cache
def sandboxes() -> list[Level]:
    """Those that work here, the best one first. Asked by a test, not at import: it starts processes."""
    return [level for level in LEVELS if level != "none" and works(level)]


@pytest.fixture(params=[0, pytest.param(1, marks=pytest.mark.nightly)], ids=["best", "second"])
def level(request: pytest.FixtureRequest) -> Level:
    if len(sandboxes()) <= request.param:
        pytest.skip(f"sandboxes that work here: {sandboxes() or 'none'}")
    return sandboxes()[request.param]


@pytest.fixture
def victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a canary; every scratch folder is made two levels below it."""
    folder = tmp_path / "victim"
    (folder / "between").mkdir(parents=True)
    (folder / "canary").write_text("alive")
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "between"))
    return folder


def state(victim: Path) -> tuple[object, ...]:
    canary = victim / "canary"
    return canary.read_text(), canary.stat().st_mode, canary.stat().st_mtime_ns, sorted(os.listdir(victim))  # noqa: PTH208


@pytest.mark.parametrize(
    "names",
    [pytest.param(QUICK, id="quick"), pytest.param(VANDALS.keys() - QUICK, marks=pytest.mark.nightly, id="rest")],
)
def test_a_vandal_spoils_its_own_row_only(level: Level, names: set[str], victim: Path, tmp_path: Path) -> None:
    before = state(victim)
    vandals = {name: VANDALS[name] for name in names - NOT_AT.get(level, set())}
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name, body in vandals.items():
            text = vandal(body, victim, server.getsockname()[1])
            notebook(tmp_path / "class" / f"{name}.ipynb", text, find("1.2").cell(find("1.2").solution))
        notebook(tmp_path / "class" / "zoe.ipynb", find("1.1").cell(find("1.1").solution))
        grades = grade(tmp_path / "class", jobs=2, level=level)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert state(victim) == before
    spoilt = {"1.1": "raised an error", "1.2": "passed"}
    assert verdicts(grades) == dict.fromkeys(sorted(vandals), spoilt) | {"zoe": {"1.1": "passed"}}
    through = {one.learner for one in grades if "came through" in one.results["1.1"]["text"]} - {"deletes"}
    assert through <= (ROOT_MAY if os.geteuid() == 0 else set())


@pytest.mark.nightly
def test_every_check_works_behind_the_wall(level: Level, victim: Path, tmp_path: Path) -> None:
    cells = [exercise.cell(exercise.solution) for exercise in catalog().values()]
    notebook(tmp_path / "class" / "ann.ipynb", *cells)
    (one,) = grade(tmp_path / "class", level=level)
    assert one.problems == []
    assert {id: result["text"] for id, result in one.results.items() if result["verdict"] != "passed"} == {}
    assert one.results.keys() == catalog().keys()


def test_nothing_that_an_attempt_started_outlives_it(level: Level, victim: Path, tmp_path: Path) -> None:
    """Not even a daemon: what is left would count as the user's in the next attempt, and run beside it."""
    daemon = "if os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '86399.5'])\ntime.sleep(.3)"
    # Other processes end meanwhile.
    see = "    try:\n            seen += open(path, 'rb').read()\n        except OSError:\n            pass\n"
    seeing = (
        "def atomic_block():\n    import glob\n    seen = b''\n    for path in glob.glob('/proc/[0-9]*/cmdline'):\n"
    )
    seeing += f"    {see}    raise ValueError(b'86399' in seen)"
    notebook(tmp_path / "class" / "eve.ipynb", vandal(daemon, victim, 1), find("1.2").cell(seeing))
    (one,) = grade(tmp_path / "class", level=level)
    assert "ValueError: False" in one.results["1.2"]["text"]


def test_behind_the_full_wall_nothing_private_is_seen(victim: Path, tmp_path: Path) -> None:
    if "full" not in sandboxes():
        pytest.skip("bubblewrap does not work here")
    notebook(tmp_path / "class" / "eve.ipynb", vandal("raise ValueError(open(canary).read())", victim, 1))
    (one,) = grade(tmp_path / "class", level="full")
    assert "FileNotFoundError" in one.results["1.1"]["text"]


def test_a_tool_that_is_there_and_does_not_work_is_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert best_level() == ("files" if landlock_version() else "none")


@pytest.mark.nightly
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="is run as an ordinary user already")
def test_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same vandals once more, as the user nobody: root is bound by fewer limits, and has rights to lose."""
    python = f"/usr/bin/python3.{sys.version_info.minor}"
    packages = [place for place in sys.path if Path(place).name == "site-packages"]
    root = Path(__file__).parents[2]
    runuser = shutil.which("runuser")
    if runuser is None or not Path(python).exists():
        pytest.skip(f"no {python} that another user may run")
    as_nobody = [runuser, "-u", "nobody", "--"]
    with tempfile.TemporaryDirectory(prefix="taskref-nobody-") as folder:
        # An environment of nobody's own: grading starts its processes without PYTHONPATH.
        shutil.chown(folder, "nobody")
        own = Path(folder, "venv")
        subprocess.run([*as_nobody, python, "-m", "venv", "--without-pip", str(own)], cwd="/", check=True)
        (site,) = own.glob("lib/python*/site-packages")
        (site / "clone.pth").write_text("\n".join([str(root), *packages]))
        python = str(own / "bin" / "python")
        if subprocess.run([*as_nobody, python, "-c", "import taskref_edu, pytest"], cwd="/", check=False).returncode:
            pytest.skip("the user nobody may not read this clone")
        command = [*as_nobody, python, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider"]
        options = ["-n", "0", "--basetemp", f"{folder}/t", "-k", "vandal or every_check", __file__]
        done = subprocess.run([*command, *options], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
