"""How results are shown: counts first, everything escaped, no meaning by colour alone."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import Order, writing
from taskref_edu.lab import explore, explore_crashes, measure
from taskref_edu.lab.explorer.errors import CannotWriteTest
from taskref_edu.lab.explorer.result import ExplorationResult, switches
from taskref_edu.lab.player.page import data
from taskref_edu.lab.player.recording import Recording
from taskref_edu.lab.tables import Table
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, nothing, one_live_task, one_order


@pytest.fixture(scope="module")
def found() -> ExplorationResult:
    click = actors.click_inverted
    return explore([click, click], setup=one_order, invariant=one_live_task, schema="as_written")


def test_the_shortest_has_the_fewest_switches(found: ExplorationResult) -> None:
    assert found.shortest is not None
    fewest = min(len(re.findall("AB|BA", schedule)) for schedule in found.broken)
    assert switches(found.shortest) == fewest == 2


def test_text_begins_with_the_counts(found: ExplorationResult) -> None:
    lines = str(found).splitlines()
    assert lines[0] == "26 of 28 schedules break; nobody gets an error"
    assert lines[1] == "  in 26: 2 live tasks"
    assert f"The breaking schedule with the fewest switches (2): {found.shortest}" in lines
    assert "✕ Broken: 2 live tasks" in lines
    assert lines[-1].startswith("What would have helped: Check and write in one step")


def test_text_shows_each_step_in_its_lane_with_what_came_back(found: ExplorationResult) -> None:
    assert str(found.replay("AAAAAB")).splitlines() == [
        "AAAAAB   A = click_inverted, B = click_inverted",
        "",
        "B reads only after A has committed (step 5), and finds processing_task_id = 1 (step 6).",
        "",
        "     A                                                 B",
        "  1  SELECT … FROM orders WHERE id = 1",
        "       → processing_task_id = NULL",
        "  2  INSERT INTO task ('process_payment', 'pending')",
        "       → task 1",
        "       + task 1: pending  (not committed yet)",
        "  3  COMMIT",
        "  4  UPDATE orders SET processing_task_id = 1",
        "       WHERE id = 1",
        "       → 1 row changed",
        "       ~ order 1: processing_task_id NULL → 1  (not committed yet)",
        "  5  COMMIT",
        "  6                                                    SELECT … FROM orders WHERE id = 1",
        "                                                         → processing_task_id = 1",
        "",
        "the rows after it",
        "     orders   id=1 status=new processing_task_id=1",
        "     task     id=1 status=pending",
        "",
        "● Nothing is broken.",
    ]


def test_busy_is_explained_in_words() -> None:
    click = actors.check_in_a_deferred_transaction
    found = explore([click, click], setup=one_order, invariant=one_live_task)
    lines = str(found).splitlines()
    assert lines[0] == "0 of 24 schedules break; in 22 an actor gets an error"
    assert any(re.match(r"  in 7: A: DatabaseLocked: database is locked \(SQLITE_BUSY\)$", line) for line in lines)
    assert any(line.startswith("  SQLITE_BUSY: somebody else is writing") for line in lines)
    assert any(line.startswith("  SQLITE_BUSY_SNAPSHOT: somebody has written since") for line in lines)
    assert found.shortest is None


class TestHtml:
    def test_holds_every_schedule__a_still_and_a_table(self, found: ExplorationResult) -> None:
        html = found._repr_html_()
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])  # type: ignore[index]
        recording = Recording(data)
        assert [run.schedule for run in recording.runs if run.broken] == sorted(
            found.broken, key=lambda s: (switches(s), len(s), s)
        )
        assert len(recording.runs) == found.count
        assert 'src="data:image/svg+xml;base64,' in html
        assert html.count('<th scope="row"') == len(found.shortest or "")
        assert "<caption>Schedule" in html

    def test_a_replay_shows_the_one_schedule(self, found: ExplorationResult) -> None:
        trace = found.replay("AAAAAB")
        assert [run["s"] for run in trace.recording()["runs"]] == ["AAAAAB"]
        assert "This interleaving holds" in trace._repr_html_()
        assert "This interleaving holds" in trace.svg()

    def test_everything_is_escaped(self) -> None:
        evil = "<img src=x onerror='alert(1)'>\"</script>"

        def setup(engine: Engine) -> None:
            with writing(engine) as session:
                session.add(Order(id=1, customer=evil, amount=0))

        def acts(engine: Engine) -> None:
            with writing(engine) as session:
                session.execute(text("UPDATE orders SET status = :evil"), {"evil": evil})
            raise ValueError(evil)

        acts.__name__ = evil
        found = explore([acts, acts], setup=setup, invariant=lambda session: [evil])
        for html in (found._repr_html_(), found.replay("AAABBB")._repr_html_(), found.svg()):
            assert "<img src=x" not in html
            assert "onerror='alert(1)'>\"<" not in html

    def test_the_recording_says_what_the_text_says(self) -> None:
        found = explore([autocommitted(3)] * 2, setup=one_order, invariant=nothing, max_runs=5)
        assert any(note.startswith("NOT COMPLETE") for note in found.recording()["notes"])


@pytest.fixture(scope="module")
def large() -> ExplorationResult:
    return explore([actors.click_inverted] * 3, setup=one_order, invariant=one_live_task, schema="as_written")


@pytest.mark.nightly
class TestLarge:
    """An exploration whose schedules are too many to list."""

    def test_one_square_for_each_way_to_end(self, large: ExplorationResult) -> None:
        recording = Recording(large.recording())
        assert sum(run.count for run in recording.runs) == large.count
        assert sum(run.count for run in recording.runs if run.broken) == len(large.broken)
        assert recording.opened == large.shortest
        assert len(recording.runs) < 200

    def test_it_is_small(self, large: ExplorationResult) -> None:
        recording = large.recording()
        size = len(json.dumps(data(recording), ensure_ascii=False, separators=(",", ":")))
        assert size < 150_000


def test_as_test_is_a_case_that_fails_until_the_code_is_repaired(
    found: ExplorationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = found.as_test()
    assert f"def test_the_schedule_{found.shortest}() -> None:\n    # found: '2 live tasks'\n" in source
    exec(source, names := {})
    with pytest.raises(AssertionError, match="2 live tasks"):
        next(value for name, value in names.items() if name.startswith("test_"))()
    mended = actors.conditional_update
    monkeypatch.setattr(actors, "click_inverted", mended)
    exec(source, names := {})
    next(value for name, value in names.items() if name.startswith("test_"))()


def test_as_test_names_the_schema_if_it_is_not_the_usual_one() -> None:
    usual = explore([actors.read], setup=one_order, invariant=nothing).as_test("A")
    assert "schema=" not in usual
    other = explore([actors.read], setup=one_order, invariant=nothing, schema="as_written").as_test("A")
    assert ", schema='as_written', schedules=['A'])" in other


@pytest.mark.parametrize("nameless", [lambda engine: None, partial(actors.read), autocommitted(1)])
def test_as_test_needs_functions_that_can_be_imported(nameless: Any) -> None:
    found = explore([nameless], setup=one_order, invariant=nothing)
    with pytest.raises(CannotWriteTest, match="has no name by which a test could import it"):
        found.as_test("A")


def test_as_test_of_nothing() -> None:
    assert "nothing broke" in explore([autocommitted(1)], setup=one_order, invariant=nothing).as_test()


def test_as_test_names_the_journal_if_it_is_not_the_usual_one() -> None:
    found = explore([actors.read], setup=one_order, invariant=nothing, journal="delete")
    assert ", journal='delete', schedules=['A'])" in found.as_test("A")


class TestPlainText:
    """What a notebook shows where it shows no HTML, and what a terminal shows: never an object's insides."""

    @staticmethod
    def as_ipython_shows(shown: object) -> str:
        return DisplayFormatter().format(shown)[0]["text/plain"]

    def test_a_result_reads_the_same_everywhere(self, found: ExplorationResult, sqlite: Engine) -> None:
        cost = measure(sqlite, lambda session: session.execute(text("SELECT id FROM task WHERE id = 1")))
        trace = found.replay("AAAAAB")
        table = Table([{"a": 1}])
        for shown in (found, trace, trace.steps[0], cost, cost.sql, cost.sql[0], table):
            assert self.as_ipython_shows(shown) == str(shown) == repr(shown)
            assert "object at 0x" not in repr(shown)
            assert not repr(shown).startswith(type(shown).__name__)

    def test_a_crash_lab_s_result(self) -> None:
        lost = explore_crashes(actors.click_inverted, setup=one_order, invariant=one_live_task)
        assert self.as_ipython_shows(lost) == str(lost)
        assert repr(lost.points[3]) == "holds: COMMIT"

    def test_parts(self, found: ExplorationResult, sqlite: Engine) -> None:
        cost = measure(sqlite, lambda session: session.execute(text("SELECT id FROM task WHERE id = 1")))
        assert " VM steps, 1 statement, 0 rows read, 0 rows changed\n  SEARCH task USING" in repr(cost)
        assert repr(cost.sql[0]).splitlines()[1].startswith("  | SEARCH task USING")
        step = found.replay("AAAAAB").steps[1]
        assert repr(step).startswith("A  INSERT INTO task (type, payload,")
        assert repr(step).endswith("   (not committed yet)")


def test_schedules_of_broken_code_are_found_at_all(found: ExplorationResult) -> None:
    def never(_session: Session) -> list[str]:
        return []

    assert not found.holds
    assert explore([actors.click_inverted] * 2, setup=one_order, invariant=never, schema="as_written").holds
