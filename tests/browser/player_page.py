"""A page with players and nothing else: what a reader without a kernel has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from taskref_edu.lab.player.page import data, element_name, module
from taskref_edu.lab.player.recording import Recording

AUDIT = "".join(Path(__file__).with_name("audit.js").read_text().partition("([name")[1:]).removesuffix(";\n")
PAPER = "body { background: #ffffff } html[data-theme=dark] body { background: #0e1013 }"
NAME = element_name()
PLAYER = f"document.querySelector('{NAME}').player"


def element(recording: Recording, **options: Any) -> str:
    """A player without what is inside it where no script runs."""
    text = json.dumps(data(recording.facts, options), ensure_ascii=False).replace("<", "\\u003c")
    return f'<{NAME}><script type="application/json">{text}</script></{NAME}>'


def show(page: Page, *elements: str, theme: str = "light") -> None:
    """A page of these players, in a theme."""
    page.set_content(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><title>players</title>'
        f'<style>{PAPER}</style></head><body style="margin:0;padding:12px"><main>'
        f'<h1 style="font-size:14px">players</h1>'
        f"{''.join(elements)}</main><script>{module()}</script></body></html>"
    )


def complaints(
    page: Page, *, contrast: bool, widths: Sequence[int] = (), themes: Sequence[str] = ("light",)
) -> list[str]:
    """What cannot be read: texts that are cut, overlap, lie outside the box, or have too little contrast.

    widths: of the player; then every step of the schedule that is open is looked at, in each of the themes.
    """
    return page.evaluate(AUDIT, [NAME, contrast, list(widths) or None, list(themes)])


def play(page: Page, letters: Iterable[str]) -> None:
    """Press the actors' keys, as fast as a page takes them."""
    page.evaluate(
        f"""letters => {{
          const {{ el }} = {PLAYER};
          el.focus();
          for (const key of letters) el.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
        }}""",
        list(letters),
    )
