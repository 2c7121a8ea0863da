"""What a payload may contain: JSON that both SQLite and PostgreSQL store and return unchanged. Refuses all else."""

from __future__ import annotations

import json
import re
from typing import Any

from ..arguments import short
from ..errors import PayloadError

MAX_BYTES = 1 << 20  # 1 MiB of JSON text
# PostgreSQL stores neither NUL nor half of a surrogate pair, as text or inside JSONB.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON, NUL is an escape
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode  # json.dumps() creates one for each call
_raw_decode = json.JSONDecoder().raw_decode
LARGEST_BARE_INTEGER = 2**63 - 1
_CONTAINERS, _TEXT = (dict, list, tuple), {str}  # built once: every enqueue() checks the keys of its payload
MAX_DEPTH = 500  # levels; Python can read somewhat more, SQLite's json_extract about twice as many
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # a bracket, or a whole string, whose brackets do not count


def clean(text: str) -> str:
    """`text` with a question mark in place of each character that PostgreSQL cannot store."""
    return _NOT_TEXT.sub("?", text)


def encoded(payload: Any, max_bytes: int = MAX_BYTES) -> str | None:
    """`payload` as the JSON text to store, None for None; PayloadError if it cannot be JSON, or is too large."""
    if payload is None:
        return None
    try:
        text = _encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}. Pass numbers, strings, lists and dicts only") from None
    if type(payload) is int and not -LARGEST_BARE_INTEGER <= payload <= LARGEST_BARE_INTEGER:
        raise PayloadError(f"{short(payload)} found, and SQLite would make it a float: put it into a list or a dict")
    if (braces := text.count("{")) and _loses_a_key(payload, braces):
        raise PayloadError("two keys are the same text in JSON, such as 1 and '1', and one value would be lost")
    if (size := _size(text)) is None or ("\\u0000" in text and _NUL.search(text)):
        raise PayloadError("the payload holds NUL or half of a surrogate pair, which PostgreSQL refuses: remove it")
    if size > max_bytes:
        raise PayloadError(
            f"the payload has {size:,} bytes, {max_bytes:,} are allowed: keep it elsewhere and pass its name, "
            "or raise TaskQueue(max_payload=…)"
        )
    if size > MAX_DEPTH and text.count("[") + text.count("{") > MAX_DEPTH and (depth := _depth(text)) > MAX_DEPTH:
        raise PayloadError(f"the payload is nested {depth:,} levels deep, {MAX_DEPTH} are allowed: make it flatter")
    return text


def decoded(text: str | None) -> Any:
    """The value that `encoded()` encoded, with lists for tuples and strings for keys. ValueError if it is no JSON.

    As json.loads(), in half the time: that one first looks for spaces around the value.
    """
    if text is None:
        return None
    try:
        value, end = _raw_decode(text)
    except ValueError:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def _loses_a_key(payload: Any, braces: int) -> bool:
    """Whether two keys of one dictionary become the same text in JSON, such as 1 and "1". braces: in that text."""
    if braces == 1 and type(payload) is dict:  # the usual case: no other dictionary is inside
        for key in payload:
            if type(key) is not str:
                return _loses_own_key(payload)
        return False
    values = [payload]
    for value in values:  # which grows meanwhile
        inside = value
        if isinstance(value, dict):
            if _loses_own_key(value):
                return True
            inside = value.values()
        values += [inner for inner in inside if isinstance(inner, _CONTAINERS)]
    return False


def _loses_own_key(found: dict[Any, Any]) -> bool:
    return not _TEXT.issuperset(map(type, found)) and len({_encode({key: 0}) for key in found}) < len(found)


def _depth(text: str) -> int:
    level = deepest = 0
    for match in _BRACKET.finditer(text):
        if (found := match[0]) in "[{":
            level += 1
            deepest = max(deepest, level)
        elif found in "]}":
            level -= 1
    return deepest


def _size(text: str) -> int | None:
    """The size of `text` in bytes; None if it contains half of a surrogate pair."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
