"""A piece of Python as HTML: with colours, and a button that copies it. Without Pygments, plain.

A module of its own, because hints and messages (`markdown.py`) and the solution (`commands.py`) both show code.
"""

from __future__ import annotations

from html import escape

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
