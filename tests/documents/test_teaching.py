"""`docs/teaching.md`: its minutes, objectives, exercises and quoted messages are those of the series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from taskref_edu.exercises.exercise import catalog
from taskref_edu.series.minutes import minutes_of
from taskref_edu.series.source import Source, read_source, sources

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")


@cache
def series() -> list[Source]:
    return [read_source(path) for path in sources(ROOT / "authoring")]


def table(head: str) -> list[list[str]]:
    """The rows of the table whose head begins so."""
    lines = GUIDE[GUIDE.index(f"\n| {head} ") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]


def minutes(text: str) -> int:
    return int(text or 0)


def test_the_minutes_of_each_notebook() -> None:
    listed = {row[0]: minutes(row[1]) for row in table("notebook")}
    assert listed == {f"{source.number} {source.frame['title']}": minutes_of(source) for source in series()}


def test_the_paths_keep_their_time_and_no_part_takes_longer_than_the_whole() -> None:
    rows = [[minutes(cell) for cell in row[1:]] for row in table("notebook")]
    assert sum(row[1] for row in rows) == 30
    assert sum(row[2] for row in rows) == 180
    assert all(max(row[1:]) <= row[0] for row in rows)


def test_the_core_exercises_are_listed_in_order() -> None:
    named = re.search(r"The core exercises, in sequence:\n([\d., ]+)\. ", GUIDE)
    assert named
    assert named[1].split(", ") == [id for id, exercise in catalog().items() if exercise.core]


def test_the_objectives() -> None:
    texts: Mapping[str, str] = {id: text for source in series() for id, text in source.objectives.items()}
    rows = table("objective")
    assert {row[0]: row[1] for row in rows} == texts
    assert {row[2]: row[0] for row in rows} == {id: exercise.objective for id, exercise in catalog().items()}


def test_each_belief_quotes_a_message_of_its_exercise_and_no_exercise_is_without_one() -> None:
    rows = table("exercise")
    messages = {id: [wrong.message for wrong in exercise.wrong_answers] for id, exercise in catalog().items()}
    strangers = [row for row in rows if not any(row[2] in message for message in messages[row[0]])]
    assert strangers == []
    assert {row[0] for row in rows} == messages.keys()
