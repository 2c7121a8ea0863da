"""Authoring is checked: what holds for every exercise of the catalog."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from taskref_edu.exercises import catalog as catalog_folder
from taskref_edu.exercises import cell_parsing as cells
from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.exercise import Exercise, catalog, function_of, names
from taskref_edu.exercises.loader import Attempt, attempt_from, load
from taskref_edu.exercises.outcomes import Verdict

FOLDER = Path(__file__).parents[2] / "taskref_edu" / "exercises" / "catalog"
EVERY = pytest.mark.parametrize("exercise", catalog().values(), ids=catalog().keys())
WRONG = pytest.mark.parametrize(
    ("exercise", "number"),
    [
        # One of each exercise in `make test`, all of them in `make test-slow`.
        pytest.param(exercise, number, id=f"{exercise.id}-{number}", marks=[pytest.mark.nightly] if number else [])
        for exercise in catalog().values()
        for number in range(len(exercise.wrong_answers))
    ],
)


def attempt(exercise: Exercise, code: str | None = None) -> Attempt:
    return attempt_from(exercise.id, exercise.cell(code), ())


@EVERY
def test_the_stub_is_not_attempted(exercise: Exercise) -> None:
    assert check_attempt(attempt(exercise)).verdict == Verdict.NOT_ATTEMPTED


@EVERY
def test_the_solution_passes__in_time(exercise: Exercise) -> None:
    began = time.process_time()  # of the processor, because other tests run at the same time; the benchmark is strict
    outcome = check_attempt(attempt(exercise, exercise.solution))
    assert outcome.verdict == Verdict.PASSED, outcome
    assert not outcome.notes
    assert time.process_time() - began < 2


@WRONG
def test_every_wrong_answer_fails_with_its_message(exercise: Exercise, number: int) -> None:
    wrong = exercise.wrong_answers[number]
    outcome = check_attempt(attempt(exercise, wrong.code))
    assert outcome.verdict in (Verdict.FAILED, Verdict.ERROR), outcome
    assert not outcome.broken_check, outcome
    assert wrong.message in f"{outcome.message} {outcome.next_step}"


@pytest.mark.nightly
@EVERY
def test_each_check_is_failed_by_some_wrong_answer(exercise: Exercise) -> None:
    idle = [
        check.__name__
        for check in exercise.checks
        if not any(fails(check, exercise, wrong.code) for wrong in exercise.wrong_answers)
    ]
    assert idle == []


def fails(check, exercise: Exercise, code: str) -> bool:
    try:
        check(load(attempt(exercise, code)))
    except Exception:
        return True
    return False


@EVERY
def test_two_wrong_answers_or_more_with_messages(exercise: Exercise) -> None:
    assert len(exercise.wrong_answers) >= 2
    assert all(wrong.message.strip() for wrong in exercise.wrong_answers)


@EVERY
def test_hints_lead_to_code(exercise: Exercise) -> None:
    assert len(exercise.hints) >= 3
    assert all(hint.strip() for hint in exercise.hints)
    assert "```python" in exercise.hints[-1]
    assert not any("```" in hint for hint in exercise.hints[:1])
    assert len(set(exercise.hints)) == len(exercise.hints)


@EVERY
def test_the_texts_are_there(exercise: Exercise) -> None:
    for text in (exercise.title, exercise.objective, exercise.goal, exercise.discussion):
        assert text.strip()
    assert exercise.function in exercise.cell()
    assert all(check.__doc__ for check in exercise.checks)


@EVERY
def test_stub_and_solution_define_the_same_function(exercise: Exercise) -> None:
    stub, solution = function_of(exercise.stub), function_of(exercise.solution, exercise.function)
    assert [argument.arg for argument in stub.args.args] == [argument.arg for argument in solution.args.args]
    assert cells.ids_in(exercise.cell()) == [exercise.id]


def test_files_are_named_after_their_exercises() -> None:
    for id, name in names().items():
        title = re.sub(r"[^a-z0-9]+", "_", catalog()[id].title.lower()).strip("_")
        assert name == f"e{id.replace('.', '_')}_{title}"


def test_no_stray_file() -> None:
    known = {f"{name}.py" for name in names().values()}
    stray = [path.name for path in FOLDER.iterdir() if path.name not in known and not path.name.startswith("_")]
    assert stray == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("e1_1_again", "are both 1.1"),
        ("helpers", "helpers.py found; a name such as e1_1_follow_the_arrow.py expected"),
        ("e98_1_empty", r"must declare EXERCISE = Exercise\(id='98.1'"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, said: str) -> None:
    (tmp_path / f"{file}.py").touch()
    monkeypatch.setattr(catalog_folder, "__path__", [*catalog_folder.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=said):
        catalog()


def test_ids_are_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("e98_10_b", "e98_9_a", "_shared"):
        (tmp_path / f"{file}.py").touch()
    monkeypatch.setattr(catalog_folder, "__path__", [*catalog_folder.__path__, str(tmp_path)])
    assert list(names())[-2:] == ["98.9", "98.10"]
