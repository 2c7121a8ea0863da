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
_NOT_JSONB = re.compile(r"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]")  # in JSON, NUL is an escape


def clean(text: str) -> str:
    """`text` with a question mark for each character that PostgreSQL could not store."""
    return _NOT_TEXT.sub("?", text)


def checked(payload: Any, max_bytes: int = MAX_BYTES) -> Any:
    """Return `payload` as it will be read back (tuples as lists); raise PayloadError if it is not JSON."""
    if payload is None:
        return None
    try:
        text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
        stored = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}. Pass numbers, strings, lists and dicts only") from None
    if _NOT_JSONB.search(text):
        raise PayloadError("the payload holds NUL or half of a surrogate pair, which PostgreSQL refuses: remove it")
    if (size := len(text.encode())) > max_bytes:
        raise PayloadError(f"the payload has {size:,} bytes, {max_bytes:,} are allowed: store it elsewhere")
    return stored
