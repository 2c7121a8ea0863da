"""How long a learner waits for a check, and an instructor for a class.

    python -m benchmarks.checks [--quick]

Times, not ratios: there is nothing to divide them by but a learner's patience. Run it on a quiet machine.
Not covered: the notebooks' own cells.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from shutil import copyfile
from statistics import median

from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.exercise import Exercise, catalog
from taskref_edu.exercises.loader import attempt_from
from taskref_edu.exercises.outcomes import Verdict
from taskref_edu.grading.grader import grade
from taskref_edu.series.build import build_solutions

from .processes import ROOT
from .rounds import Progress, Table, fresh_folder, short

ROUNDS = 5
CLASS = 200  # submissions
Times = list[tuple[Exercise, dict[str, float]]]  # milliseconds of the solution and of the slowest wrong answer


def run(quick: bool = False) -> list[Table]:
    """Each exercise's check, `pytest` over the solved notebooks, and a whole class."""
    rounds, learners = (1, 2) if quick else (ROUNDS, CLASS)
    times = [(exercise, answers(exercise, rounds)) for exercise in _with_progress()]
    return [goals(times, _pytest(), *graded(learners)), each(times)]


def _with_progress() -> Iterator[Exercise]:
    exercises = catalog()
    progress = Progress("checks of every exercise", len(exercises))
    for exercise in exercises.values():
        progress.step(exercise.id)
        yield exercise
    progress.end()


def explores(exercise: Exercise) -> bool:
    """Whether a check runs schedules or crash points, as far as its file tells."""
    module = inspect.getmodule(exercise.checks[0])
    return module is not None and re.search(r"\bexplore(_crashes)?\(", inspect.getsource(module)) is not None


def answers(exercise: Exercise, rounds: int) -> dict[str, float]:
    """Milliseconds for the solution and for the wrong answer that takes longest; medians of some rounds."""
    codes = [exercise.solution, *(wrong.code for wrong in exercise.wrong_answers)]
    right, *wrong = (median(_milliseconds(exercise, code) for _ in range(rounds)) for code in codes)
    return {"solution": right, "slowest wrong answer": max(wrong)}


def _milliseconds(exercise: Exercise, code: str) -> float:
    begun = time.perf_counter()
    outcome = check_attempt(attempt_from(exercise.id, exercise.cell(code), ()))
    assert (outcome.verdict is Verdict.PASSED) == (code == exercise.solution), outcome
    return 1000 * (time.perf_counter() - begun)


def _pytest() -> float:
    """Seconds that a pytest of its own takes over all solved notebooks."""
    with fresh_folder() as folder:
        build_solutions(ROOT, folder / "notebooks")
        environment = os.environ | {"TASKREF_HOME": str(folder)}
        command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "notebooks"]
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun


def graded(learners: int, notebooks: str = "*") -> tuple[int, float]:
    """How many submissions of the solved notebooks were graded, and the minutes that it took."""
    with fresh_folder() as folder:
        solved = [path for path in build_solutions(ROOT, folder / "solved") if path.match(notebooks)]
        for number in range(learners):
            learner = folder / "class" / f"learner-{number:03}"
            learner.mkdir(parents=True)
            for path in solved:
                copyfile(path, learner / path.name)
        progress = Progress("a class, graded", learners)
        begun = time.perf_counter()
        grades = grade(folder / "class", done=lambda *_: progress.step("submissions"))
        minutes = (time.perf_counter() - begun) / 60
        progress.end()
    for one in grades:
        assert not one.problems, one.problems
        assert {result["verdict"] for result in one.results.values()} == {Verdict.PASSED}
        assert notebooks != "*" or one.results.keys() == catalog().keys()
    return learners, minutes


def goals(times: Times, seconds: float, learners: int, minutes: float) -> Table:
    plain = [max(found.values()) for exercise, found in times if not explores(exercise)]
    worst = max(max(found.values()) for _, found in times)
    rows: list[tuple[str, float, str, float]] = [
        ("a check without exploration, median over the exercises", median(plain), "ms", 150),
        ("the slowest check of all", worst, "ms", 1500),
        ("pytest over all solved notebooks", seconds, "s", 15),
        (f"{learners} submissions of the whole series, graded", minutes, "min", 25 * learners / CLASS),
    ]
    note = "Right answers and, of the wrong ones, the slowest. On as many cores as the machine has."
    cells = [
        [what, f"{short(found)} {unit}", f"≤ {aim:g} {unit}", "yes" if found <= aim else "no"]
        for what, found, unit, aim in rows
    ]
    return Table("How long a check takes", ["what", "found", "aim", "reached"], cells, note)


def each(times: Times) -> Table:
    rows = [
        [
            f"{exercise.id} {exercise.title}",
            "yes" if explores(exercise) else "",
            *(f"{ms:.0f}" for ms in found.values()),
        ]
        for exercise, found in times
    ]
    return Table("Milliseconds of each check", ["exercise", "explores", "solution", "slowest wrong answer"], rows)


if __name__ == "__main__":
    for table in run("--quick" in sys.argv):
        print(table, end="\n\n")
