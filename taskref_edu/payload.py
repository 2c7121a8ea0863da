"""What a payload may hold: JSON that SQLite and PostgreSQL both store and give back unchanged.

Read next: `queue.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import PayloadError

MAX_BYTES = 1 << 20  # 1 MiB of JSON text
# PostgreSQL stores neither NUL nor half of a surrogate pair, as text or inside JSONB.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON, NUL is an escape
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode  # made once: json.dumps() makes one a call
_SURELY_SHALLOW = 100  # brackets; what has more of them may be nested too deeply to be read back


def clean(text: str) -> str:
    """`text` with a question mark for each character that PostgreSQL could not store."""
    return _NOT_TEXT.sub("?", text)


def encoded(payload: Any, max_bytes: int = MAX_BYTES) -> str | None:
    """`payload` as the JSON text to be stored, None for None; PayloadError if it is not JSON, or too much of it."""
    if payload is None:
        return None
    try:
        text = _encode(payload)
        if text.count("[") + text.count("{") > _SURELY_SHALLOW:
            json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}. Pass numbers, strings, lists and dicts only") from None
    if (size := _size(text)) is None or ("\\u0000" in text and _NUL.search(text)):
        raise PayloadError("the payload holds NUL or half of a surrogate pair, which PostgreSQL refuses: remove it")
    if size > max_bytes:
        raise PayloadError(f"the payload has {size:,} bytes, {max_bytes:,} are allowed: store it elsewhere")
    return text


def decoded(text: str | None) -> Any:
    """What `encoded()` encoded, as it is read back: tuples have become lists, keys strings."""
    return None if text is None else json.loads(text)


def _size(text: str) -> int | None:
    """Bytes of `text`; None if it holds half of a surrogate pair."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
