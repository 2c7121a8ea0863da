"""What went wrong in a notebook comes back at the top of the next one, and the map shows where a learner stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskref_edu.exercises import guess, progress, recall, reveal
from taskref_edu.exercises.exercise import find
from taskref_edu.exercises.loader import Attempt
from taskref_edu.exercises.outcomes import Outcome, Verdict
from taskref_edu.exercises.outline import UnknownNotebook, notebooks
from taskref_edu.exercises.progress import Progress
from taskref_edu.exercises.series_map import CLAIMS, VERDICT, SeriesMap, bar_text


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path))


def try_it(id: str, *verdicts: Verdict) -> None:
    for number, verdict in enumerate(verdicts):
        Progress().record(Attempt(id, f"answer {number}", ()), Outcome(id, "", verdict, "", ""))


FAILED, PASSED = Verdict.FAILED, Verdict.PASSED


def test_without_a_miss_the_two_fixed_questions() -> None:
    fixed = [one["question"] for one in notebooks()[4].recall]
    assert [item.question for item in recall("04").items] == fixed
    guess("03-a", 2)
    reveal("03-a", 2)
    try_it("3.1", FAILED, PASSED)
    assert [item.question for item in recall("04").items] == fixed


def test_a_missed_prediction_comes_back_in_the_next_notebook_and_only_there() -> None:
    guess("03-a", 1)
    reveal("03-a", 2)
    first, second = recall("04").items
    assert first.question.endswith("How many times does classic, as written, charge it? (`1`, `2`)")
    assert "You guessed 1 (03-a)." in first.why
    assert first.answer.startswith("`2`. Twice, and with no race at all")
    assert "(03_duplicates.ipynb)" in first.answer
    assert second.question == notebooks()[4].recall[0]["question"]
    assert not any(item.why for item in recall("05").items)


def test_an_exercise_of_more_than_two_tries_comes_back__also_beside_many_missed_predictions() -> None:
    try_it("3.3", FAILED, FAILED, PASSED, PASSED)
    for id in ("03-a", "03-e"):
        guess(id, 1)
        reveal(id, 2)
    missed, exercise = recall("04").items
    assert "(03-a)" in missed.why
    assert exercise.why == "Exercise 3.3 took you 3 tries. "
    assert find("3.3").discussion.strip()[:40] in exercise.answer


def test_answers_are_folded_in_a_notebook_and_printed_in_a_terminal() -> None:
    shown = recall("04")
    answer = shown.items[0].answer
    assert "<details>" in shown._repr_markdown_().partition(answer)[0]
    assert answer in str(shown)
    with pytest.raises(UnknownNotebook, match="notebook '4' not found; there are 00, 01"):
        recall("4")


def test_a_damaged_progress_is_said__and_costs_no_question(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{")
    shown = recall("04")
    assert "was set aside as" in shown._repr_markdown_()
    assert "was set aside as" in str(shown)
    assert len(shown.items) == 2
    (tmp_path / "progress.json").write_text('{"guesses": {"03-a": {"answer": 2}}}')
    assert not any(item.why for item in recall("04").items)


def test_every_notebook_has_its_two_questions_and_every_prediction_its_question() -> None:
    assert [len(recall(one.number).items) for one in notebooks()] == [0] + [2] * (len(notebooks()) - 1)
    asked = {id: question for one in notebooks() for id, question in one.guesses.items()}
    assert [id for id, question in asked.items() if "?" not in question] == []


def whole_map() -> SeriesMap:
    found = progress()
    assert isinstance(found, SeriesMap)
    return found


def test_the_map_fills() -> None:
    whole = whole_map()
    assert "0 of 29 exercises passed (★ core); 0 of 61 predictions" in str(whole)
    assert not any(share for _, share in whole.claims())
    for one in notebooks():
        for id in one.exercises:
            try_it(id, PASSED)
        for id in one.guesses:
            Progress().change("guesses", id, lambda entry: entry.update(guess=1, answer=1))
    whole = whole_map()
    assert [share for _, share in whole.claims()] == [1.0] * len(CLAIMS)
    assert "29 of 29 exercises passed (★ core); 61 of 61 predictions compared, 61 of them right" in str(whole)
    html = whole._repr_html_()
    assert all(f'href="{one.name}.ipynb"' in html and f"{one.number} {one.title}" in html for one in notebooks())
    assert all(claim in html for claim, _ in CLAIMS)


def test_a_screen_reader_hears_words_instead_of_letters_and_signs() -> None:
    guess("03-a", 1)
    reveal("03-a", 2)
    try_it("3.2", PASSED)
    html = progress("03")._repr_html_()
    assert 'aria-label="prediction 03-a: predicted otherwise. Ann clicks, and' in html
    assert 'aria-label="prediction 03-b: open. ' in html
    assert 'aria-label="exercise 3.2, core, Two clicks, four versions: passed"' in html
    assert 'aria-label="03 Duplicates: 20% done, you are here"' in html
    assert 'aria-label="00 Start here: to read and play"' in html, "never done: there is nothing to count"


def test_a_claim_fills_with_the_notebooks_that_try_it() -> None:
    assert {number for _, evidence in CLAIMS for number in (*evidence, VERDICT)} <= {one.number for one in notebooks()}
    guess("01-a", "never")
    reveal("01-a", "at the call")
    shares = dict(whole_map().claims())
    assert 0 < shares["2 simpler worker functions"] == shares["A classic is simpler at first"] < 0.5
    assert shares["4 natural prevention of duplicates"] == 0


def test_the_end_of_a_notebook_shows_the_way_on() -> None:
    small = progress("03")
    assert "Next: 04 Cancelling (04_cancelling.ipynb)" in str(small)
    assert 'href="04_cancelling.ipynb"' in small._repr_html_()
    assert "you are here" in small._repr_html_()
    assert "That was the last notebook." in progress("11")._repr_html_()
    assert "3.3 ·" in str(small)
    try_it("3.3", PASSED)
    assert "3.3 ✔" in str(progress("03"))


@pytest.mark.parametrize(
    ("share", "bar"), [(0, "□□□□□"), (0.01, "▪□□□□"), (0.5, "■■▪□□"), (0.99, "■■■■▪"), (1, "■■■■■")]
)
def test_a_bar_of_letters(share: float, bar: str) -> None:
    assert bar_text(share) == bar
