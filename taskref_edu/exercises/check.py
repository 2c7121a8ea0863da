"""Checks one attempt: loads it, runs the exercise's checks, and returns the outcome.

The notebook's hook, pytest and the terminal all call this, so they agree. Nothing is displayed or stored here.

Not covered: the learner's progress (`progress.py`); where attempts come from (`notebook_hook.py`, `notebook_files.py`).
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ..errors import ReadOnlySession
from ..lab.explorer.errors import LabError
from ..lab.explorer.progress_bar import whole_only
from .cell_parsing import UNREADABLE, Function, answers, ids_in, parse
from .child_process import check_apart, is_apart
from .code_slips import slips_in
from .error_texts import explain, learner_lines, left_behind, shown_lines
from .exercise import Check, CheckFailed, Exercise, find, function_of
from .learner_models import models_apart
from .limits import Limited, OutOfTime, library_restored, process_restored, threads_ended
from .loader import Attempt, attempt_from, is_attempted, load, why_not_checked
from .outcomes import HAPPENED, Outcome, Verdict
from .runtime_slips import noticing, watched
from .schedule_box import in_the_box

OPTIMIZE = "Unset PYTHONOPTIMIZE, restart the kernel or the terminal, and check again."


@dataclass
class Run:
    """The result of running the checks: those that passed, and the one that failed with its error."""

    passed: list[Check]
    failing: Check | None = None
    error: BaseException | None = None
    printed: list[str] = field(default_factory=list)


def check_answer(exercise_id: str, source: str) -> Outcome:
    """Check the text of an answer, as if it were the only cell of a notebook.

    The text is what a learner would type: imports, helper functions, and the exercise's function. The line
    `@exercise(…)` is added if it is missing. Raises UnknownExercise.
    """
    exercise = find(exercise_id)
    if exercise.id not in ids_in(source):
        with contextlib.suppress(*UNREADABLE):  # if the function is missing, the check reports it
            source = exercise.cell(source)
    return check_attempt(attempt_from(exercise.id, source, ()), exercise)


def check_attempt(attempt: Attempt, exercise: Exercise | None = None) -> Outcome:
    """Check the attempt against its exercise, by default the catalog's. Raises only UnknownExercise."""
    exercise = exercise or find(attempt.id)
    if sys.flags.optimize:
        found, step = (
            "Python runs with PYTHONOPTIMIZE or -O, which removes the asserts that checks are made of.",
            OPTIMIZE,
        )
        return Outcome(exercise.id, exercise.title, Verdict.ERROR, found, step, broken_check=True)
    if why := why_not_checked(attempt, exercise.function):
        step = "Change the cell that way and run it again."
        return Outcome(exercise.id, exercise.title, Verdict.ERROR, why, step)
    if not is_attempted(exercise, attempt.source, attempt.statements):
        return not_attempted(exercise)
    began = time.perf_counter()
    if is_apart(exercise):
        return replace(check_apart(attempt, exercise), seconds=time.perf_counter() - began)
    run, notes = _contained(attempt, exercise)
    outcome = _outcome(attempt, exercise, run)
    return replace(outcome, notes=notes, seconds=time.perf_counter() - began)


def not_attempted(exercise: Exercise) -> Outcome:
    """The outcome of a cell that still contains its stub."""
    act = "Write the body of" if _is_empty(function_of(exercise.stub)) else "Change"
    next_step = f'{act} `{exercise.function}` and run the cell; `hint("{exercise.id}")` helps.'
    return Outcome(
        exercise.id, exercise.title, Verdict.NOT_ATTEMPTED, "The function is still as it was given.", next_step
    )


def _is_empty(function: Function) -> bool:
    """Whether the body is only a docstring and `...`; another one has a fault to be found."""
    body = function.body[ast.get_docstring(function) is not None :]
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


def _contained(attempt: Attempt, exercise: Exercise) -> tuple[Run, list[str]]:
    """Run the checks within their time limit, and undo what the attempt did to the process."""
    run = Run([])
    with (
        whole_only(),
        process_restored() as process,
        library_restored() as patched,
        threads_ended(attempt.filename) as stubborn,
    ):
        try:
            Limited(exercise.seconds).run(lambda: _run(attempt, exercise, run))
        except BaseException as error:  # whatever the learner's code raises is an outcome, even SystemExit
            run.error = error
    run.printed = process.printed.lines
    notes = [*process.notes, *(f"The code replaced `{name}`; it was put back." for name in patched)]
    notes += [f"The code left the thread `{name}` running; restart the kernel to end it." for name in stubborn]
    return run, notes


def _run(attempt: Attempt, exercise: Exercise, run: Run) -> None:
    _expect_a_plain_function(attempt, exercise)
    for check in exercise.checks:
        with models_apart():
            _run_check(attempt, exercise, run, check)
    run.failing = None


def _run_check(attempt: Attempt, exercise: Exercise, run: Run, check: Check) -> None:
    """Run one check. The answer is loaded again for each, so that its global state does not carry over."""
    run.failing = None
    function = watched(_expect_parameters(_named(load(attempt).function), exercise))
    run.failing = check
    with noticing() as slips:
        try:
            check(function)
        except Exception:
            if slips:  # a slip is the cause; what the check found is its symptom
                raise slips[0] from None
            raise
        if slips and isinstance(slips[0], CheckFailed):
            raise slips[0]
    run.passed.append(check)


def _expect_a_plain_function(attempt: Attempt, exercise: Exercise) -> None:
    """Fail a cell without the function, or whose function returns a coroutine or a generator to its caller."""
    name = exercise.function
    functions = [
        answer.function for answer in answers(parse(attempt.source), attempt.statements) if answer.id == exercise.id
    ]
    if not functions:
        raise CheckFailed(f"No `def {name}(…)` found in the cell; expected a function of this name.")
    if isinstance(functions[-1], ast.AsyncFunctionDef):
        raise CheckFailed(
            f"`async def {name}` found: a call only makes a coroutine, and nobody awaits it. Expected: plain `def`."
        )
    if _yields(functions[-1]) and not _yields(function_of(exercise.stub)):
        raise CheckFailed(
            f"`yield` found in `{name}`: a call only makes a generator, and none of its lines runs. Expected: `return`."
        )


def _yields(function: ast.AST) -> bool:
    own = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    inner = [node for node in ast.iter_child_nodes(function) if not isinstance(node, own)]
    return any(isinstance(node, ast.Yield | ast.YieldFrom) or _yields(node) for node in inner)


def _named(function: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(function):
        raise TypeError(f"{function!r} found in place of the function; did a later line of the cell replace it?")
    return function


def _expect_parameters(function: Callable[..., Any], exercise: Exercise) -> Callable[..., Any]:
    expected = [argument.arg for argument in function_of(exercise.stub).args.args]
    found = f"{exercise.function}{inspect.signature(function)}"
    wanted = f"{exercise.function}({', '.join(expected)})"
    try:
        inspect.signature(function).bind(*expected)
    except (TypeError, ValueError):
        raise CheckFailed(f"`{found}` found; expected `{wanted}`.", expected=wanted, found=found) from None
    names = [name for name in inspect.signature(function).parameters if name in expected]
    if names != [name for name in expected if name in names]:
        problem = f"`{found}` found; expected `{wanted}`: the values come in this sequence."
        raise CheckFailed(problem, expected=wanted, found=found)
    return function


def _outcome(attempt: Attempt, exercise: Exercise, run: Run) -> Outcome:
    if run.error is None:
        return _passed(exercise, run)
    own = bool(learner_lines(run.error, attempt)) or run.failing is None
    if isinstance(run.error, AssertionError) and not _raised_by_learner(run.error, attempt):
        return _failed(attempt, exercise, run, run.error)
    if isinstance(run.error, ReadOnlySession) and not own:
        changed = "The function changed a row in a transaction of `reading()`: its caller only reads."
        return _failed(attempt, exercise, run, CheckFailed(changed))
    if isinstance(run.error, LabError):  # only the answer can make an exploration impossible
        return _failed(attempt, exercise, run, CheckFailed(f"Not every schedule can be run: {run.error}."))
    if isinstance(run.error, SQLAlchemyError | sqlite3.Error) and not own:
        return _failed(attempt, exercise, run, CheckFailed(left_behind(run.error)))
    if own or isinstance(run.error, OutOfTime | KeyboardInterrupt | SystemExit):
        return _error(attempt, exercise, run, run.error)
    return _broken(exercise, run, run.error)


def _passed(exercise: Exercise, run: Run) -> Outcome:
    count = len(run.passed)
    message = "The check passed." if count == 1 else f"All {count} checks passed."
    return Outcome(
        exercise.id,
        exercise.title,
        Verdict.PASSED,
        message,
        f'Go on; `solution("{exercise.id}")` shows ours beside yours.',
        (("Checks passed", _proved(run)), *_printed(run)),
    )


def _failed(attempt: Attempt, exercise: Exercise, run: Run, error: AssertionError) -> Outcome:
    message, _, more = (str(error) or _line_of(error)).strip().partition("\n")
    details = getattr(error, "details", None)
    facts: list[tuple[str, object]] = [("More", more.strip())] if more.strip() else []
    if details is not None:
        facts.append((HAPPENED, in_the_box(details, attempt)))
    if run.passed:
        facts.append(("Checks passed before", _proved(run)))
    next_step = f'Change the cell and run it again; `hint("{exercise.id}")` helps.'
    next_step = " ".join([*slips_in(attempt.source, exercise), next_step])
    return Outcome(
        exercise.id,
        exercise.title,
        Verdict.FAILED,
        message,
        next_step,
        (*facts, *_printed(run)),
        comparison=getattr(error, "comparison", None),
    )


def _error(attempt: Attempt, exercise: Exercise, run: Run, error: BaseException) -> Outcome:
    message, next_step = explain(error, attempt, exercise)
    next_step = " ".join([next_step, *slips_in(attempt.source, exercise, raised=True)])
    facts = (("Your lines", shown_lines(error, attempt)), *_printed(run))
    return Outcome(exercise.id, exercise.title, Verdict.ERROR, message, next_step, facts)


def _broken(exercise: Exercise, run: Run, error: BaseException) -> Outcome:
    """The check itself raised an error, for an answer that its author did not foresee; the outcome says so."""
    name = getattr(run.failing, "__name__", "the check")
    return Outcome(
        exercise.id,
        exercise.title,
        Verdict.ERROR,
        f"The check itself stopped on what your function did: {type(error).__name__}: {error}".splitlines()[0],
        f"Look at what the function returns; `{name}` did not expect it. Please report it: it should say more.",
        (("The check's traceback", "".join(traceback.format_exception(error))), *_printed(run)),
        broken_check=True,
    )


def _raised_by_learner(error: AssertionError, attempt: Attempt) -> bool:
    """Whether the failing assert is in the learner's own code: then it is their error, not our verdict."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename == attempt.filename


def _line_of(error: AssertionError) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"`{frame.line}` does not hold."


def _proved(run: Run) -> str:
    return "\n".join(f"✔ {(check.__doc__ or check.__name__).strip().splitlines()[0]}" for check in run.passed)


def _printed(run: Run) -> list[tuple[str, object]]:
    return [("What the code printed while it was checked", "\n".join(run.printed))] if run.printed else []
