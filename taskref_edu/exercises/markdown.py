"""The Markdown of hints and messages: paragraphs, `code`, *emphasis*, fences. As escaped HTML, and as plain text.

A widget displays only HTML, and a full renderer would let messages contain markup, so everything is escaped first.
Python has colours, where Pygments is installed, and a button that copies it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

FENCE = re.compile(r"^```\w*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
EMPHASIS = re.compile(r"(?<![\w*])(\*{1,2})(\w[^*]*?)\1(?![\w*])")  # not the stars of SELECT * and count(*)

FRAME = (
    "margin:6px 0;padding:8px;border-radius:4px;background:#f8f8f8;color:#1c1917;"
    # Two stand beside each other: a long line is broken, not cut.
    "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
)
# The page's own clipboard, and the old way where the page is not secure. It stands in an attribute.
COPY = (
    "const t=this.parentNode.querySelector('pre').textContent,b=this;"
    "const old=()=>{const a=document.createElement('textarea');a.value=t;document.body.append(a);a.select();"
    "document.execCommand('copy');a.remove()};"
    "(navigator.clipboard?navigator.clipboard.writeText(t).catch(old):Promise.resolve(old()))"
    ".then(()=>{b.textContent='Copied';setTimeout(()=>{b.textContent='Copy'},1200)})"
)


def html_of(text: str) -> str:
    """The text as HTML; a single paragraph without <p>."""
    pieces = FENCE.split(text.strip() + "\n")
    blocks: list[str] = []
    for number, piece in enumerate(pieces):
        if number % 2:
            blocks.append(code_html(piece))
        else:
            blocks += [_inline(paragraph.strip()) for paragraph in re.split(r"\n\s*\n", piece) if paragraph.strip()]
    if len(blocks) == 1:
        return blocks[0]
    return "".join(block if block.startswith("<div") else f'<p style="margin:6px 0">{block}</p>' for block in blocks)


def _inline(text: str) -> str:
    # The pieces with odd numbers were between backticks.
    return "".join(
        f"<code>{escape(piece)}</code>" if number % 2 else _emphasised(escape(piece))
        for number, piece in enumerate(text.split("`"))
    )


def _emphasised(text: str) -> str:
    return EMPHASIS.sub(lambda match: "<{0}>{1}</{0}>".format("em" if match[1] == "*" else "b", match[2]), text)


def code_html(code: str, heading: str = "") -> str:
    """The code in a frame with its heading; both escaped."""
    head = f"<b>{escape(heading)}</b> " if heading else ""
    button = f'<button type="button" style="font-size:12px" onclick="{escape(COPY)}">Copy</button>'
    return f'<div style="min-width:0">{head}{button}<pre style="{FRAME}">{coloured(code.strip())}</pre></div>'


def coloured(code: str) -> str:
    """The code as HTML, each token in its colour."""
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ImportError:
        return escape(code)
    return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True, noclasses=True)).rstrip("\n")


def text_of(text: str) -> str:
    """The text for a terminal: fences become an indent, backticks stay."""
    return FENCE.sub(lambda match: re.sub(r"^", "    ", match[1].rstrip(), flags=re.MULTILINE), text)


@dataclass(frozen=True)
class Note:
    """A heading and a text in this Markdown; displays itself in a notebook and in a terminal."""

    heading: str
    text: str

    def __str__(self) -> str:
        return f"{self.heading}\n{text_of(self.text)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<div role="status"><b>{escape(self.heading)}</b><div>{html_of(self.text)}</div></div>'
