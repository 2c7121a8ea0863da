"""For bug hunts: the stub is the faulty function, and a repair changes few of its lines.

Lines are compared as Python reads them: comments, docstrings, blank lines and indentation do not count, so that
moving a line into or out of a block is free.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from difflib import SequenceMatcher
from textwrap import dedent
from typing import Any

from taskref_edu.exercises.exercise import CheckFailed, function_of


def require_few_changes(function: Callable[..., Any], stub: str, most: int) -> None:
    """Fail an answer that has more than `most` new or changed lines, and show which they are."""
    before = _lines(function_of(stub))
    after = _lines(function_of(dedent(inspect.getsource(function)), function.__name__))
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    new = [line for kind, _, _, start, end in steps if kind != "equal" for line in after[start:end]]
    if len(new) > most:
        lines = "1 line is" if most == 1 else f"{most} lines are"
        raise CheckFailed(f"{len(new)} lines of the function are new or changed; {lines} enough.", "\n".join(new))


def _lines(function: ast.FunctionDef) -> list[str]:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return [line.strip() for node in body for line in ast.unparse(node).splitlines()]
