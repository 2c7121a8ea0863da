"""pytest's entry point: it collects notebooks that answer exercises of taskref_edu.

pytest imports this in every run of an environment that has the package, for whatever project. So it stands beside the
package, not in it, and imports nothing of it before a notebook is met that imports `taskref_edu.exercises`. All other
notebooks are left alone, broken ones too. What an item does is in `taskref_edu/exercises/pytest_plugin.py`.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

OURS = "taskref_edu.exercises"
# In what Python cannot parse: a cell with a magic, or the JSON of a broken notebook.
IMPORT = (
    r"(?:^|[\"\n;]|\\n)\s*"
    r"(?:from\s+taskref_edu\.exercises[\s.]|import\s+taskref_edu\.exercises\b|from\s+taskref_edu\s+import\b.*\bexercises\b)"
)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> NotebookFile | None:
    """Collect a notebook that imports our exercises and answers one, be it broken or not."""
    if file_path.suffix != ".ipynb" or not answers_ours(file_path):
        return None
    return NotebookFile.from_parent(parent, path=file_path)


class NotebookFile(pytest.File):
    """One notebook."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each exercise that it answers; one that fails if it cannot be read, so that the run goes on."""
        from taskref_edu.errors import TaskrefError

        try:
            from taskref_edu.exercises.pytest_plugin import items_of

            yield from items_of(self)
        except TaskrefError as error:
            yield Unreadable.from_parent(self, name="unreadable", error=error)


class Unreadable(pytest.Item):
    """Stands for the exercises of a notebook that cannot be read, or that needs a package which is not installed."""

    def __init__(self, *, error: Exception, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.error = error

    def runtest(self) -> NoReturn:
        """Fail with what is wrong."""
        raise self.error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The error's own sentence."""
        return str(self.error)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that the item is."""
        return self.path, None, "exercises"


def answers_ours(path: Path) -> bool:
    """Whether a code cell imports `taskref_edu.exercises`; of a file that is not JSON, whether its text does."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    if b"taskref_edu" not in text or b"exercise(" not in text:  # nearly every notebook of somebody else ends here
        return False
    source = text.decode(errors="replace")
    try:
        cells = json.loads(source)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):  # no notebook, or a broken one
        code = [source]
    return any(_imports_ours(text) for text in code)


def _imports_ours(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an escape in their strings
            nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return bool(re.search(IMPORT, code))
    names = [
        f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    return any(name == OURS or name.startswith(f"{OURS}.") for name in names)
