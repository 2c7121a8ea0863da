"""A sample of the mutants in each run, all of them nightly; by themselves: `python -m tests.exercises.mutants`."""

from __future__ import annotations

from itertools import islice

import pytest

from taskref_edu.exercises.exercise import find

from .mutants.derive import mutants_of, sql_mutants
from .mutants.oracles import ORACLES, close_databases
from .mutants.run import judged, mutants_for, observed

SAMPLE = 1  # of each exercise
CODE = """
from sqlmodel import select
from taskref_edu import Task

def f(session, task):
    query = select(Task).where(Task.status == "pending", Task.id > 3).limit(1)
    return session.exec(query).one()
"""


@pytest.mark.parametrize("id", list(ORACLES))
def test_a_wrong_answer_is_refused_by_its_check_and_not_by_a_broken_one(id: str) -> None:
    for one in judged(id, SAMPLE, seed=20):
        assert one.fate in ("refused", "equivalent"), f"{one.mutant.label}\n{one.mutant.source}\n{one.said}"


@pytest.mark.nightly
@pytest.mark.parametrize("id", list(ORACLES))
def test_no_check_lets_a_wrong_mutant_pass(id: str) -> None:
    fates = [one for one in judged(id) if one.fate not in ("refused", "equivalent")]
    assert not fates, "\n\n".join(f"{one.mutant.label}\n{one.mutant.source}\n{one.said}" for one in fates)


@pytest.mark.nightly
def test_there_are_1500_mutants() -> None:
    assert sum(len(mutants_for(find(id))) for id in ORACLES) >= 1500


@pytest.mark.parametrize("id", ["1.1", "2.4", "3.1", "3.3", "4.2", "6.1", "7.1", "7.2", "8.2"])
def test_an_oracle_sees_the_solution_at_work(id: str) -> None:
    """A world that the database refuses would make every mutant equivalent."""
    exercise = find(id)
    seen = list(islice(observed(exercise, exercise.solution), 12))
    close_databases()
    assert [one for one in seen if one == "ended" or one[:1] == ("ended",)] == []


@pytest.mark.parametrize(
    "line",
    [
        "where(Task.id > 3)",
        'where(Task.status == "running", Task.id > 3)',
        'where(Task.status != "pending", Task.id > 3)',
        'where(Task.status == "pending", Task.id >= 3)',
        'where(Task.status == "pending", Task.id > 4)',
        "Task.id > 3, Task.attempt == 0)",
        "session.commit()",
        "if task.payload:",
        ".first()",
        "return None",
    ],
)
def test_python_is_changed_in_the_ways_in_which_engineers_slip(line: str) -> None:
    changed = [mutant.source.replace("'", '"') for mutant in mutants_of(CODE, "f")]
    assert any(line in source for source in changed)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM task WHERE status = 'pending' AND id = :id",
        "SELECT id FROM task WHERE status = 'pending' OR id = :id LIMIT 1",
        "SELECT id FROM task WHERE (status = 'pending' AND id = :id) AND attempt = 0 LIMIT 1",
        "SELECT id FROM task WHERE status = 'running' AND id = :id LIMIT 1",
        "SELECT id FROM task WHERE status = 'pending' AND id = 7 LIMIT 1",
    ],
)
def test_sql_is_changed_likewise(text: str) -> None:
    found = [sql.replace("(", "").replace(")", "") for _, sql in sql_mutants(SQL)]
    assert text.replace("(", "").replace(")", "") in found


SQL = "SELECT id FROM task WHERE status = 'pending' AND id = :id LIMIT 1"
