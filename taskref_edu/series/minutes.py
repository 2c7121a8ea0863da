"""How long a notebook takes: computed, so that no page promises too little.

Words to read at 200 a minute (prose, questions and answers, explanations, goals, code), the measured run time, one
minute for each prediction, three for each game or checklist of a panel, four for each exercise and six for a core one,
rounded up to five. The run time is measured by `tools/measure_notebooks.py`, which writes it to
`authoring/run_seconds.json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from .cell_rules import count_words
from .source import Source

WORDS_A_MINUTE, PREDICTION, GAME, EXERCISE, CORE, STEP = 200, 1, 3, 4, 6, 5
MEASURED = "run_seconds.json"
PLAYED = re.compile(r"\b(?:break_the_shop|Scheduler|RecordedGame)\(|\bsteps=\[")
NUMBERED = re.compile(r"\| *(\d\d)\b")


def minutes_of(source: Source) -> int:
    """The minutes that the notebook takes a learner who predicts and writes every exercise, rounded up to five."""
    return STEP * math.ceil(exact_minutes_of(source) / STEP)


def exact_minutes_of(source: Source) -> float:
    """The same, not rounded."""
    exact = words_of(source) / WORDS_A_MINUTE + seconds_of(source) / 60 + PREDICTION * len(source.guesses)
    exact += GAME * sum(len(PLAYED.findall(block.text)) for block in source.blocks if block.kind == "code")
    return exact + sum(CORE if exercise.core else EXERCISE for _, exercise in source.exercises())


def words_of(source: Source) -> int:
    """How many words there are to read in the notebook, its code included."""
    goals = [exercise.goal for _, exercise in source.exercises()]
    read = [f"{block.head} {block.text}" for block in source.blocks if block.kind in ("prose", "recall", "explain")]
    code = [block.text for block in source.blocks if block.kind == "code"]
    return sum(map(count_words, [*read, *goals])) + sum(len(text.split()) for text in code)


def seconds_of(source: Source) -> float:
    """How long its cells ran when they were measured; 0 for a notebook that never was."""
    return _measured(source.path.parent / MEASURED).get(source.number, 0.0)


def _measured(path: Path) -> Mapping[str, float]:
    if not path.exists():
        return {}
    return {number: one["seconds"] for number, one in json.loads(path.read_text(encoding="utf-8")).items()}


def with_minutes(text: str, minutes: Mapping[str, int]) -> str:
    """A page with new values in the column `minutes` of its tables of notebooks; other tables are unchanged."""
    lines, column = text.splitlines(keepends=True), None
    for place, line in enumerate(lines):
        cells = line.split("|")
        if not line.startswith("|"):
            column = None
        elif column is None:
            heads = [cell.strip() for cell in cells]
            column = heads.index("minutes") if "minutes" in heads else -1
        elif column > 0 and (found := NUMBERED.match(line)) and found[1] in minutes:
            cells[column] = f" {minutes[found[1]]} "
            lines[place] = "|".join(cells)
    return "".join(lines)
