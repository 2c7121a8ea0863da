"""The sandbox around a submission: limits what it may access. The level is found by trying.

`full`: bubblewrap. No network, the system read-only, home folders and other people's files invisible.
`files`: Landlock (Linux 5.13). Writes only in the scratch folder; refuses TCP from Linux 6.7, signals from 6.12 on.
`sandbox-exec`: macOS. Written from its documentation, never tried. `none`: no sandbox.

Not covered at `files`: reading, chmod and other changes of metadata, UDP. Not covered at any level: a learner who reads
the checks in the memory of their own process and returns what these expect.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Level = Literal["full", "files", "sandbox-exec", "none"]
LEVELS: tuple[Level, ...] = ("full", "files", "sandbox-exec", "none")
CONTAINED: dict[Level, str] = {
    "full": (
        "bubblewrap: no network, the system read-only, homes and other submissions unseen, writes in one folder only"
    ),
    "files": (
        "Landlock: writes in a scratch folder only, no TCP from Linux 6.7 on. Not contained: files that the grading"
        " user may read, and the modes of those that it owns"
    ),
    "sandbox-exec": "sandbox-exec (untried): no network, writes in a scratch folder only. Not contained: reading",
    "none": "nothing: a submission may read, change and delete whatever the grading user may, and use the network",
}
PACKAGE = Path(__file__).resolve().parents[1]
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix", "/etc/alternatives", "/etc/localtime"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/passwd", "/etc/group"),
)
PROFILE = """
(version 1) (allow default) (deny network*) (deny file-write*)
(allow file-write* (subpath (param "SCRATCH")) (literal "/dev/null"))
"""
TRYING = 20  # seconds in which a first process inside the sandbox must start


def best_level() -> Level:
    """The first level at which a process starts here; it is tried, because an installed tool may not be permitted."""
    return next(level for level in LEVELS if level == "none" or works(level))


def works(level: Level) -> bool:
    """Whether a process starts in the sandbox of this level."""
    if level == "files":
        return landlock_version() > 0
    if shutil.which({"full": "bwrap", "sandbox-exec": "sandbox-exec"}[level]) is None:
        return False
    with tempfile.TemporaryDirectory(prefix="taskref-sandbox-") as scratch:
        command = wrapped([sys.executable, "-c", "import sqlmodel"], level, Path(scratch))
        try:
            return subprocess.run(command, capture_output=True, timeout=TRYING, check=False).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def wrapped(command: Sequence[str], level: Level, scratch: Path) -> list[str]:
    """The command that runs `command` at this level; at `files` it must call restrict_writes() itself."""
    scratch = scratch.resolve()
    if level == "full":
        return [*_bubblewrap(scratch), *command]
    if level == "sandbox-exec":
        return ["sandbox-exec", "-D", f"SCRATCH={scratch}", "-p", PROFILE, *command]
    return list(command)


def _bubblewrap(scratch: Path) -> list[str]:
    system = [argument for path in SYSTEM for argument in ("--ro-bind-try", path, path)]
    packages = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    python = dict.fromkeys([sys.base_prefix, sys.prefix, *packages, str(PACKAGE)])
    needed = [argument for path in python for argument in ("--ro-bind-try", path, path)]
    return [
        *("bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"),
        *system,
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
        *needed,
        *("--bind", str(scratch), str(scratch), "--chdir", str(scratch), "--"),
    ]


# --- Landlock, by its three system calls: https://docs.kernel.org/userspace-api/landlock.html -----------------------

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
WRITE_FILE, REFER, TRUNCATE = 1 << 1, 1 << 13, 1 << 14
REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
BIND_AND_CONNECT_TCP, ABSTRACT_SOCKETS_AND_SIGNALS = 0b11, 0b11
NO_NEW_PRIVILEGES = 38


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def landlock_version() -> int:
    """The version of Landlock in this kernel; 0 if it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, 1))


def restrict_writes(scratch: Path) -> None:
    """From now on this process and its children can write only below `scratch`, and cannot signal processes outside.

    Called again in a child, it also protects the parent from the child. Raises OSError if the kernel refuses.
    """
    version = landlock_version()
    files = WRITE_FILE | REMOVE_AND_MAKE | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rules = _Ruleset(files, BIND_AND_CONNECT_TCP if version >= 4 else 0, ABSTRACT_SOCKETS_AND_SIGNALS * (version >= 6))
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _call(CREATE_RULESET, ctypes.byref(rules), size, 0)
    for path, allowed in ((scratch, files), (Path(os.devnull), files & (WRITE_FILE | TRUNCATE))):
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _call(ADD_RULE, ruleset, 1, ctypes.byref(_Beneath(allowed, folder)), 0)
        os.close(folder)
    if ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
    _call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _call(number: int, *arguments: object) -> int:
    result = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
