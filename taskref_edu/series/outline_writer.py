"""The outline of the series for the package's data: its notebooks, with their questions and answers.

`recall` and `progress` read it (`exercises/outline.py`), so that they work without a clone. Apart from `build.py`,
which writes the notebooks.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from .cell_rules import code_blocks
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
        "choices": choices_of(source),
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


def choices_of(source: Source) -> dict[str, list[Any]]:
    """The possible answers of each prediction, where its cell lists them: `[1, 2]`, `range(7)`, but not a variable."""
    named = {"__builtins__": {}, "list": list, "range": range}
    found: dict[str, list[Any]] = {}
    for id, call in guess_calls(source):
        for keyword in call.keywords:
            if keyword.arg == "choices":
                with suppress(NameError):
                    found[id] = list(
                        eval(ast.unparse(keyword.value), named)
                    )  # the author's text, as the notebook runs it
    return found


def guess_calls(source: Source) -> Iterator[tuple[str, ast.Call]]:
    """Each `guess("03-a", …)` with its id, from the top down."""
    for _, tree in code_blocks(source):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="guess"), args=[ast.Constant(value=str(id)), *_]):
                    yield id, node
