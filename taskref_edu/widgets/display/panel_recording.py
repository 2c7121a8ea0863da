"""A run of a panel as data that `panel_recording.js` plays without a kernel: in a saved notebook, or in a book.

A frame is stored as the rows of one read, and becomes a message only when the recording is requested.

Not covered: the controls; the events show what happened.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

from .events import Line, Ways
from .picture import CSS, SCRIPT
from .row_messages import RowDeltas
from .rows import Rows

FRAMES = 600  # newest reads that are kept
MOST_ROWS = 300  # of both tables: each frame holds its rows


class PanelRecorder:
    """Stores what the reads of one side have found."""

    def __init__(self, approach: str) -> None:
        self._approach = approach
        self._frames: deque[tuple[float, Rows, list[Line], list[dict[str, Any]], Ways]] = deque(maxlen=FRAMES)
        self._rows = 0

    def keep(self, rows: Rows, lines: list[Line], workers: list[dict[str, Any]], ways: Ways) -> None:
        """Add a frame; with too many rows, forget all of them."""
        self._rows = rows.order_count + rows.task_count
        if self._rows > MOST_ROWS:
            self._frames.clear()
        else:
            self._frames.append((time.time(), rows, lines, workers, ways))

    def frames(self) -> list[dict[str, Any]]:
        """The messages, each with its time. Raises ValueError if there were too many rows."""
        kept = list(self._frames)
        if not kept:
            raise ValueError(f"{self._rows:,} rows found; a recording holds {MOST_ROWS}: record a smaller shop")
        deltas, frames = RowDeltas(self._approach), []
        for number, (at, rows, lines, workers, ways) in enumerate(kept):
            told = deltas.changes(rows) if number else deltas.everything(rows)
            frames.append({"at": at, "told": told | {"events": lines, "workers": workers, "ways": ways, "now": at}})
        return frames


class PanelRecording(dict[str, Any]):
    """`sides` (each with its look and frames) and `seconds`, all as JSON. Displayed in a notebook, it plays."""

    def __init__(self, looks: list[Mapping[str, Any]], frames: list[list[dict[str, Any]]]) -> None:
        begin = min(one[0]["at"] for one in frames)
        for frame in (frame for one in frames for frame in one):
            frame["at"] = round(frame["at"] - begin, 2)
        seconds = round(max(one[-1]["at"] for one in frames) + 0.1, 1)
        sides = [{"look": look, "frames": one} for look, one in zip(looks, frames, strict=True)]
        text = orjson.dumps({"seconds": seconds, "sides": sides}, default=str, option=orjson.OPT_NON_STR_KEYS)
        super().__init__(orjson.loads(text))

    def _repr_html_(self) -> str:
        place = f"taskref-recording-{secrets.token_hex(4)}"
        data = orjson.dumps(self).decode().replace("<", "\\u003c")  # text of a row cannot close the script element
        return (
            f"<div id='{place}'></div><style>{CSS}</style>"
            f"<script type='module'>{SCRIPT}\nplay(document.getElementById('{place}'), {data});</script>"
        )
