"""From an exception to what a learner can use: cause, remedy, and their own lines of the traceback.

Leaves out our lines and the libraries': what is between the learner's line and the error is the check's business.
"""

from __future__ import annotations

import re
import traceback

from .exercise import Exercise
from .limits import OutOfTime
from .loader import Attempt, NotAllowed

# What a message of the database says -> what it means here, and the remedy. The first that matches counts.
DATABASE = [
    (
        r"database is locked",
        "another transaction is writing, and this one read first: SQLite cannot let it wait. "
        "Let the first statement write, or begin with `writing(engine)`",
    ),
    (
        r"created in a thread can only be used in that same thread",
        "a SQLite connection was handed to another thread. Open a session in the thread that uses it",
    ),
    (
        r"no such table",
        "this database has no such table: a new, empty one was opened, or the name is misspelt "
        "(the tables are `task` and `orders`). Use the session or engine that you are given",
    ),
    (
        r"is not bound to a Session|DetachedInstanceError",
        "the row was used after its session had ended. Read what you need inside the `with` block, or pass its id on",
    ),
    (
        r"closed transaction|This session is in 'prepared' state|Can't operate on closed",
        "the transaction was ended inside the function. The caller commits: leave out `commit()` and `rollback()`",
    ),
    (
        r"UNIQUE constraint failed",
        "a unique index refused a second row with the same value: the database noticed a duplicate",
    ),
    (r"FOREIGN KEY constraint failed", "the row points at a row that does not exist"),
    (r"CHECK constraint failed", "the row breaks a rule of the table: a status and its times must agree"),
]


def first_line(error: BaseException) -> str:
    """Type and message on one line; of SQLAlchemy's wrapped errors, the driver's."""
    cause = getattr(error, "orig", None) or error
    text = re.sub(r"\(Background on this error at: .*", "", str(cause)).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


def explain(error: BaseException, attempt: Attempt, exercise: Exercise) -> tuple[str, str]:
    """What happened, and what to do next."""
    where = _where(error, attempt)
    if isinstance(error, OutOfTime):
        return (
            f"Stopped after {exercise.seconds:g} s{where}: the code did not come to an end.",
            "Look for a loop that never ends, or for something that waits; then run the cell again.",
        )
    if isinstance(error, SystemExit):
        return f"The code called `sys.exit()`{where}.", "Return a value or raise an error instead."
    if isinstance(error, NotAllowed):
        return f"The code waits for the keyboard{where}.", f"{error}."
    if isinstance(error, KeyboardInterrupt):
        return f"The check was interrupted{where}.", "Run the cell again."
    if isinstance(error, SyntaxError):
        return f"{attempt.place}, line {error.lineno}: {error.msg}.", "Mend the line; then run the cell again."
    return _ordinary(error, attempt, exercise, where)


def _ordinary(error: BaseException, attempt: Attempt, exercise: Exercise, where: str) -> tuple[str, str]:
    said = first_line(error)
    name = getattr(error, "name", None)
    if isinstance(error, NameError) and name in attempt.elsewhere:
        return (
            f"{said}{where}. Another cell defines `{name}`; a check runs this cell alone.",
            f"Move `{name}` into this cell.",
        )
    if isinstance(error, NameError) and name:
        return f"{said}{where}.", f"Define or import `{name}` in this cell, or look for a misspelling."
    if isinstance(error, RecursionError):
        return f"The function calls itself without an end{where}.", "Give it a case in which it returns."
    for pattern, meaning in [*exercise.errors, *DATABASE]:
        if re.search(pattern, f"{type(error).__name__}: {error}"):
            return f"{said}{where}.", f"{meaning[0].upper()}{meaning[1:]}."
    return f"{said}{where}.", "Look at the line named here; then run the cell again."


def learner_lines(error: BaseException, attempt: Attempt) -> list[traceback.FrameSummary]:
    """The frames of the learner's code, outermost first."""
    if isinstance(error, SyntaxError):
        return []
    return [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == attempt.filename]


def shown_lines(error: BaseException, attempt: Attempt) -> str:
    """The learner's lines of the traceback, and the error."""
    if isinstance(error, SyntaxError):  # its text names a file of Python's own, "<unknown>"
        return f"line {error.lineno}:  {(error.text or '').strip()}\n{type(error).__name__}: {error.msg}"
    lines = [f"line {frame.lineno}, in {frame.name}:  {frame.line}" for frame in learner_lines(error, attempt)]
    return "\n".join([*lines, first_line(error)])


def _where(error: BaseException, attempt: Attempt) -> str:
    frames = learner_lines(error, attempt)
    return f" in line {frames[-1].lineno}" if frames else ""
