"""The player in a page: a custom element for each recording, and, once for each page, the module that animates it.

Where scripts may not run, the element shows its content: the still and the table. The module is the concatenation of
the files of `js/`, in one scope. It defines an element whose name contains the source's hash, so that two
versions of the package can be on one page.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from .recording import Facts, Recording
from .still import still
from .story import headline, steps_table
from .words import words

FOLDER = Path(__file__).parent
FILES = ("dom", "recording", "words", "map", "lanes", "rows", "bar", "game", "link", "keys", "player")


@lru_cache(maxsize=1)
def module() -> str:
    """The player's JavaScript with its CSS, as one classic script."""
    source = "\n".join(_lines_of(FOLDER / "js" / f"{name}.js") for name in FILES)
    style = json.dumps(_small_css((FOLDER / "player.css").read_text(encoding="utf-8")), ensure_ascii=False)
    return f'(() => {{\n"use strict";\nconst ELEMENT = "{element_name()}";\nconst CSS_TEXT = {style};\n{source}}})();\n'


def _lines_of(path: Path) -> str:
    """A source without indentation and comment lines: every saved notebook contains it."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _small_css(css: str) -> str:
    """The style without comments, and without spaces around braces and semicolons."""
    return re.sub(r"\s*([{};])\s*", r"\1", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))


@lru_cache(maxsize=1)
def element_name() -> str:
    """The name of the custom element, which changes with the source."""
    parts = [FOLDER / "player.css", *(FOLDER / "js" / f"{name}.js" for name in FILES)]
    return f"taskref-player-{sha256(b''.join(part.read_bytes() for part in parts)).hexdigest()[:10]}"


def data(facts: Facts, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The module's input: the recording, its texts, and the options of the page.

    options: schedule and at (what is shown first), names by letter, game and goal (the learner plays), theme.
    """
    return {**facts, "words": words(Recording(facts)), "options": dict(options or {})}


def player_html(facts: Facts, options: Mapping[str, Any] | None = None, *, with_module: bool = True) -> str:
    """The player as HTML: the element with its data, the still and the table in it, and the module if it is wanted."""
    recording = Recording(facts)
    given = dict(options or {})
    schedule = given.get("schedule") or recording.opened
    picture = b64encode(still(recording, schedule).encode()).decode()
    label = f"{headline(recording)}. The schedule {schedule}, step by step; the table below says the same."
    notes = "".join(f"<p><strong>{escape(note)}</strong></p>" for note in facts.get("notes", ()))
    shown = (
        f'{notes}<img alt="{escape(label)}" style="max-width:100%;background:#fff"'
        f' src="data:image/svg+xml;base64,{picture}">'
        f"<details><summary>The same as a table</summary>{steps_table(recording, schedule)}</details>"
    )
    name = element_name()
    text = json.dumps(data(facts, given), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = f"<script>{module()}</script>" if with_module else ""
    return f'<{name}><script type="application/json">{text}</script>{shown}</{name}>{script}'
