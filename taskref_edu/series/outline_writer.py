"""The outline of the series for the package's data: its notebooks, with their questions and answers.

`recall` and `progress` read it (`exercises/outline.py`), so that they work without a clone. Apart from `build.py`,
which writes the notebooks.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .cell_rules import calls_of
from .minutes import minutes_of
from .source import Source


def outline(found: Sequence[Source], known: Sequence[dict[str, Any]]) -> str:
    """The text of the outline's file: new entries for these sources, and the known ones of all others."""
    entries = {one["number"]: one for one in known} | {source.number: _entry(source) for source in found}
    return json.dumps([entries[number] for number in sorted(entries)], indent=1, ensure_ascii=False) + "\n"


def _entry(source: Source) -> dict[str, Any]:
    recall = [{"question": block.head, "answer": block.text} for block in source.blocks if block.kind == "recall"]
    return {
        "number": source.number,
        "name": source.name,
        "title": source.frame.get("title", source.name),
        "question": source.frame.get("question", ""),
        "minutes": minutes_of(source),
        "exercises": source.exercise_ids,
        "guesses": dict(source.guesses),
        "choices": choices_of(source),
        "recall": recall,
    }


def choices_of(source: Source) -> dict[str, list[Any]]:
    """The possible answers of each prediction, where its cell lists them: `[1, 2]`, `range(7)`, but not a variable."""
    named = {"__builtins__": {}, "list": list, "range": range}
    found: dict[str, list[Any]] = {}
    for _, id, _, call in calls_of(source, "guess"):
        for keyword in call.keywords:
            if keyword.arg == "choices":
                with suppress(NameError):
                    found[id] = list(
                        eval(ast.unparse(keyword.value), named)
                    )  # the author's text, as the notebook runs it
    return found
