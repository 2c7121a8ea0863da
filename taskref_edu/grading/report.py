"""Writes the report: `grades.csv`, a Markdown page for each learner, and a summary of the wrong answers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..exercises.exercise import Exercise, catalog
from .grader import Grade
from .sandbox import CONTAINED, Level

LIMITS = (
    "Each submission ran in processes of its own, with limits on time, memory, processes and disk space, in a scratch "
    "folder and with a bare environment. The sandbox around it: "
)

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # how a formula starts, also with East Asian settings


def containment(level: Level) -> str:
    """The report's sentence about the sandbox."""
    return f"{LIMITS}level {level}. {CONTAINED[level]}."


def write_report(grades: Sequence[Grade], out: Path, level: Level) -> list[Path]:
    """Write everything to the folder `out`; returns the files written."""
    (out / "learners").mkdir(parents=True, exist_ok=True)
    pages = [_page(grade, out / "learners", number) for number, grade in enumerate(grades, 1)]
    return [_csv(grades, out / "grades.csv"), _summary(grades, out / "summary.md", level), *pages]


def _csv(grades: Sequence[Grade], path: Path) -> Path:
    exercises = list(catalog().values())
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)  # some spreadsheets split at semicolons, too
        writer.writerow(["learner", "passed", "core passed", *[exercise.id for exercise in exercises], "problems"])
        for grade in grades:
            verdicts = [_verdict(grade, exercise) for exercise in exercises]
            passed = [exercise for exercise in exercises if _verdict(grade, exercise) == "passed"]
            core = sum(exercise.core for exercise in passed)
            cells = [grade.learner, len(passed), core, *verdicts, "; ".join(grade.problems)]
            writer.writerow([_no_formula(cell) for cell in cells])
    return path


def _verdict(grade: Grade, exercise: Exercise) -> str:
    return grade.results.get(exercise.id, {}).get("verdict", "missing")


def _no_formula(cell: object) -> object:
    """The cell, with an apostrophe before text that starts like a formula: otherwise a spreadsheet would run it."""
    return f"'{cell}" if isinstance(cell, str) and (cell[:1].isspace() or cell.startswith(FORMULA)) else cell


def _page(grade: Grade, folder: Path, number: int) -> Path:
    path = folder / f"{number:03}-{re.sub(r'[^A-Za-z0-9_-]+', '-', grade.learner)[:60]}.md"
    lines = [f"# {_text(grade.learner)}", ""]
    lines += [f"- {_text(problem)}" for problem in grade.problems]
    for exercise in catalog().values():
        result = grade.results.get(exercise.id)
        if result:
            lines += ["", f"## {exercise.id} {exercise.title}: {result['verdict']}", "", *_fenced(result["text"])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def _summary(grades: Sequence[Grade], path: Path, level: Level) -> Path:
    lines = ["# Summary", "", f"{len(grades)} submissions. {containment(level)}", ""]
    lines += ["| exercise | passed | failed | error | not attempted | missing |", "|---|---|---|---|---|---|"]
    for exercise in catalog().values():
        counts = Counter(_verdict(grade, exercise) for grade in grades)
        order = ("passed", "failed", "raised an error", "not attempted", "missing")
        lines.append(f"| {exercise.id} {exercise.title} | " + " | ".join(str(counts[one]) for one in order) + " |")
    lines += ["", "## Wrong answers, by how many times they were met", ""]
    met = wrong_answers_met(grades)
    lines += [f"- {count} × {id}: {_text(message)}" for (id, message), count in met.most_common()] or ["None."]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def wrong_answers_met(grades: Iterable[Grade]) -> Counter[tuple[str, str]]:
    """How many times each known wrong answer (by its message) and each other failure (by its own) occurred."""
    known = {exercise.id: [wrong.message for wrong in exercise.wrong_answers] for exercise in catalog().values()}
    met: Counter[tuple[str, str]] = Counter()
    for grade in grades:
        for id, result in grade.results.items():
            if result["verdict"] in ("failed", "raised an error"):
                own = [message for message in known.get(id, ()) if message in result["text"]]
                met[id, own[0] if own else result["message"]] += 1
    return met


def _text(words: str) -> str:
    """Untrusted text as Markdown that only displays it."""
    return escape(re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", " ".join(words.split())), quote=False)


def _fenced(text: str) -> list[str]:
    """A block of code whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]
