"""The outcome of a check: one of four verdicts, with what was found and what to do next, as text and as HTML.

Three lines, then details that are folded. No verdict depends on colour alone: it has a word and a shape; and each badge
has its own background, so that it is readable in light and dark themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape

from .comparison import Comparison
from .markdown import html_of, text_of


class Verdict(StrEnum):
    """The four ways in which a check can end."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "raised an error"
    NOT_ATTEMPTED = "not attempted"


# verdict -> shape, text colour, background (a test requires a contrast of at least 4.5 : 1)
BADGES = {
    Verdict.PASSED: ("✔", "#ffffff", "#166534"),
    Verdict.FAILED: ("✘", "#ffffff", "#b91c1c"),
    Verdict.ERROR: ("▲", "#1c1917", "#fbbf24"),
    Verdict.NOT_ATTEMPTED: ("○", "#ffffff", "#4b5563"),
}


HAPPENED = "What happened"  # the heading of a check's details
SHORT = 16  # lines of them that are shown at once, below a comparison
MESSAGE, FACT, HTML = 2_000, 20_000, 500_000  # characters shown at most, because the notebook saves all of it


def presentable(text: str, longest: int) -> str:
    """The text, shortened, and without lone surrogates, which neither a file nor a kernel's message can contain."""
    text = text.encode("utf-8", "backslashreplace").decode()
    end = f" … ({len(text):,} characters in all)"
    return text if len(text) <= longest else text[: longest - len(end)] + end


@dataclass(frozen=True)
class Outcome:
    """One check's result.

    message: the behaviour that was found, in one sentence. next_step: what to do now. facts: folded details, each with
    a heading and something to show (text, or an object with `_repr_html_`). notes: shown below, never folded.
    comparison: what was expected beside what was found; then a short text among the facts is not folded.
    broken_check: True if the check itself failed, not the answer.
    """

    id: str
    title: str
    verdict: Verdict
    message: str
    next_step: str
    facts: Sequence[tuple[str, object]] = ()
    notes: Sequence[str] = ()
    broken_check: bool = False
    comparison: Comparison | None = None
    seconds: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", presentable(self.message, MESSAGE))

    @property
    def headline(self) -> str:
        """`✔ 3.2 Two clicks, four versions: passed`."""
        return f"{BADGES[self.verdict][0]} {self.id} {self.title}: {self.verdict}"

    def __str__(self) -> str:
        lines = [self.headline, f"  {self.message}"]
        if self.comparison:
            lines += [f"    {line}" for line in str(self.comparison).splitlines()]
        lines.append(f"  Next: {self.next_step}")
        for heading, fact in self.facts:
            lines += [f"  {heading}:", *(f"    {line}" for line in presentable(str(fact), FACT).splitlines())]
        lines += [f"  Note: {note}" for note in self.notes]
        return text_of("\n".join(lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shape, colour, background = BADGES[self.verdict]
        badge = f"padding:1px 8px;border-radius:4px;font-weight:600;color:{colour};background:{background}"
        lines = [
            f'<span style="{badge}">{shape} {self.verdict}</span> <b>{escape(self.id)} {escape(self.title)}</b>',
            html_of(self.message),
            *([self.comparison._repr_html_()] if self.comparison else []),
            f"<b>Next:</b> {html_of(self.next_step)}",
        ]
        rows = "".join(f'<div style="margin:2px 0">{line}</div>' for line in lines)
        folded = "".join(_folded(fact, self.comparison is not None) for fact in self.facts)
        notes = "".join(f"<div><b>Note:</b> {html_of(note)}</div>" for note in self.notes)
        frame = f"border-left:4px solid {background};padding:2px 0 2px 10px;margin:4px 0;line-height:1.5"
        return f'<div role="status" style="{frame}">{rows}{folded}{notes}</div>'


def _folded(fact: tuple[str, object], compared: bool) -> str:
    """The fact below its heading. A few rows are open: they are the data in which the two columns differ."""
    heading, shown = fact
    draw = getattr(shown, "_repr_html_", None)
    inner = draw() if callable(draw) else None
    if not isinstance(inner, str) or len(inner) > HTML:
        wrap = "pre;overflow-x:auto" if compared and heading == HAPPENED else "pre-wrap"  # rows stay aligned
        inner = f'<pre style="margin:4px 0;white-space:{wrap}">{escape(presentable(str(shown), FACT))}</pre>'
    is_short = compared and heading == HAPPENED and isinstance(shown, str) and shown.count("\n") < SHORT
    return f"<details{' open' * is_short}><summary>{escape(heading)}</summary>{inner}</details>"
