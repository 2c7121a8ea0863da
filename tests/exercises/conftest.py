"""Every test of the exercises has its own progress; and a tiny exercise, for tests of the machinery."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.exercise import Exercise, Wrong
from taskref_edu.exercises.loader import attempt_from
from taskref_edu.exercises.outcomes import Outcome

STUB = '''
def double(n):
    """Twice n."""
    ...
'''
SOLUTION = "def double(n):\n    return 2 * n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the progress."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TASKREF_HOME", str(folder))
    return folder


def check_doubles(double) -> None:
    """Twice 3 is 6."""
    found = double(3)
    assert found == 6, f"Twice 3 is 6, not {found!r}."


def exercise(**changes) -> Exercise:
    """A small exercise that needs no database."""
    fields = {
        "id": "0.1",
        "title": "Double",
        "objective": "0-double",
        "goal": "Write `double`.",
        "stub": STUB,
        "checks": [check_doubles],
        "hints": ["Think.", "Twice.", "```python\nreturn 2 * n\n```"],
        "solution": SOLUTION,
        "discussion": "Easy.",
        "wrong_answers": [Wrong("def double(n):\n    return n", "not 3")],
        "seconds": 5.0,
    }
    return Exercise(**{**fields, **changes})


def outcome_of(code: str, *others: str, decorated: bool = True, **changes) -> Outcome:
    """How an answer to the small exercise ends, in a notebook with these other cells."""
    small = exercise(**changes)
    return check_attempt(attempt_from(small.id, small.cell(code) if decorated else code, others), small)
