"""Checks of arguments, made before anything is written; the message says what was found and what was expected.

Every verb runs them, so they are cheap: a check that passes is one or two comparisons.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST_SECONDS = timedelta(days=3650).total_seconds()  # ten years from now can still be stored as a time
LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's INTEGER
LARGEST_ID = 2**63 - 1
# What follows `//user:`, up to the last @ (a password may contain one), or follows `password=` or `sslpassword=`.
# Text: only errors need it, and compiling it would slow down every import of this package.
_SECRETS = r"(?i)(://[^\s:/?@]*:).*(?=@)|(\b\w*pass(?:word|wd|phrase)\s*=\s*)[^\s&;'\"]+"


def expect(value: Any, kind: type | tuple[type, ...], what: str) -> None:
    """Raise TypeError unless the value is of the kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{short(value)} found, {what} expected")


def expect_seconds(name: str, value: Any, lowest: float = 0.0, highest: float = LONGEST_SECONDS) -> None:
    """Raise TypeError or ValueError unless the value is a number of seconds in this range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} {short(value)} found, seconds expected")
    if not lowest <= value <= highest:  # also refuses NaN
        raise ValueError(f"{name} {short(value)} found, from {lowest:g} to {highest:,.0f} seconds expected")


def expect_count(name: str, value: Any, lowest: int = 1, highest: int = LARGEST_INTEGER) -> None:
    """Raise TypeError or ValueError unless the value is a whole number in this range."""
    if type(value) is not int:
        raise TypeError(f"{name} {short(value)} found, a whole number expected")
    if not lowest <= value <= highest:
        raise ValueError(f"{name} {short(value)} found, from {lowest} to {highest:,} expected")


def expect_name(name: str, value: Any, longest: int) -> None:
    """Raise TypeError or ValueError unless the value is text that every database can store."""
    if not isinstance(value, str):
        raise TypeError(f"{name} {short(value)} found, a name as text expected")
    if not value or len(value) > longest:
        raise ValueError(f"{name} {short(value)} found, a name of 1 to {longest} characters expected")
    if "\x00" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
        raise ValueError(f"{name} {short(value)} holds NUL or half of a surrogate pair: remove it")


def expect_id(name: str, value: Any) -> None:
    """Raise TypeError or ValueError unless the value can be the id of a row; None, the id of a new row, is accepted."""
    if value is not None:
        expect_count(name, value, 0, LARGEST_ID)


def in_utc(name: str, value: Any) -> datetime:
    """The time in UTC. Raises TypeError if it is no datetime, ValueError if it has no time zone or is out of range."""
    expect(value, datetime, f"a datetime for {name}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} {value!r} has no time zone: use datetime.now(UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} {value!r} found, a time from year 1 to year 9999 in UTC expected") from None


def short(value: Any) -> str:
    """The value as text, short enough for an error message."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return shorten(masked(text), 120)


def masked(text: str) -> str:
    """The text without the passwords of the URLs in it."""
    return re.sub(_SECRETS, lambda found: f"{found[1] or found[2]}***", text)


def counted(number: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def shorten(text: str, longest: int) -> str:
    """The text, or its beginning and an ellipsis: at most `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
