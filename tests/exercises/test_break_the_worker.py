"""8.5 is an attack with many right answers: each way in is accepted, and what is none is told apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

from taskref_edu.exercises import child_process
from taskref_edu.exercises.check import check_attempt
from taskref_edu.exercises.child_process import CHILD, start_early
from taskref_edu.exercises.exercise import find
from taskref_edu.exercises.loader import attempt_from
from taskref_edu.exercises.outcomes import Outcome, Verdict

NO_TEXT = """
class NoText(Exception):
    def __str__(self):
        raise RuntimeError
raise NoText
"""
COMPLETED = """
with task.completing():
    pass
"""
DELETED = """
from sqlalchemy import text
from taskref_edu import writing
with writing(task.queue.engine) as session:
    session.execute(text("DELETE FROM task WHERE id = :id"), {"id": task.id})
"""
ENDS = {
    "sys.exit": "import sys; sys.exit(1)",
    "exit": "exit()",
    "base exception": "raise BaseException",
    "keyboard interrupt": "raise KeyboardInterrupt",
    "cancelled by asyncio": "import asyncio; raise asyncio.CancelledError",
    "cancelled by nobody": "from taskref_edu.errors import TaskCancelled; raise TaskCancelled",
    "an error without a text": NO_TEXT,
    "completed": COMPLETED,
    "completed, then an error": COMPLETED + "raise ValueError",
    "deleted": DELETED,
}
ENDS_NOT = {
    "recursion": ("def f(): f()\nf()", "catches `RecursionError`"),
    "a lone surrogate": (r"raise ValueError('\ud800')", "catches `ValueError`"),
    "signal": ("import signal; signal.raise_signal(signal.SIGINT)", "End the worker, not the world"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "End the worker, not the world"),
    "the queue is closed": ("task.queue.closed = True", "the next one is pending"),
    "the next task is deleted": (DELETED.replace("= :id", "= :id + 1"), "the next one is gone"),
}


def outcome_of(body: str) -> Outcome:
    """How a handler with this body ends."""
    exercise = find("8.5")
    lines = "\n    ".join(body.strip().splitlines())
    return check_attempt(attempt_from("8.5", exercise.cell(f"def handler(task):\n    {lines}"), ()))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked in this process, which is quicker."""
    monkeypatch.setenv(CHILD, "1")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("body", ENDS.values(), ids=ENDS.keys())
def test_it_ends_the_naive_worker_only__yes(body: str) -> None:
    outcome = outcome_of(body)
    assert outcome.verdict == Verdict.PASSED, outcome
    assert not outcome.notes


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("body", "said"), ENDS_NOT.values(), ids=ENDS_NOT.keys())
def test_it_ends_the_naive_worker_only__no(body: str, said: str) -> None:
    outcome = outcome_of(body)
    assert outcome.verdict == Verdict.FAILED, outcome
    assert said in outcome.message


@pytest.mark.parametrize(
    "body",
    [
        "from os import _exit; _exit(0)",
        "import os; os.system('kill -9 $PPID')",
        "from os import killpg; killpg(0, 9)",
        pytest.param(
            "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])", marks=pytest.mark.slow
        ),
        pytest.param("from ctypes import string_at; string_at(0)", marks=pytest.mark.slow),
    ],
)
def test_what_ends_the_process_ends_a_child_only(body: str) -> None:
    outcome = outcome_of(body)
    assert outcome.verdict == Verdict.FAILED, outcome
    assert "End the worker, not the world" in outcome.message


def test_in_a_child_that_was_started_early_the_solution_passes() -> None:
    start_early(find("8.5"))
    outcome = outcome_of("raise SystemExit")
    assert outcome.verdict == Verdict.PASSED, outcome


def test_a_child_that_was_started_early_ends_with_its_caller() -> None:
    """The caller's end closes the child's input."""
    child = [sys.executable, "-m", f"{child_process.__name__}_main"]
    ended = subprocess.run(child, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
