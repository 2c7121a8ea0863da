"""The player in a page: a custom element for each recording, and, once for each page, the module that animates it.

Where scripts may not run, the element shows its content: the still and the table. The module is the concatenation of
the files of `js/`, in one scope, with those of `css/`. It defines an element whose name contains the source's hash, so
that two versions of the package can be on one page.
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
SCRIPTS = ("dom", "recording", "words", "map", "lanes", "rows", "bar", "game", "link", "keys", "player")
STYLES = ("base", "headline", "map", "bar", "lanes", "notes", "game", "rows", "narrow", "system")


@lru_cache(maxsize=1)
def module() -> str:
    """The player's JavaScript with its CSS, as one classic script."""
    script = small_script("\n".join(path.read_text(encoding="utf-8") for path in _files("js")))
    style = small_style("\n".join(path.read_text(encoding="utf-8") for path in _files("css")))
    constants = f'const ELEMENT = "{element_name()}";\nconst CSS_TEXT = {json.dumps(style, ensure_ascii=False)};\n'
    return f'(() => {{\n"use strict";\n{constants}{script}}})();\n'


def _files(kind: str) -> list[Path]:
    return [FOLDER / kind / f"{name}.{kind}" for name in {"js": SCRIPTS, "css": STYLES}[kind]]


def small_script(source: str) -> str:
    """A source without indentation, comments, and the line breaks that only formatting needs.

    Every saved notebook contains it. No template literal may run over a line break.
    """
    lines = (re.sub(r"(^|\s)// .*", "", line).strip() for line in source.splitlines())
    text = "\n".join(filter(None, lines)) + "\n"
    text = re.sub(r",\n([)\]}])", r"\1", text)  # the comma after the last of several lines
    return re.sub(r"(?<=[\[({,;}])\n|\n(?=[\])?:.]|&&|\|\|)", "", text)


def small_style(source: str) -> str:
    """A style without comments, and without the spaces and line breaks that only formatting needs."""
    text = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", text).replace(";}", "}").strip()
    return text.replace('"', "'")  # JSON would escape them


@lru_cache(maxsize=1)
def element_name() -> str:
    """The name of the custom element, which changes with the source."""
    source = b"".join(path.read_bytes() for kind in ("js", "css") for path in _files(kind))
    return f"taskref-player-{sha256(source).hexdigest()[:10]}"


def data(facts: Facts, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The module's input: the recording, its texts, and the options of the page.

    options: schedule and at (what is shown first), names by letter, captions by verb (what a statement is for), game
    and goal (the learner plays), theme.
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
