"""Opens JupyterLab on the first notebook: what `taskref lab` does.

It finds the folder, refuses what JupyterLab would answer with a traceback or silently ignore, and adds the few settings
that a first start needs, for this start only: the user's own settings are not changed.

Not covered: installing JupyterLab (`tools/setup.py`).
"""

from __future__ import annotations

import argparse
import errno
import importlib.util
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from taskref_edu.clone import FIRST_NOTEBOOK, root
from taskref_edu.errors import TaskrefError

SILENCE = 3.0  # seconds without a word, at most
# With one of these, JupyterLab prints something and starts nothing.
PRINTS_ONLY = {"--version", "--help-all", "--show-config", "--show-config-json", "--generate-config"}
# JupyterLab imports this optional parser of international URLs, which takes longer than importing all the rest.
UNUSED_PARSER = "rfc3987_syntax"


class CannotStart(TaskrefError):
    """JupyterLab cannot be started here as asked."""


def start(arguments: Sequence[str]) -> int:
    """Run JupyterLab with the arguments until it stops; return its exit code."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise CannotStart("found no JupyterLab beside this package, needs the extra `lab`: run `make lab`.")
    clone = find_root()
    require_writable(clone)
    require_free_port(arguments)
    os.environ.update(environment(os.environ))
    os.environ.pop("PYTHONOPTIMIZE", None)  # the kernels would inherit it, and skip every assert
    if PRINTS_ONLY.isdisjoint(arguments):
        print("Starting JupyterLab; its address comes last ...", flush=True)
        threading.Thread(target=say_that_it_starts, daemon=True).start()
    sys.modules.setdefault(UNUSED_PARSER, None)  # type: ignore[arg-type]
    from jupyterlab.labapp import LabApp

    return LabApp.launch_instance([*options(clone), *as_root(arguments), *arguments]) or 0


def say_that_it_starts() -> None:
    """Say every few seconds that the start goes on, until there is a server: half a minute on a busy machine."""
    began = time.monotonic()
    while not time.sleep(SILENCE) and not has_server():
        print(f"  {time.monotonic() - began:3.0f} s  JupyterLab is starting", flush=True)


def has_server() -> bool:
    """Whether this process's Jupyter server is ready; it then prints its address."""
    module = sys.modules.get("jupyter_server.serverapp")
    app = getattr(module, "ServerApp", None)
    return app is not None and app.initialized() and hasattr(app.instance(), "http_server")


def find_root() -> Path:
    """The clone; raises CannotStart if its notebooks are missing."""
    folder = root()
    if not (folder / FIRST_NOTEBOOK).is_file():
        raise CannotStart(f"found no {FIRST_NOTEBOOK} in {folder}: run it inside a clone of the repository.")
    return folder


def require_writable(root: Path) -> None:
    """Refuse a folder in which no answer could be saved. Checked by writing, because a disk may be read-only."""
    try:
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        raise CannotStart(
            f"found the folder {root} read-only ({error.strerror}), needs to save your answers in it: "
            "copy it to a place of your own, and start there."
        ) from None


def require_free_port(arguments: Sequence[str]) -> None:
    """Refuse a port that the user named if it is in use: JupyterLab would silently choose another one.

    Without a number, JupyterLab looks for a free port itself.
    """
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    asked.add_argument("--port", "--ServerApp.port", type=int, dest="port")
    asked.add_argument("--ip", "--ServerApp.ip", default="localhost", dest="ip")
    try:
        found, _ = asked.parse_known_args(arguments)
    except argparse.ArgumentError:  # not a number: JupyterLab reports it
        return
    if found.port is None:
        return
    if not 0 <= found.port < 65536:
        raise CannotStart(f"found --port {found.port}, needs a number from 0 to 65535: choose another.")
    if is_taken(found.ip, found.port):
        free = next((port for port in range(found.port + 1, 65536) if not is_taken(found.ip, port)), 8888)
        raise CannotStart(
            f"found port {found.port} taken by another program: choose another "
            f"(--port {free} is free), or leave --port out and JupyterLab takes a free one."
        )


def is_taken(host: str, port: int) -> bool:
    """Whether the port is in use, checked as the server will: by binding to it."""
    host = {"localhost": "127.0.0.1", "*": "", "0.0.0.0": ""}.get(host, host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name != "nt":  # on Windows, this option would allow a port that is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def environment(current: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Environment variables for this start.

    No news pop-up and no check for updates unless the user's settings ask for them; and this environment's kernel takes
    precedence over one of the same name in the user's home.
    """
    ours = str(Path(__file__).with_name("jupyter_config"))
    path = [folder for folder in current.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep) if folder]
    found = {"JUPYTER_CONFIG_PATH": os.pathsep.join([*path, ours]), "JUPYTER_PREFER_ENV_PATH": "1"}
    return found | (own_folders(current) if home_problem() else {})


def home_problem() -> str:
    """Why Jupyter's folders cannot be in the home folder; empty if they can."""
    home = Path.home()
    try:
        with tempfile.NamedTemporaryFile(dir=home) as file:
            Path(file.name).chmod(0o600)
    except OSError as error:
        return f"{home}: {error.strerror}"
    return ""


def own_folders(current: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Folders to use instead of those in an unusable home folder, unless the user has named some."""
    place = Path(tempfile.gettempdir()) / f"taskref-home-{getattr(os, 'getuid', lambda: 0)()}"
    place.mkdir(mode=0o700, exist_ok=True)
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    return {name: str(place / name.lower()) for name in names if name not in current}


def options(clone: Path) -> list[str]:
    """Options that serve the whole folder and open the first notebook, with or without a browser.

    The log shows only what matters, so that the address comes last. The preferred folder is overridden, because one
    outside the served folder prevents the start.
    """
    return [
        f"--ServerApp.root_dir={clone}",
        f"--ServerApp.preferred_dir={clone}",
        "--FileContentsManager.preferred_dir=",
        f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK.as_posix()}",
        "--Application.log_level=WARN",
    ]


def as_root(arguments: Sequence[str]) -> list[str]:
    """`--allow-root` if it is needed; then prints a line that says so."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or "--allow-root" in arguments:
        return []
    print(
        "Running as root, as in a container: added --allow-root, without which JupyterLab refuses.",
        flush=True,
    )
    return ["--allow-root"]
