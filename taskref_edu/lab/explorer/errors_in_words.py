"""Errors as text, short enough for one line.

Apart, so that results, verdicts and other rooms describe the same error in the same words.
"""

from __future__ import annotations

REFUSED = {
    "SerializationFailure": "somebody has changed a row since this transaction's first statement; it may be repeated",
    "DeadlockDetected": "each waits for a row that the other has locked; the server ended one, which may be repeated",
    "LockNotAvailable": "somebody holds the lock, and this statement does not wait",
    "SQLITE_BUSY": "somebody else is writing, and a transaction that has read already is not allowed to wait",
    "SQLITE_BUSY_SNAPSHOT": "somebody has written since this transaction first read; what it read is out of date",
}


def error_text(error: BaseException) -> str:
    """The error on one line: its type, the first line of its message, and the database's own name for it."""
    cause = getattr(error, "orig", None) or error
    first_line = str(cause).strip().split("\n")[0]
    name = database_name(cause)
    if name in REFUSED:  # `explained` says why; the advice after the database's own words would fill a headline
        first_line = first_line.partition("; ")[0]
    text = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return f"{text} ({name})" if name and name != type(error).__name__ else text


def database_name(error: BaseException | None) -> str | None:
    """SQLite's name of the code, or the driver's class for PostgreSQL's, of the error or of what it was raised from."""
    while error is not None:
        if (name := getattr(error, "sqlite_errorname", None)) is not None:
            return name
        if hasattr(error, "sqlstate"):
            return type(error).__name__
        error = getattr(error, "orig", None) or error.__cause__
    return None


def explained(texts: set[str]) -> list[str]:
    """A sentence for each kind of refusal among these error texts."""
    return [f"{name}: {words}." for name, words in REFUSED.items() if any(f"({name})" in text for text in texts)]
