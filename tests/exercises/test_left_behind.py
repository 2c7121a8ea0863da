"""No check falls over an answer: what it did to the database or the session, and what it returned, gets a reason."""

from __future__ import annotations

import pytest

from taskref_edu.exercises import check_answer
from taskref_edu.exercises.exercise import find, function_of
from taskref_edu.exercises.outcomes import Verdict

nightly = pytest.mark.nightly
HEAD = "from sqlalchemy import text\nfrom taskref_edu import Task\n"


def after_the_solution(id: str, statement: str) -> str:
    """The solution, followed by this statement."""
    exercise = find(id)
    given = ", ".join(argument.arg for argument in function_of(exercise.stub).args.args)
    inner = exercise.solution.replace(f"def {exercise.function}(", "def inner(")
    lines = [f"def {exercise.function}({given}):", f"result = inner({given})", statement, "return result"]
    return f"{HEAD}{inner}\n\n" + "\n    ".join(lines) + "\n"


@pytest.mark.parametrize(
    ("id", "statement", "said"),
    [
        ("1.1", "session.connection().close()", "closed or took away the session's connection"),
        pytest.param(
            "1.1", "session.connection().connection.dbapi_connection.close()", "closed or took away", marks=nightly
        ),
        pytest.param("1.1", "session.bind = None", "closed or took away", marks=nightly),
        pytest.param(
            "3.3",
            "session.execute(text('DELETE FROM orders'))",
            "removed a row that its caller still needs",
            marks=nightly,
        ),
        ("3.3", "session.execute(text('ALTER TABLE orders RENAME TO gone'))", "removed or changed a table"),
        pytest.param(
            "3.3", "session.add(Task(type=None))", "left a row in the session that the table refuses", marks=nightly
        ),
        pytest.param(
            "7.1",
            "session.execute(text('DELETE FROM orders'))",
            "Order 7, which should be reserved, is gone",
            marks=nightly,
        ),
    ],
)
def test_what_its_caller_fails_on__is_named(id: str, statement: str, said: str) -> None:
    outcome = check_answer(id, after_the_solution(id, statement))
    assert outcome.verdict == Verdict.FAILED, outcome
    assert said in outcome.message


@pytest.mark.parametrize("id", ["3.4", *(pytest.param(id, marks=nightly) for id in ("4.1", "5.2", "5.3"))])
def test_a_text_that_cannot_be_encoded__is_refused(id: str) -> None:
    outcome = check_answer(id, f"def {find(id).function}():\n    return 'SELECT \\ud800 :order'\n")
    assert outcome.verdict == Verdict.FAILED, outcome
    assert "SQLite cannot read, at place 8" in outcome.message


@pytest.mark.parametrize("id", ["4.1", pytest.param("5.3", marks=nightly)])
def test_a_query_without_an_end__is_refused_at_once(id: str) -> None:
    endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n WHERE :order OR 1"
    endless = endless if id == "4.1" else endless.replace(":order OR 1", "1")
    outcome = check_answer(id, f"def {find(id).function}():\n    return {endless!r}\n")
    assert "does it end?" in outcome.message
    assert outcome.seconds < 5


@pytest.mark.parametrize("value", ["{1: 5}", "{1: None}", "{}", "{True: ('both', 'both')}", "[1, 2, 3, 4, 5]"])
def test_6_2__any_value_gets_a_reason(value: str) -> None:
    outcome = check_answer("6.2", f"def verdict():\n    return {value}\n")
    assert outcome.verdict == Verdict.FAILED, outcome
