"""What an exercise is made of. One file under `catalog/` declares one, as `EXERCISE = Exercise(…)`.

`stub`, `solution` and the code of wrong answers are plain Python: imports if they need any, then one top-level
function. The line `@exercise("1.1")` is added by `cell()`, so that it is never written by hand.
Read next: `cells.py`, then a file of the catalog.
"""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import dedent
from types import ModuleType
from typing import Any

from ..errors import TaskrefError

SECONDS = 10.0  # the time limit of one exercise's checks together
IMPORT = "from taskref_edu.exercises import exercise"

Check = Callable[[Callable[..., Any]], None]


class UnknownExercise(TaskrefError):
    """No exercise of the catalog has this id."""


class CheckFailed(AssertionError):
    """What a check raises when it has more to show than a message: a schedule, a plan, a table.

    `details` is shown folded; its `_repr_html_()` is used where there is one, else its text.
    """

    def __init__(self, message: str, details: object = None) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that learners write, and words of the message that must come back."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise.

    checks: plain functions that take the learner's function and assert; the first line of each docstring says
        what it proves, each assert carries the message for the learner.
    hints: at least three, the last with code. goal, hints, discussion: Markdown (paragraphs, `code`, fences).
    """

    id: str
    title: str
    objective: str
    goal: str
    stub: str
    checks: Sequence[Check]
    hints: Sequence[str]
    solution: str
    discussion: str
    wrong_answers: Sequence[Wrong]
    errors: Sequence[tuple[str, str]] = ()
    core: bool = False
    seconds: float = SECONDS

    @property
    def function(self) -> str:
        """The name of the function that the learner writes."""
        return function_of(self.stub).name

    def cell(self, code: str | None = None) -> str:
        """The text of a notebook's cell with this code (the stub if none is given), import and decorator added."""
        code = dedent(self.stub if code is None else code).strip()
        lines = code.splitlines()
        start = _first_line(function_of(code, self.function))
        imports = max([node.end_lineno or 0 for node in ast.parse(code).body if _is_import(node)], default=0)
        parts = ["\n".join([*lines[:imports], IMPORT]), "\n".join(lines[imports:start]).strip()]
        parts.append("\n".join([f'@exercise("{self.id}")', *lines[start:]]))
        return "\n\n\n".join(part for part in parts if part) + "\n"


def function_of(code: str, name: str | None = None) -> ast.FunctionDef:
    """The top-level function `name` in the code; the last one if no name is given. Raises ValueError."""
    functions = [node for node in ast.parse(dedent(code)).body if isinstance(node, ast.FunctionDef)]
    for function in reversed(functions):
        if name in (None, function.name):
            return function
    raise ValueError(f"no function {name or ''} in {code!r}")


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)]) - 1


@functools.cache
def catalog() -> dict[str, Exercise]:
    """Every exercise by id, in the order of their ids. Raises ValueError on a stray file or a repeated id."""
    found: dict[str, Exercise] = {}
    for module in catalog_modules():
        exercise = getattr(module, "EXERCISE", None)
        if not isinstance(exercise, Exercise):
            raise ValueError(f"{module.__name__} declares no EXERCISE: a file of the catalog declares exactly one")
        if exercise.id in found:
            raise ValueError(f"exercise {exercise.id} is declared twice, the second time in {module.__name__}")
        found[exercise.id] = exercise
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


def catalog_modules() -> list[ModuleType]:
    """The modules of the catalog, by name; names that begin with an underscore are helpers of several."""
    package = importlib.import_module(f"{__package__}.catalog")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names if not name.startswith("_")]


def order(id: str) -> tuple[int, ...]:
    """A key that sorts 2.10 after 2.9."""
    return tuple(int(part) if part.isdecimal() else -1 for part in id.split("."))


def find(id: str) -> Exercise:
    """The exercise with this id; UnknownExercise names those there are."""
    try:
        return catalog()[str(id)]
    except KeyError:
        raise UnknownExercise(f"exercise {id!r} not found; there are {', '.join(catalog())}") from None
