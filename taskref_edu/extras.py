"""The line that installs what is missing, for the Python that runs this: a bare `pip` is often another one's."""

from __future__ import annotations

import importlib.util
import sys


def install_line(extra: str) -> str:
    """The command that adds an extra of this package. An environment made by uv has no pip."""
    with_pip = importlib.util.find_spec("pip") is not None
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    tool = f"{python} -m pip install" if with_pip else f"uv pip install --python {python}"
    return f'{tool} "taskref_edu[{extra}]"'
