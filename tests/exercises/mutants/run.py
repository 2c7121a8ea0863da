"""Judge mutants: is it wrong, by the oracle, and does the check let it pass? A wrong one that passes is a hole."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from taskref_edu.exercises import check_answer
from taskref_edu.exercises.exercise import Exercise, find
from taskref_edu.exercises.learner_models import models_apart
from taskref_edu.exercises.limits import Limited, OutOfTime
from taskref_edu.exercises.loader import attempt_from, load
from taskref_edu.exercises.outcomes import Verdict

from .derive import Mutant, changes_of, distinct
from .oracles import ORACLES, close_databases

ANSWERS = Path(__file__).parents[1] / "answers"  # right answers in other styles, by exercise
SECONDS = 60.0  # for one oracle; a mutant may never end


@dataclass(frozen=True)
class Judged:
    """One mutant's fate: `equivalent`, `refused` or `hole`; and `broken` where the check fell over it."""

    id: str
    fate: str
    mutant: Mutant
    said: str = ""


def sources_of(exercise: Exercise) -> list[str]:
    """The solution, and the right answers in other styles."""
    folder = ANSWERS / exercise.id
    return [exercise.solution, *(path.read_text(encoding="utf-8") for path in sorted(folder.glob("right_*.py")))]


def mutants_for(exercise: Exercise, most: int | None = None, seed: int = 0) -> list[Mutant]:
    """Every mutant of every right answer, each text once; or `most` of them, chosen by the seed."""
    changes = [change for source in sources_of(exercise) for change in changes_of(source, exercise.function)]
    if most is not None:
        random.Random(f"{seed} {exercise.id}").shuffle(changes)
    return list(islice(distinct(changes), most))


def observed(exercise: Exercise, source: str) -> Iterator[Any]:
    """What an answer does, one observation after the other. Models that its cell defines are gone afterwards."""
    attempt = attempt_from(exercise.id, exercise.cell(source), ())
    with models_apart():
        yield from ORACLES[exercise.id](load(attempt))


def differs(exercise: Exercise, expected: list[Any], source: str) -> bool:
    """Whether the answer does something else than what was expected, up to the first difference."""

    def compare() -> bool:
        nothing = object()
        return any(one != other for one, other in zip_longest(observed(exercise, source), expected, fillvalue=nothing))

    try:
        return Limited(SECONDS).run(compare)
    except (Exception, OutOfTime, SystemExit):
        return True
    finally:
        close_databases()


def judge(exercise: Exercise, expected: list[Any], mutant: Mutant) -> Judged:
    """The fate of one mutant."""
    if not differs(exercise, expected, mutant.source):
        return Judged(exercise.id, "equivalent", mutant)
    outcome = check_answer(exercise.id, mutant.source)
    fate = "hole" if outcome.verdict == Verdict.PASSED else "broken" if outcome.broken_check else "refused"
    return Judged(exercise.id, fate, mutant, f"{outcome.message} {outcome.next_step}")


def judged(id: str, most: int | None = None, seed: int = 0) -> Iterator[Judged]:
    """The fates of an exercise's mutants; of `most` of them, chosen by the seed, if it is given."""
    exercise = find(id)
    expected = list(observed(exercise, exercise.solution))
    close_databases()
    for mutant in mutants_for(exercise, most, seed):
        yield judge(exercise, expected, mutant)


def one_exercise(id: str, most: int | None, seed: int) -> tuple[str, list[Judged], int, float]:
    """An exercise's mutants; how many of its right answers the oracle takes for wrong; seconds."""
    began = time.perf_counter()
    exercise = find(id)
    expected = list(observed(exercise, exercise.solution))
    strange = sum(differs(exercise, expected, source) for source in sources_of(exercise))
    return id, list(judged(id, most, seed)), strange, time.perf_counter() - began
