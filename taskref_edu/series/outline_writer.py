"""The outline of the series for the package's data: its notebooks, with their questions and answers.

`recall` and `progress` read it (`exercises/outline.py`), so that they work without a clone. Apart from `build.py`,
which writes the notebooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .minutes import GUESS, guesses_of, minutes_of
from .source import FENCED, HEADING, Source


def outline(found: Sequence[Source], known: Sequence[dict[str, Any]]) -> str:
    """The text of the outline's file: new entries for these sources, and the known ones of all others."""
    entries = {one["number"]: one for one in known} | {source.number: _entry(source) for source in found}
    return json.dumps([entries[number] for number in sorted(entries)], indent=1, ensure_ascii=False) + "\n"


def _entry(source: Source) -> dict[str, Any]:
    recall = [{"question": block.head, "answer": block.text} for block in source.blocks if block.kind == "recall"]
    questions = questions_of(source)
    return {
        "number": source.number,
        "name": source.name,
        "title": source.frame.get("title", source.name),
        "question": source.frame.get("question", ""),
        "minutes": minutes_of(source),
        "exercises": source.exercise_ids,
        "guesses": {id: questions.get(id, "") for id in guesses_of(source)},
        "recall": recall,
    }


def questions_of(source: Source) -> dict[str, str]:
    """What each prediction asks: the last paragraph with a question mark in the prose above it."""
    found: dict[str, str] = {}
    question = ""
    for block in source.blocks:
        if block.kind == "prose":
            bare = HEADING.sub("", FENCED.sub("", block.text))
            asking = [text for text in re.split(r"\n\s*\n", bare) if "?" in text]
            question = " ".join(asking[-1].split()) if asking else question
        elif block.kind == "code":
            found |= dict.fromkeys(GUESS.findall(block.text), question)
    return found
