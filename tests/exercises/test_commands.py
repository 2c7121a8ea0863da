"""The functions that learners call: check, hint, solution, reset, progress; guess and reveal."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskref_edu import Task, classic
from taskref_edu.exercises import check, exercise, guess, hint, mine, progress, reset, reveal, solution
from taskref_edu.exercises.commands import check_and_keep, forget
from taskref_edu.exercises.exercise import UnknownExercise, find
from taskref_edu.exercises.loader import Attempt, attempt_from
from taskref_edu.exercises.outcomes import Verdict
from taskref_edu.exercises.progress import Progress

WRONG = "from taskref_edu import Order\n\ndef order_of(session, task):\n    return session.get(Order, task.id)"


def attempt(code: str | None = None, *others: str) -> Verdict:
    """Check and keep an attempt at 1.1; the solution if no code is given."""
    follow = find("1.1")
    return check_and_keep(attempt_from("1.1", follow.cell(code or follow.solution), others)).verdict


def test_check_repeats_the_last_attempt() -> None:
    assert check("1.1").verdict == Verdict.NOT_ATTEMPTED
    attempt(WRONG)
    assert check("1.1").verdict == Verdict.FAILED
    attempt()
    assert check("1.1").verdict == Verdict.PASSED


def test_check_remembers_the_imports_of_other_cells() -> None:
    query = "select(Order).where(Order.processing_task_id == task.id)"
    code = f"def order_of(session, task):\n    return session.exec({query}).one()"
    assert attempt(code, "from sqlmodel import select", "from taskref_edu import *") == Verdict.PASSED
    assert check("1.1").verdict == Verdict.PASSED


def test_hints_come_one_at_a_time_and_the_last_one_stays() -> None:
    hints = find("1.1").hints
    shown = [hint("1.1") for _ in range(len(hints) + 1)]
    assert [note.heading[:11] for note in shown] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert all(text.strip() in note.text for text, note in zip(hints, shown, strict=False))
    assert all(text.strip() in shown[-1].text for text in hints), "earlier ones stay"
    assert hints[1].strip() not in shown[0].text
    assert '`solution("1.1")`' in shown[-1].text


def test_the_solution_comes_after_passing() -> None:
    attempt()
    note = solution("1.1")
    assert find("1.1").solution.strip().splitlines()[-1] in str(note)
    assert find("1.1").discussion.strip() in note.text


def test_the_solution_stands_beside_yours__with_colours_and_a_button_that_copies() -> None:
    attempt()
    html = solution("1.1")._repr_html_()
    assert html.index("<b>Ours</b>") < html.index("<b>Yours</b>")
    assert html.count(">Copy</button>") == 2
    assert '<span style="color' in html
    Progress().change("exercises", "1.1", lambda entry: entry.update(attempts=[]))
    assert "Yours" not in str(solution("1.1"))


def test_or_when_it_is_asked_for_twice() -> None:
    assert "You have not passed it yet" in solution("1.1").text
    assert "def order_of" in str(solution("1.1"))


def test_reset_gives_the_stub_and_keeps_the_attempts() -> None:
    attempt()
    hint("1.1")
    assert find("1.1").cell().strip() in reset("1.1").text
    entry = Progress().exercise("1.1")
    assert entry["outcome"] == "not attempted"
    assert len(entry["attempts"]) == 1
    assert "Hint 1" in hint("1.1").heading
    assert "You have not passed it yet" in solution("1.1").text


def test_reset_keeps_what_was_never_run() -> None:
    attempt()
    forget(find("1.1"), "never run")
    for known in ("never run", find("1.1").cell(), ""):
        forget(find("1.1"), known)
    assert [kept["source"] for kept in Progress().exercise("1.1")["attempts"]][1:] == ["never run"]


def test_progress_lists_every_exercise() -> None:
    attempt()
    assert "1 of 29 exercises passed" in str(progress())


@pytest.mark.parametrize("call", [check, hint, solution, reset])
def test_an_unknown_id_is_refused_by_name(call) -> None:
    with pytest.raises(UnknownExercise, match=r"'7\.77' not found; there are 1\.1, "):
        call("7.77")


def test_the_decorator_returns_the_function_as_it_is() -> None:
    def order_of(session, task): ...

    assert exercise("1.1")(order_of) is order_of
    with pytest.raises(TypeError, match="an id in quotes expected"):
        exercise(order_of)  # type: ignore[arg-type]


# Guesses


def test_a_guess_is_kept_and_compared() -> None:
    assert "Your guess: `2`." in guess("03-a", 2).text
    assert "You guessed `2`; the experiment says `114`." in reveal("03-a", 114).text
    assert Progress().read()["guesses"] == {"03-a": {"guess": 2, "answer": 114}}


def test_a_right_guess() -> None:
    guess("03-c", "both")
    assert "and so it is" in reveal("03-c", "both").text


def test_no_guess_is_fine() -> None:
    assert "No guess yet" in guess("03-a", None).text
    assert "No guess yet" in guess("03-a", ...).text
    assert "You made no guess" in reveal("03-a", 114).text
    assert "Your guess: `2`." in guess("03-a", 2).text


def test_a_guess_can_be_changed_until_it_is_revealed() -> None:
    guess("04-a", 2)
    assert "`1`" in guess("04-a", 1).text
    reveal("04-a", 0)
    assert "stays; `0` was not kept" in guess("04-a", 0).text
    assert "You guessed `1`" in reveal("04-a", 0).text


def test_running_again_without_the_guess_keeps_it() -> None:
    guess("03-a", 2)
    assert "Your guess: `2`." in guess("03-a", None).text


def test_choices() -> None:
    both = ["classic", "inverted"]
    assert "not a possible answer. One of `'classic'`, `'inverted'`." in guess("a", "both", choices=both).text
    assert "One of `'classic'`" in guess("a", None, choices=both).text
    assert "Notebook 06 comes back" in guess("a", "classic", choices=both, keep_for="06").text


@pytest.mark.parametrize(
    ("id", "value", "said"),
    [
        ("03-a", 4, "`4` is not a possible answer. One of `1`, `2`."),  # the series knows the choices
        ("03-a", "2", "`'2'` is not a possible answer. Did you mean `2`?"),
        ("01-c", "Classic ", "Did you mean `'classic'`?"),
        ("01-c", classic, "`classic` without quotes is a module, not a possible answer. Did you mean `'classic'`?"),
        ("05-a", {5}, "`{5}` is not a possible answer. One of `[5, 6, 7]`"),
    ],
)
def test_a_value_that_is_no_choice_is_refused_with_a_sentence(id: str, value: object, said: str) -> None:
    question = guess(id, value)
    assert said in question.refused
    assert said in question.text
    assert Progress().read()["guesses"][id] == {}


def test_a_guess_is_kept_as_the_choice_that_it_equals() -> None:
    assert "Your guess: `2`." in guess("03-a", 2.0).text
    assert "Your guess: `[6, 7]`." in guess("05-a", (6, 7)).text


@pytest.mark.parametrize(("id", "said"), [("03_a", "; did you mean `03-a`?"), ("mine", ".")])
def test_an_id_that_is_no_prediction_is_said(id: str, said: str) -> None:
    assert guess(id, 2).text.endswith(f"The series has no prediction `{id}`{said}")
    assert reveal(id, 2).text.endswith(f"The series has no prediction `{id}`{said}")


def test_a_pick_after_its_experiment_is_compared_when_that_runs_again() -> None:
    reveal("04-b", 2)
    assert 'run the cell with `reveal("04-b", …)` again' in guess("04-b", 1).text
    assert "You guessed `1`" in reveal("04-b", 2).text


def test_a_script_prints_what_a_notebook_displays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guess("03-a", 2)
    reveal("03-a", 2)
    printed = capsys.readouterr().out
    assert "Your guess: `2`." in printed
    assert "and so it is" in printed
    assert "with no race at all" in printed, "the explanation, in full"
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)  # at the prompt Python shows the value
    assert repr(guess("03-a", 2)).startswith("Guess 03-a\n")
    assert repr(reveal("03-a", 2)).startswith("Guess 03-a\n")
    assert capsys.readouterr().out == ""


def test_what_was_not_saved_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TASKREF_HOME", str(tmp_path / "file" / "home"))
    assert "Progress was not saved" in guess("03-a", 2).text
    assert "Progress was not saved" in reveal("03-a", 2).text


def test_a_guess_at_an_earlier_version_of_the_question_is_dropped() -> None:
    guess("a", "classic", choices=["classic", "inverted"])
    reveal("a", "classic")
    assert "No guess yet" in guess("a", None, choices=["one", "two"]).text
    assert "Your guess: `'one'`." in guess("a", "one", choices=["one", "two"]).text
    assert "No guess yet" in guess("a", None, choices=range(7)).text


def test_reveal_explains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskref_edu.exercises.predictions._explanations", lambda: {"03-a": "Because of **this**."})
    assert str(reveal("03-a", 114)).endswith("Because of **this**.")


def test_an_answer_serves_later_cells_once_it_has_passed(capsys: pytest.CaptureFixture[str]) -> None:
    task = Task(id=3, type="process_payment", payload={"order_id": 7})
    wrong = find("2.2").cell("def order_id_of(payload):\n    return 99")
    right = find("2.2").cell(find("2.2").solution.replace("return payload", "print('mine')\n        return payload"))
    check_and_keep(Attempt("2.2", wrong))
    assert mine("2.2")(task.payload) == 7
    assert "our order_id_of()" in capsys.readouterr().out
    check_and_keep(Attempt("2.2", right))
    assert mine("2.2")(task.payload) == 7
    assert "your own order_id_of()" in capsys.readouterr().out


def test_what_json_cannot_keep_is_kept_as_text() -> None:
    assert "and so it is" in (guess("a", (1, 2)), reveal("a", [1, 2]))[1].text
    assert "and so it is" in (guess("b", {3}), reveal("b", {3}))[1].text
