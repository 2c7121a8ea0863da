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
from .cell_parsing import UNREADABLE, Function, ids_in
from .child_process import check_apart, is_apart
from .code_slips import slips_in
from .error_texts import explain, learner_lines, left_behind, shown_lines
from .exercise import Check, CheckFailed, Exercise, find, function_of
from .learner_models import models_apart
from .limits import Limited, OutOfTime, threads_ended
from .loader import Attempt, NotAllowed, attempt_from, is_attempted, load, why_not_checked
from .outcomes import HAPPENED, Outcome, Verdict
from .process_guard import library_restored, process_kept, process_restored
from .runtime_slips import noticed, noticing, watched
from .schedule_box import in_the_box

OPTIMIZE = "Unset PYTHONOPTIMIZE, restart the kernel or the terminal, and check again."


@dataclass
class CheckRun:
    """One run of an exercise's checks on an attempt: those that passed, and the one that failed with its error."""

    attempt: Attempt
    exercise: Exercise
    passed: list[Check] = field(default_factory=list)
    failing: Check | None = None
    error: BaseException | None = None
    printed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
        found = "Python runs with PYTHONOPTIMIZE or -O, which removes the asserts that checks are made of."
        return exercise.outcome(Verdict.ERROR, found, OPTIMIZE, broken_check=True)
    if why := why_not_checked(attempt, exercise.function):
        return exercise.outcome(Verdict.ERROR, why, "Change the cell that way and run it again.")
    if not is_attempted(exercise, attempt.source, attempt.statements):
        return not_attempted(exercise)
    began = time.perf_counter()
    outcome = check_apart(attempt, exercise) if is_apart(exercise) else _outcome(_contained(attempt, exercise))
    return replace(outcome, seconds=time.perf_counter() - began)


def not_attempted(exercise: Exercise) -> Outcome:
    """The outcome of a cell that still contains its stub."""
    act = "Write the body of" if _is_empty(function_of(exercise.stub)) else "Change"
    next_step = f'{act} `{exercise.function}` and run the cell; `hint("{exercise.id}")` helps.'
    return exercise.outcome(Verdict.NOT_ATTEMPTED, "The function is still as it was given.", next_step)


def _is_empty(function: Function) -> bool:
    """Whether the body is only a docstring and `...`; another one has a fault to be found."""
    body = function.body[ast.get_docstring(function) is not None :]
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


def _contained(attempt: Attempt, exercise: Exercise) -> CheckRun:
    """Run the checks within their time limit, and undo what the attempt did to the process."""
    run = CheckRun(attempt, exercise)
    with (
        whole_only(),
        process_restored() as process,
        process_kept(_refused),
        library_restored() as patched,
        threads_ended(attempt.filename) as stubborn,
    ):
        try:
            Limited(exercise.seconds).run(lambda: _check_all(run))
        except BaseException as error:  # whatever the learner's code raises is an outcome, even SystemExit
            run.error = error
    run.printed = process.printed.lines
    run.notes += [*process.notes, *(f"The code replaced `{name}`; it was put back." for name in patched)]
    run.notes += [f"The code left the thread `{name}` running; restart the kernel to end it." for name in stubborn]
    return run


def _refused(call: str) -> BaseException:
    found = f"The code would end the kernel, or whatever process runs this check, with `{call}()`"
    return noticed(NotAllowed(found, "Return a value or raise an error instead."))


def _check_all(run: CheckRun) -> None:
    _expect_a_plain_function(run.attempt, run.exercise)
    for check in run.exercise.checks:
        with models_apart():
            _check_one(run, check)
    run.failing = None


def _check_one(run: CheckRun, check: Check) -> None:
    """Run one check. The answer is loaded again for each, so that its global state does not carry over."""
    run.failing = None
    function = watched(_expect_parameters(_named(load(run.attempt)), run.exercise))
    run.failing = check
    with noticing() as slips:
        try:
            check(function)
        except Exception:
            if slips:  # a slip is the cause; what the check found is its symptom
                raise slips[0] from None
            raise
        if slips and isinstance(slips[0], CheckFailed | NotAllowed):
            raise slips[0]
    run.passed.append(check)


def _expect_a_plain_function(attempt: Attempt, exercise: Exercise) -> None:
    """Fail a cell without the function, or whose function returns a coroutine or a generator to its caller."""
    name = exercise.function
    functions = attempt.functions
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


def _outcome(run: CheckRun) -> Outcome:
    error = run.error
    if error is None:
        return _passed(run)
    own = bool(learner_lines(error, run.attempt)) or run.failing is None
    if isinstance(error, AssertionError) and not _raised_by_learner(error, run.attempt):
        return _failed(run, error)
    if isinstance(error, ReadOnlySession) and not own:
        changed = "The function changed a row in a transaction of `reading()`: its caller only reads."
        return _failed(run, CheckFailed(changed))
    if isinstance(error, LabError):  # only the answer can make an exploration impossible
        return _failed(run, CheckFailed(f"Not every schedule can be run: {error}."))
    if isinstance(error, SQLAlchemyError | sqlite3.Error) and not own:
        return _failed(run, CheckFailed(left_behind(error)))
    if own or isinstance(error, OutOfTime | KeyboardInterrupt | SystemExit | NotAllowed):
        return _error(run, error)
    return _broken(run, error)


def _passed(run: CheckRun) -> Outcome:
    count = len(run.passed)
    message = "The check passed." if count == 1 else f"All {count} checks passed."
    next_step = f'Go on; `solution("{run.exercise.id}")` shows ours beside yours.'
    facts = (("Checks passed", _proved(run)), *_printed(run))
    return run.exercise.outcome(Verdict.PASSED, message, next_step, facts=facts, notes=run.notes)


def _failed(run: CheckRun, error: AssertionError) -> Outcome:
    message, _, more = (str(error) or _line_of(error)).strip().partition("\n")
    details, comparison = getattr(error, "details", None), getattr(error, "comparison", None)
    facts: list[tuple[str, object]] = [("More", more.strip())] if more.strip() else []
    if details is not None:
        facts.append((HAPPENED, in_the_box(details, run.attempt)))
    if run.passed:
        facts.append(("Checks passed before", _proved(run)))
    slips = slips_in(run.attempt.source, run.exercise)
    return run.exercise.failed(message, *slips, facts=(*facts, *_printed(run)), notes=run.notes, comparison=comparison)


def _error(run: CheckRun, error: BaseException) -> Outcome:
    message, next_step = explain(error, run.attempt, run.exercise)
    next_step = " ".join([next_step, *slips_in(run.attempt.source, run.exercise, raised=True)])
    facts = (("Your lines", shown_lines(error, run.attempt)), *_printed(run))
    return run.exercise.outcome(Verdict.ERROR, message, next_step, facts=facts, notes=run.notes)


def _broken(run: CheckRun, error: BaseException) -> Outcome:
    """The check itself raised an error, for an answer that its author did not foresee; the outcome says so."""
    name = getattr(run.failing, "__name__", "the check")
    return run.exercise.outcome(
        Verdict.ERROR,
        f"The check itself stopped on what your function did: {type(error).__name__}: {error}".splitlines()[0],
        f"Look at what the function returns; `{name}` did not expect it. Please report it: it should say more.",
        facts=(("The check's traceback", "".join(traceback.format_exception(error))), *_printed(run)),
        notes=run.notes,
        broken_check=True,
    )


def _raised_by_learner(error: AssertionError, attempt: Attempt) -> bool:
    """Whether the failing assert is in the learner's own code: then it is their error, not our verdict."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename == attempt.filename


def _line_of(error: AssertionError) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"`{frame.line}` does not hold."


def _proved(run: CheckRun) -> str:
    return "\n".join(f"✔ {(check.__doc__ or check.__name__).strip().splitlines()[0]}" for check in run.passed)


def _printed(run: CheckRun) -> list[tuple[str, object]]:
    return [("What the code printed while it was checked", "\n".join(run.printed))] if run.printed else []
