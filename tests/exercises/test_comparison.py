"""Expected beside yours: what is aligned, marked, cut and escaped, in a terminal and in a notebook."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from taskref_edu import Order, Task, TaskQueue, open_database, writing
from taskref_edu.exercises.check import check_answer
from taskref_edu.exercises.comparison import ROWS, Comparison, compare
from taskref_edu.exercises.exercise import CheckFailed, catalog
from taskref_edu.exercises.outcomes import Outcome, Verdict

from .conftest import outcome_of


def told(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Each row as it is read: mark, label, expected, yours."""
    return [("≠" if row.differs else "", row.label, row.expected, row.found) for row in comparison.rows]


def test_two_values() -> None:
    assert told(compare(6, 7)) == [("≠", "", "6", "7")]


def test_values_that_look_alike_show_their_types() -> None:
    assert told(compare(11, "11")) == [("≠", "", "11", "'11'")]
    assert told(compare("cancelled", "cancelled ")) == [("≠", "", "cancelled", "'cancelled '")]
    assert told(compare("na\u00efve", "nai\u0308ve")) == [("≠", "", r"'na\xefve'", r"'nai\u0308ve'")]


def test_times_are_shown_whole() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    late = noon + timedelta(microseconds=1)
    assert told(compare(noon, late)) == [("≠", "", "2026-01-02 12:00:00+00:00", "2026-01-02 12:00:00.000001+00:00")]
    assert told(compare(noon.date(), "2026-01-02")) == [("≠", "", "datetime.date(2026, 1, 2)", "'2026-01-02'")]


def test_mappings_are_compared_key_by_key_and_inside() -> None:
    expected = {"task 1": {"status": "running", "token": 1}, "task 2": None, "order 7": {"status": "paid"}}
    found = {"task 1": {"status": "running", "token": 0}, ("task", 3): "deleted"}
    assert told(compare(expected, found)) == [
        ("", "task 1 status", "running", "running"),
        ("≠", "task 1 token", "1", "0"),
        ("≠", "task 2", "None", "–"),
        ("≠", "order 7 status", "paid", "–"),
        ("≠", "task 3", "–", "deleted"),
    ]


def test_sets_are_compared_whatever_the_sequence__and_repeats_show() -> None:
    assert told(compare({1, 2, 10}, [10, 3, 1, 1])) == [
        ("", "", "1", "1"),
        ("≠", "", "–", "1"),
        ("≠", "", "2", "–"),
        ("≠", "", "–", "3"),
        ("", "", "10", "10"),
    ]


def test_lists_are_aligned() -> None:
    assert told(compare(["a", "b", "c"], ["a", "c"])) == [("", "", "a", "a"), ("≠", "", "b", "–"), ("", "", "c", "c")]


def test_rows_of_the_database_are_named__also_when_their_session_is_over() -> None:
    engine = open_database()
    with writing(engine) as session:
        task = TaskQueue(engine).enqueue(session, "process_payment")
        session.add(order := Order(id=7, customer="Ann", amount=1))
    engine.dispose()
    assert isinstance(task, Task)
    assert told(compare(order, task)) == [("≠", "", "order 7", f"task {task.id}")]


def test_many_rows_are_cut__those_that_differ_come_first__and_the_number_is_told() -> None:
    numbers = set(range(100))
    found = compare(numbers, [*(numbers - {60, 70}), 200])
    assert len(found.rows) == ROWS
    assert [row[2:] for row in told(found) if row[0]] == [("60", "–"), ("70", "–"), ("–", "200")]
    assert found.left_out == "… and 89 more rows, 0 of them different"
    assert compare(set(range(20)), []).left_out == "… and 8 more rows, 8 of them different"


def test_a_long_text_is_cut_around_the_difference__and_its_length_is_told() -> None:
    ((_, _, expected, found),) = told(compare("x" * 300 + "right", "x" * 300 + "wrong"))
    assert "right" in expected
    assert "wrong" in found
    assert "(305 characters)" in expected
    assert len(found) <= 55
    ((_, _, _, found),) = told(compare("short", "y" * 5_000))
    assert found.startswith("yyy")
    assert "(5,000 characters)" in found


class Hostile:
    """What an answer may return: neither shown nor compared."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class HostileDict(dict):
    """Cannot be read key by key."""

    def keys(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "found", [HostileDict(a=2), Hostile(), [Hostile()], {"a": Hostile()}, "\ud800", "a\nb", b"\xff", object]
)
def test_whatever_an_answer_returns_becomes_text(found: object) -> None:
    for expected in (1, {1}, [1], {"a": 1}):
        comparison = compare(expected, found)
        str(comparison).encode()
        comparison._repr_html_().encode()
        assert any(row.differs for row in comparison.rows)


def test_as_text_the_columns_are_aligned() -> None:
    assert str(compare({"a": 1, "beta": "two"}, {"a": 10, "beta": "two"})).splitlines() == [
        "         expected  yours",
        "≠  a     1         10",
        "   beta  two       two",
    ]


def test_as_html_everything_is_escaped__and_a_difference_has_a_sign_not_only_a_colour() -> None:
    html = compare({"<b>": "<script>"}, {"<b>": "&"})._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert 'aria-label="differs">≠<' in html
    assert "≠" not in compare(1, 1)._repr_html_()


def doubles(double) -> None:
    """Twice each number."""
    found = [double(n) for n in (1, 2)]
    if found != [2, 4]:
        raise CheckFailed("Wrong.", "The data.", expected=[2, 4], found=found)


def test_a_failed_check_shows_both__above_the_next_step__and_a_few_rows_of_data_are_open() -> None:
    outcome = outcome_of("def double(n):\n    return n + 1", checks=[doubles])
    assert str(outcome).splitlines()[1:6] == [
        "  Wrong.",
        "         expected  yours",
        "         2         2",
        "    ≠    4         3",
        '  Next: Change the cell and run it again; `hint("0.1")` helps.',
    ]
    html = outcome._repr_html_()
    assert html.index("<table") < html.index("<b>Next:</b>") < html.index("<details open><summary>What happened")


def test_long_details_stay_folded() -> None:
    pair = compare(1, 2)
    long = Outcome("1.1", "", Verdict.FAILED, "", "", [("What happened", "line\n" * 40)], comparison=pair)
    assert "<details open" not in long._repr_html_()


def test_a_call_with_other_parameters_shows_both_signatures() -> None:
    outcome = outcome_of("def double(a, b):\n    return 2 * a")
    assert outcome.comparison is not None
    assert told(outcome.comparison) == [("≠", "", "double(n)", "double(a, b)")]


@pytest.mark.nightly
def test_both_come_back_from_a_check_in_another_process() -> None:
    outcome = check_answer("8.5", "def handler(task, queue, more):\n    return 1")
    assert outcome.comparison is not None
    assert told(outcome.comparison) == [("≠", "", "handler(task)", "handler(task, queue, more)")]


def test_all_predictions_are_shown__and_only_the_first_that_differs_is_told() -> None:
    wrong = {"NO ACTION": ("unchanged", 0), "CASCADE": ("cleared", 3), "SET NULL": ("unchanged", 3)}
    outcome = check_answer("7.3", f"def fates():\n    return {wrong!r}\n")
    assert outcome.comparison is not None
    assert told(outcome.comparison) == [
        ("", "NO ACTION, the order", "unchanged", "unchanged"),
        ("≠", "CASCADE, the order", "deleted", "cleared"),
        ("≠", "SET NULL, the order", "not unchanged", "unchanged"),
    ]


QUICK = ("1.1", "4.1", "6.1", "9.2")
COMPARING = [
    pytest.param(id, marks=[] if id in QUICK else pytest.mark.nightly)
    for id in catalog()
    if id != "8.5"  # which compares nothing: a worker runs on, or it does not
]


@pytest.mark.parametrize("id", COMPARING)
def test_every_exercise_that_compares_values_shows_them(id: str) -> None:
    exercise = catalog()[id]
    for wrong in exercise.wrong_answers:
        found = check_answer(id, wrong.code)
        if found.comparison:
            assert any(row.differs for row in found.comparison.rows), found
            assert re.search(r"^    ≠ ", str(found), re.MULTILINE)
            return
    pytest.fail(f"no wrong answer to {id} shows what was expected beside it")
