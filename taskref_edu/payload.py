"""What a payload may hold: JSON that SQLite and PostgreSQL both store and give back unchanged.

Read next: `queue.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import PayloadError

MAX_BYTES = 1 << 20  # 1 MiB of JSON text
# PostgreSQL's JSONB refuses these two: NUL, and half of a surrogate pair.
_REFUSED = re.compile("\x00|[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with a question mark for each character that PostgreSQL could not store."""
    return _REFUSED.sub("?", text)


def checked(payload: Any, max_bytes: int = MAX_BYTES) -> Any:
    """Return `payload` as it will be read back (tuples as lists); raise PayloadError if it is not JSON."""
    if payload is None:
        return None
    try:
        text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}. Pass numbers, strings, lists and dicts only") from None
    if found := _REFUSED.search(text.replace("\\u0000", "\x00")):
        raise PayloadError(f"the payload holds {found.group()!r}, which PostgreSQL cannot store: remove it")
    if len(text.encode()) > max_bytes:
        raise PayloadError(
            f"the payload has {len(text.encode()):,} bytes, {max_bytes:,} are allowed: store it elsewhere"
        )
    return json.loads(text)
