"""The parts of an exercise. Each file under `catalog/` declares one, as `EXERCISE = Exercise(…)`.

`stub`, `solution` and the code of wrong answers are plain Python: imports, if needed, then one top-level function.
`cell()` adds the line `@exercise("1.1")`, so nobody writes it by hand.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from ..errors import TaskrefError
from .cell_parsing import Function
from .comparison import compare
from .outcomes import Outcome, Verdict

SECONDS = 10.0  # the time limit of one exercise's checks together
IMPORT = "from taskref_edu.exercises import exercise"

FILE = re.compile(r"e(\d+)_(\d+)_\w+\Z")  # the file's name contains the exercise's id

Check = Callable[[Callable[..., Any]], None]
NOT_GIVEN = object()  # None is a value that a check may expect


class UnknownExercise(TaskrefError):
    """No exercise of the catalog has this id."""


class CheckFailed(AssertionError):
    """Raised by a check that has more to show than a message: a schedule, a plan, a table, a pair of values.

    details: shown folded, by its `_repr_html_()` if it has one, else as text.
    expected, found: shown beside each other; pass both or none. A text may describe what was expected (`"a task"`).
    """

    def __init__(
        self, message: str, details: object = None, *, expected: object = NOT_GIVEN, found: object = NOT_GIVEN
    ) -> None:
        super().__init__(message)
        self.details = details
        self.comparison = None if expected is NOT_GIVEN else compare(expected, found)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that learners write, and words that the resulting message must contain."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise.

    apart: True if an answer may end the process, so that it must be checked in a child process.
    checks: functions that take the learner's function and assert. The first line of each docstring says what the check
        proves; each assert has a message for the learner.
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
    apart: bool = False

    @property
    def function(self) -> str:
        """The name of the function that the learner writes."""
        return function_of(self.stub).name

    def outcome(self, verdict: Verdict, message: str, next_step: str, **more: Any) -> Outcome:
        """How an answer's check ended; more: the other fields of an Outcome."""
        return Outcome(self.id, self.title, verdict, message, next_step, **more)

    def failed(self, message: str, *slips: str, **more: Any) -> Outcome:
        """A check found a fault; slips: likely causes."""
        next_step = f'Change the cell and run it again; `hint("{self.id}")` helps.'
        return self.outcome(Verdict.FAILED, message, " ".join([*slips, next_step]), **more)

    def cell(self, code: str | None = None) -> str:
        """The text of a notebook's cell with this code, by default the stub; import and decorator are added."""
        code = dedent(self.stub if code is None else code).strip()
        lines = code.splitlines()
        start = _first_line(function_of(code, self.function))
        imports = max([node.end_lineno or 0 for node in ast.parse(code).body if _is_import(node)], default=0)
        parts = ["\n".join([*lines[:imports], IMPORT]), "\n".join(lines[imports:start]).strip()]
        parts.append("\n".join([f'@exercise("{self.id}")', *lines[start:]]))
        return "\n\n\n".join(part for part in parts if part) + "\n"


def function_of(code: str, name: str | None = None) -> Function:
    """The top-level function `name` in the code, by default the last one. Raises ValueError if there is none."""
    functions = [node for node in ast.parse(dedent(code)).body if isinstance(node, Function)]
    for function in reversed(functions):
        if name in (None, function.name):
            return function
    raise ValueError(f"no function {name or ''} in {code!r}")


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _first_line(function: Function) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)]) - 1


def names() -> dict[str, str]:
    """The module of each exercise by id, sorted by id; taken from the files' names, without imports.

    Raises ValueError for a file of another name, or two files with one id. Files that start with _ are helpers.
    """
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(importlib.import_module(f"{__package__}.catalog").__path__):
        if module.name.startswith("_"):
            continue
        named = FILE.match(module.name)
        if named is None:
            raise ValueError(f"catalog/{module.name}.py found; a name such as e1_1_follow_the_arrow.py expected")
        id = f"{named[1]}.{named[2]}"
        if id in found:
            raise ValueError(f"catalog/{found[id]}.py and catalog/{module.name}.py are both {id}")
        found[id] = module.name
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def find(id: str) -> Exercise:
    """The exercise with this id; imports only its file. UnknownExercise names the existing ids."""
    known = names()
    if id not in known:
        raise UnknownExercise(f"exercise {id!r} not found; there are {', '.join(known)}")
    exercise = getattr(importlib.import_module(f"{__package__}.catalog.{known[id]}"), "EXERCISE", None)
    if not isinstance(exercise, Exercise) or exercise.id != id:
        raise ValueError(f"catalog/{known[id]}.py must declare EXERCISE = Exercise(id={id!r}, …)")
    return exercise


def catalog() -> dict[str, Exercise]:
    """Every exercise by id, sorted by id."""
    return {id: find(id) for id in names()}
