"""The scheduler without a browser: buttons are clicked and keys pressed from Python, widgets are read as text."""

from __future__ import annotations

import re
import sys
import threading
from html import unescape

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from sqlalchemy import Engine

from taskref_edu.widgets import Scheduler
from taskref_edu.widgets import live_cells as cells
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, nothing, one_live_task, one_order


@pytest.fixture
def two_clicks() -> Scheduler:
    return Scheduler([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")


def press(scheduler: Scheduler, *keys: str) -> None:
    """What the browser sends for a key."""
    for key in keys:
        scheduler.status._handle_custom_msg({"key": key}, [])


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", re.sub("</?bdi>", "", html))).split())


def test_a_break_by_buttons(two_clicks: Scheduler) -> None:
    for letter in "AAABBBBBAA":
        two_clicks.steps[letter].click()
    assert two_clicks.status.text == "You broke it with AAABBBBBAA (2 switches): 2 live tasks"
    verdict = text_of(two_clicks.verdict.value)
    assert verdict.startswith("✕ Broken: 2 live tasks Keep AAABBBBBAA as a test def test_the_schedule_AAABBBBBAA()")
    assert two_clicks.game.as_test() in unescape(two_clicks.verdict.value)
    assert text_of(two_clicks.tally.value) == "1 attempt, 1 schedule, 1 broken. ✕ breaks AAABBBBBAA"


def test_keys_step_go_back_and_restart(two_clicks: Scheduler) -> None:
    assert set(two_clicks.status.kept) == {"A", "B", "Backspace", "Home", "R"}
    press(two_clicks, "A", "A", "B")
    assert two_clicks.game.schedule == "AAB"
    assert two_clicks.status.text == "AAB: B ran SELECT … FROM orders WHERE orders.id = 1. B waits for A"
    press(two_clicks, "Backspace")
    assert (two_clicks.game.schedule, two_clicks.status.text) == ("AA", "AA: the step of B is taken back")
    press(two_clicks, "Home", "Backspace")
    assert two_clicks.status.text == "Nobody has made a step yet: there is nothing to take back"
    press(two_clicks, "B", "R")
    assert two_clicks.game.schedule == ""
    assert two_clicks.attempts == 0


def test_where_they_stand_and_the_rows_now(two_clicks: Scheduler) -> None:
    press(two_clicks, "A", "A", "B")
    standing = text_of(two_clicks.standing.value)
    assert "A (click_inverted) ▶ ready COMMIT" in standing
    assert "B (click_inverted) ‖ waits for A INSERT INTO task" in standing
    press(two_clicks, "Backspace")
    rows = text_of(two_clicks.rows.value)
    assert "task, as A sees it: not committed yet id type status latest step 1 process_payment pending + new" in rows
    press(two_clicks, "A", "A", "A")
    assert "orders id customer status processing_task_id latest step 1 Ada new 1 ~ changed" in text_of(
        two_clicks.rows.value
    )
    assert "A (click_inverted) ■ ended" in text_of(two_clicks.standing.value)
    assert "Schedule AAAAA" in text_of(two_clicks.lanes.value)


def test_who_has_to_wait_or_has_ended_is_told__and_told_again(two_clicks: Scheduler) -> None:
    press(two_clicks, "A", "A", "B", "B")
    waits = "Not possible: B waits for A. Let somebody else step, or go back"
    assert two_clicks.status.text == waits
    press(two_clicks, "B")
    assert two_clicks.status.text == f"{waits} (again)"
    press(two_clicks, "A", "A", "A", "A")
    assert two_clicks.status.text.startswith("Not possible: A has no step left.")
    assert two_clicks.game.schedule == "AABAAA"


def test_attempts_and_different_schedules_are_counted() -> None:
    scheduler = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing)
    assert text_of(scheduler.tally.value) == "No schedule played to its end yet."
    for schedule in ("AB", "BA", "AB"):
        scheduler.restart()
        scheduler.play(schedule)
        assert scheduler.status.text == f"{schedule}: nothing is broken. Go back, or restart, and try another order"
    assert text_of(scheduler.verdict.value) == "● Nothing is broken."
    assert text_of(scheduler.tally.value) == "3 attempts, 2 different schedules, 0 broken. ● holds BA ● holds AB"
    assert (scheduler.attempts, scheduler.tried) == (3, {"AB": False, "BA": False})


def test_clicks_may_come_on_any_thread(two_clicks: Scheduler) -> None:
    for letter in "AAAB":
        click = threading.Thread(target=two_clicks.steps[letter].click)
        click.start()
        click.join()
    assert two_clicks.game.schedule == "AAAB"


def test_three_actors_and_a_rollback_journal() -> None:
    three = [autocommitted(1), actors.conditional_update, actors.check_in_writing]
    scheduler = Scheduler(three, setup=one_order, invariant=one_live_task, journal="delete")
    press(scheduler, "B", "A", "C")
    assert scheduler.status.text == "Not possible: C waits for B. Let somebody else step, or go back"
    press(scheduler, "B", "B", "B", "A", "C", "C", "C")
    assert scheduler.status.text.startswith("BBBBACC")


def test_an_actors_error_is_told_in_words() -> None:
    click = actors.check_in_a_deferred_transaction
    scheduler = Scheduler([click] * 2, setup=one_order, invariant=one_live_task)
    scheduler.play("AABB")
    assert scheduler.status.text.startswith("AABB: B ran INSERT INTO task")
    assert "OperationalError: database is locked (SQLITE_BUSY)" in scheduler.status.text
    assert "B (check_in_a_deferred_transaction) ✖ error OperationalError" in text_of(scheduler.standing.value)
    scheduler.play("AA")
    assert "Nothing is broken. B ended with OperationalError" in text_of(scheduler.verdict.value)
    assert "SQLITE_BUSY: somebody else is writing" in text_of(scheduler.verdict.value)


class TestErrorsGoToTheStatusLine:
    def test_past_the_explorer(self, capfd: pytest.CaptureFixture[str]) -> None:
        lent: list[Engine] = []

        def lends(engine: Engine) -> None:
            autocommitted(1)(engine)
            lent.append(engine)

        def borrows(engine: Engine) -> None:
            autocommitted(1)(engine)
            autocommitted(1)(lent[-1])

        scheduler = Scheduler([lends, borrows], setup=one_order, invariant=nothing)
        scheduler.play("AB")
        assert scheduler.status.text.startswith(
            "✖ PastTheExplorer: actor A (lends) has its engine used by B's function"
        )
        assert scheduler.game.schedule == "A"
        assert capfd.readouterr() == ("", "")

    def test_an_invariant_that_raises(self) -> None:
        scheduler = Scheduler([autocommitted(1)], setup=one_order, invariant=lambda session: 1 / 0)  # type: ignore[arg-type, return-value]
        press(scheduler, "A")
        assert scheduler.status.text == "✖ ZeroDivisionError: division by zero"

    def test_an_interrupt(self) -> None:
        calls: list[int] = []

        def interrupted(engine: Engine) -> None:
            autocommitted(1)(engine)
            if calls:
                raise KeyboardInterrupt

        scheduler = Scheduler([interrupted] * 2, setup=one_order, invariant=nothing)
        calls.append(1)
        press(scheduler, "A")
        assert scheduler.status.text == "✖ KeyboardInterrupt"

    def test_wrong_arguments_are_an_error_in_the_own_cell(self) -> None:
        with pytest.raises(ValueError, match="0 actors found"):
            Scheduler([], invariant=nothing)


def test_everything_is_text() -> None:
    evil = "<img src=x onerror='alert(1)'>"

    def acts(engine: Engine) -> None:
        autocommitted(1)(engine)
        raise ValueError(evil)

    acts.__name__ = evil
    scheduler = Scheduler([acts], setup=one_order, invariant=lambda session: [evil])
    scheduler.play("A")
    parts = [scheduler.standing, scheduler.lanes, scheduler.rows, scheduler.verdict, scheduler.tally]
    html = "".join(part.value for part in parts) + scheduler._static_copy()
    assert "<img" not in html
    assert "&lt;img" in html


def all_models() -> int:
    """ipywidgets keeps every widget that is not closed, and sends them all to a page that is loaded again."""
    return len(sys.modules["ipywidgets.widgets.widget"]._instances)


def test_a_cell_run_again_takes_its_old_scheduler_away(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, models = set(threading.enumerate()), []
    for run in range(3):
        monkeypatch.setattr(
            "taskref_edu.widgets.scheduler.scheduler.current_cell", lambda run=run: cells.Cell("cell", f"{run}")
        )
        Scheduler([autocommitted(1)], setup=one_order, invariant=nothing).play("A")
        models.append(all_models())
    assert models[0] == models[1] == models[2]
    assert set(threading.enumerate()) <= threads


def test_a_cell_shows_a_live_view_and_a_static_copy() -> None:
    scheduler = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing)
    InteractiveShell.instance()
    with capture_output() as shown:
        scheduler._ipython_display_()
    live, static = (output.data for output in shown.outputs)
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == scheduler.box.model_id
    assert live["text/plain"] == "Scheduler(A = straight_line, B = straight_line): re-run this cell to make it live"
    assert "re-run this cell to make it live" in text_of(static["text/html"])
    assert "A stands before: UPDATE orders" in static["text/plain"]
