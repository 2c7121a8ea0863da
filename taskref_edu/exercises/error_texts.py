"""Turns an exception into what helps a learner: cause, remedy, and their own lines of the traceback.

Frames of this package and of libraries are left out: a learner can only change their own lines.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from difflib import get_close_matches

from ..models import Order, Task
from .exercise import Exercise, function_of
from .limits import OutOfTime
from .loader import Attempt, NotAllowed

# Part of an error's message -> what it means here, and the remedy. The first match counts.
KNOWN = [
    (
        r"database is locked",
        "SQLite lets one transaction write at a time, and another one holds the lock. Either a second transaction was "
        "opened inside the caller's: use the session that you are given. Or this one read first and then wanted to "
        "write: let its first statement write",
    ),
    (
        r"created in a thread can only be used in that same thread",
        "a SQLite connection was handed to another thread. Open a session in the thread that uses it",
    ),
    (
        r"no such table",
        "this database has no such table: the name is misspelt, or a new, empty database was opened. The goal names "
        "the tables, else they are `task` and `orders`; use the session or engine that you are given",
    ),
    (r"no such column", "the table has no column of this name: look it up in the goal, or in the class of the model"),
    (
        r"is not persistent within this Session",
        "the row was read in another session, so this one cannot refresh it. Read it again, by its id: "
        "`session.get_one(Order, order.id, populate_existing=True)`",
    ),
    (r"is already attached to session", "the row belongs to another session. Read it again in this one, by its id"),
    (
        r"is not bound to a Session|DetachedInstanceError",
        "the row was used after its session had ended. Read what you need inside the `with` block, or pass its id on",
    ),
    (r"already begun on this Session", "the caller's transaction has begun already: leave out `begin()`"),
    (
        r"closed transaction|This session is in 'prepared' state|Can't operate on closed",
        "the transaction was ended inside the function. The caller commits: leave out `commit()` and `rollback()`",
    ),
    (r"does not return rows", "an UPDATE, INSERT or DELETE gives rows only with `RETURNING`; else ask for `.rowcount`"),
    (
        r"Boolean value of this clause",
        "a condition on a column is neither true nor false in Python: join them with `&`, `|`",
    ),
    (r"'InstrumentedAttribute' is not iterable", "`in` asks Python; a column has `col(…).in_(…)`"),
    (r"should be explicitly declared as text|Not an executable object", "a text of SQL has to be wrapped: `text(…)`"),
    (r"value is required for bind parameter", "the statement names a parameter that was not passed beside it"),
    (
        r"type '\w+' is not supported|Error binding parameter",
        "SQLite stores numbers and texts, and this value is neither: pass an id, not a row; of times, see "
        "`bindparam(…, type_=DateTime())`",
    ),
    (
        r"DateTime type only accepts|Invalid isoformat|Couldn't parse datetime",
        "a time is stored as `2030-01-31 12:00:00.000000`, in UTC, with a space and without a zone: pass a datetime to "
        "`bindparam(…, type_=DateTime())`, or write it with `strftime`",
    ),
    (r"No row was found", "the query found no row, and `one()` insists on one. `one_or_none()` gives None instead"),
    (
        r"Multiple rows were found",
        "the query found several rows where one was expected: its WHERE is too wide",
    ),
    (r'near "order"', "ORDER is a keyword of SQL; the table is `orders`"),
    (r"one statement at a time", "the text holds several statements, and one is expected"),
    (
        r"Incorrect number of bindings",
        "the numbers of parameters and of values differ. Inside quotes it is not a parameter: `:id`, not `':id'`",
    ),
    (r"ambiguous column name", "several tables have this column: put the table's name before it, as in `task.type`"),
    (r"IN expression list", "`in_` takes a list of values: `in_([…, …])`"),
    (r"unsupported operand type\(s\) for [|&]", "`|` and `&` bind before `==`: parentheses around each comparison"),
    (r"TaskQueue\.\w+\(\) missing", "the session comes first: `queue.enqueue(session, …)`, `queue.cancel(session, …)`"),
    (
        r"has no attribute 'rowcount'",
        "a statement with RETURNING gives rows, not their number: `scalar_one_or_none()` gives the value, or None",
    ),
    (
        r"did not supply a value for binding",
        "the statement has a parameter for which nobody passes a value: write the value itself, or use the name that "
        "the goal gives",
    ),
    (r"non-deterministic", "an index may not depend on the time or on chance"),
    (r"near \"|syntax error|incomplete input|unrecognized token", "SQLite cannot read the statement at this word"),
    (
        r"UNIQUE constraint failed",
        "a unique index refused a second row with the same value: the database noticed a duplicate",
    ),
    (r"FOREIGN KEY constraint failed", "the row points at a row that does not exist"),
    (r"NOT NULL constraint failed", "a column that must have a value got none"),
    (
        r"CHECK constraint failed",
        "the row breaks a rule of the table: a status and its times must agree. A running task has "
        "`lease_expires_at`, an ended one `finished_at`, any other has neither",
    ),
    (r"'NoneType' object", "there is None where the line expects an object: a query that found nothing, for one"),
    (r"math domain error|expected a positive input", "the logarithm of 0, or of less, does not exist"),
]
# The same for an error of the caller, after the function has returned: what the function must have done.
LEFT_BEHIND = [
    (
        r"closed database|is closed|reconnect|not bound to|closed transaction",
        "closed or took away the session's connection",
    ),
    (r"No row was found|ObjectDeletedError|StaleDataError", "removed a row that its caller still needs"),
    (r"no such table|no such column|has no column|values for", "removed or changed a table"),
    (r"constraint failed", "left a row in the session that the table refuses"),
]
# Modules from which a missing name can be imported, searched in this sequence.
HOMES = ("taskref_edu", "taskref_edu.errors", "taskref_edu.models", "sqlmodel", "sqlalchemy", "datetime", "math")
GIVEN = ("session", "engine", "queue", "task", "order")  # what functions of exercises are given, never imported
CLOSE = 0.8  # difflib's ratio from which a name counts as misspelt
AGAIN = "Then run the cell again."
APPROACHES = ("classic", "inverted", "as_written")


def first_line(error: BaseException) -> str:
    """Type and message on one line; for an error that SQLAlchemy wrapped, the driver's."""
    cause = getattr(error, "orig", None) or error
    text = re.sub(r"\(Background on this error at: .*", "", str(cause))
    text = re.sub(r" at 0x[0-9a-f]+", "", text).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


def with_meaning(error: BaseException) -> str:
    """What the driver said, and what it means in plain words if that is known; ends with a full stop."""
    said = first_line(error).partition(": ")[2].rstrip(".")
    for pattern, meaning in KNOWN:
        if re.search(pattern, said):
            return f"{said}. {meaning[0].upper()}{meaning[1:]}."
    return f"{said}."


def left_behind(error: BaseException) -> str:
    """What a function did to the database or the session, if its caller gets this error afterwards; a sentence."""
    said = first_line(error)
    did = next(
        (did for pattern, did in LEFT_BEHIND if re.search(pattern, said)), "left something that its caller fails on"
    )
    return f"The function {did}: when it had returned, its caller got `{said}`."


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
        found, step = error.args
        return f"{found}{where}.", step
    if isinstance(error, KeyboardInterrupt):
        return f"The check was interrupted{where}.", "Run the cell again."
    if isinstance(error, SyntaxError):
        return f"{attempt.place}, line {error.lineno}: {error.msg}.", "Correct the line; then run the cell again."
    return _ordinary(error, attempt, exercise, where)


def _ordinary(error: BaseException, attempt: Attempt, exercise: Exercise, where: str) -> tuple[str, str]:
    said = first_line(error)
    name = getattr(error, "name", None)
    if isinstance(error, NameError) and name in attempt.elsewhere:
        alone = f"{said}{where}. Another cell defines `{name}`; a check runs this cell alone."
        return alone, f"Move `{name}` into this cell."
    if isinstance(error, NameError) and name:
        return f"{said}{where}.", _not_given(name, exercise) if name in GIVEN else _where_from(name)
    if isinstance(error, AttributeError) and (nearly := _nearly(error)):
        return f"{said}{where}.", f"Did you mean `{nearly}`?"
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{said}{where}.",
            "Install the package; or, if it is a file of yours beside the notebook, move what you need into this cell:"
            " a check sees no such file.",
        )
    if isinstance(error, RecursionError):
        return f"The function calls itself without an end{where}.", "Give it a case in which it returns."
    for pattern, meaning in [*exercise.errors, *KNOWN]:
        if re.search(pattern, f"{type(error).__name__}: {error}"):
            return f"`{said}`{where}.", f"{meaning[0].upper()}{meaning[1:]}."
    if own := _own_statement(error, attempt):
        return f"{said}{where}.", f"Your own `{own}` did this, where the goal asks for no error: change that. {AGAIN}"
    return f"{said}{where}.", f"Look at the line named here. {AGAIN}"


def _not_given(name: str, exercise: Exercise) -> str:
    given = ", ".join(argument.arg for argument in function_of(exercise.stub).args.args) or "nothing"
    return f"`{exercise.function}` is not given a `{name}`; it is given {given}."


def _own_statement(error: BaseException, attempt: Attempt) -> str:
    """`raise` or `assert`, if the error comes from such a line of the learner's."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or frames[-1].filename != attempt.filename:
        return ""
    word = (frames[-1].line or "").partition(" ")[0]
    return word if word in ("raise", "assert") else ""


def _nearly(error: AttributeError) -> str:
    """The attribute that was meant, if one has nearly this name."""
    name, of = error.name or str(error), error.obj
    names = dir(of) if of is not None else [*Task.model_fields, *Order.model_fields]
    close = get_close_matches(name, [each for each in names if each[0] != "_"], 1, CLOSE)
    return close[0] if close else ""


def _where_from(name: str) -> str:
    """The import that is missing, if a module that learners use has this name; else nothing."""
    for home in HOMES:
        found = getattr(importlib.import_module(home), name, None)
        if found is not None and (not inspect.ismodule(found) or name in APPROACHES):
            return f"The import is missing: `from {home} import {name}`."
    if name in sys.stdlib_module_names or name in HOMES:
        return f"The import is missing: `import {name}`."
    known = {each: home for home in reversed(HOMES) for each in dir(importlib.import_module(home)) if each[0] != "_"}
    if close := get_close_matches(name, known, 1, CLOSE):
        return f"Did you mean `{close[0]}`, from `{known[close[0]]}`? Else define or import `{name}` in this cell."
    return f"Define or import `{name}` in this cell, or look for a misspelling."


def learner_lines(error: BaseException, attempt: Attempt) -> list[traceback.FrameSummary]:
    """The frames of the learner's code, outermost first."""
    if isinstance(error, SyntaxError):
        return []
    return [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == attempt.filename]


def shown_lines(error: BaseException, attempt: Attempt) -> str:
    """The learner's lines of the traceback, and the error."""
    if isinstance(error, SyntaxError):  # its own text names the file "<unknown>"
        return f"line {error.lineno}:  {(error.text or '').strip()}\n{type(error).__name__}: {error.msg}"
    lines = [f"line {frame.lineno}, in {frame.name}:  {frame.line}" for frame in learner_lines(error, attempt)]
    return "\n".join([*lines, first_line(error)])


def _where(error: BaseException, attempt: Attempt) -> str:
    frames = learner_lines(error, attempt)
    return f" in line {frames[-1].lineno}" if frames else ""
