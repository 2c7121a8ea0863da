"""What is said about a guess that cannot be compared: no choice, no prediction's id, a word without quotes.

A guess is never graded and never in the way, so each slip gets a sentence instead of an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from .outline import choices_of, notebooks

CALL = re.compile(r"""^guess\(\s*["']([\w-]+)["']""", re.MULTILINE)


def refusal(value: Any, choices: Sequence[Any]) -> str:
    """Why this value was not kept, with the choice that was probably meant."""
    name = getattr(value, "__name__", "").rpartition(".")[2]  # of a choice that was typed without quotes
    found = f"`{name}` without quotes is a {type(value).__name__}," if name else f"`{value!r}` is"
    typed = (name or str(value)).strip().casefold()
    meant = next((f" Did you mean `{choice!r}`?" for choice in choices if str(choice).casefold() == typed), "")
    return f"{found} not a possible answer.{meant} One of {', '.join(f'`{choice!r}`' for choice in choices)}."


def stranger(id: str) -> str:
    """What is said of an id that is no prediction of the series; empty for one that is."""
    known = [known for one in notebooks() for known in one.guesses]
    if id in known:
        return ""
    meant = get_close_matches(id.lower(), known, 1, cutoff=0.7)
    return f"The series has no prediction `{id}`{f'; did you mean `{meant[0]}`?' if meant else '.'}"


def unquoted(cell: str, error: BaseException | None) -> str:
    """What is said of a cell that failed because its guess is a word without quotes; empty for any other."""
    call = CALL.search(cell)
    if call is None or not isinstance(error, NameError | SyntaxError) or getattr(error, "name", None) == "guess":
        return ""
    word = next((choice for choice in choices_of(call[1]) if isinstance(choice, str)), "yours")
    return (
        f'The cell did not run, so no guess was kept. A word needs quotes: `guess("{call[1]}", "{word}")`. '
        "Or leave yours out, run the cell, and pick with a button."
    )
