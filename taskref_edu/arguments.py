"""Checks of what callers pass: what was found, what was expected, before anything is written.

Cheap, since each verb pays for them: a check that passes is one comparison or two.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST = timedelta(days=3650).total_seconds()  # so that the time plus ten years can still be stored
LARGEST_INTEGER = 2**31 - 1  # PostgreSQL's INTEGER
LARGEST_ID = 2**63 - 1
# After `//user:` up to the last @ (a password may hold one), and after `password=`, `sslpassword=`.
_SECRETS = re.compile(r"(://[^\s:/?@]*:).*(?=@)|(\b\w*pass(?:word|wd|phrase)\s*=\s*)[^\s&;'\"]+", re.IGNORECASE)


def expect(value: Any, kind: type | tuple[type, ...], what: str) -> None:
    """Raise TypeError unless the value is of the kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{short(value)} found, {what} expected")


def expect_seconds(name: str, value: Any, lowest: float = 0.0) -> None:
    """Raise TypeError or ValueError unless the value is a number of seconds, from `lowest` to ten years."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} {short(value)} found, seconds expected")
    if not lowest <= value <= LONGEST:  # not true of NaN, too
        raise ValueError(f"{name} {short(value)} found, from {lowest:g} to {LONGEST:,.0f} seconds expected")


def expect_count(name: str, value: Any, lowest: int = 1) -> None:
    """Raise TypeError or ValueError unless the value is a whole number that the database can keep."""
    if type(value) is not int:
        raise TypeError(f"{name} {short(value)} found, a whole number expected")
    if not lowest <= value <= LARGEST_INTEGER:
        raise ValueError(f"{name} {short(value)} found, from {lowest} to {LARGEST_INTEGER:,} expected")


def expect_name(name: str, value: Any, longest: int) -> None:
    """Raise TypeError or ValueError unless the value is text that every database can keep."""
    if not isinstance(value, str):
        raise TypeError(f"{name} {short(value)} found, a name as text expected")
    if not value or len(value) > longest:
        raise ValueError(f"{name} {short(value)} found, a name of 1 to {longest} characters expected")
    if "\x00" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
        raise ValueError(f"{name} {short(value)} holds NUL or half of a surrogate pair: remove it")


def expect_id(name: str, value: Any) -> None:
    """Raise TypeError or ValueError unless the value can be the id of a row; None, of a new row, is all right."""
    if value is not None and (type(value) is not int or not 0 <= value <= LARGEST_ID):
        kind = TypeError if type(value) is not int else ValueError
        raise kind(f"{name} {short(value)} found, a whole number from 0 to {LARGEST_ID} expected")


def in_utc(name: str, value: Any) -> datetime:
    """The time in UTC; TypeError or ValueError if it is none, or has no time zone."""
    expect(value, datetime, f"a datetime for {name}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} {value!r} has no time zone: use datetime.now(UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} {value!r} found, a time from year 1 to year 9999 in UTC expected") from None


def short(value: Any) -> str:
    """The value as text, of a length that an error can carry."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return shorten(masked(text), 120)


def masked(text: str) -> str:
    """The text without the passwords of the URLs in it."""
    return _SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)


def shorten(text: str, longest: int) -> str:
    """The text, or its beginning and an ellipsis: at most `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
