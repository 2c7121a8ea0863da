"""The scheduler's side in the kernel: what it shows, what it hears from the page, what it tells."""

from __future__ import annotations

import gc
import json
import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import Engine

from taskref_edu.lab.explorer.errors import NoSuchSchedule
from taskref_edu.lab.explorer.graph import Schedules
from taskref_edu.lab.player.recording import Recording
from taskref_edu.widgets import Scheduler
from taskref_edu.widgets.scheduler.link import Link
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, nothing, one_live_task, one_order


@pytest.fixture(scope="module")
def two_clicks() -> Scheduler:
    return Scheduler(
        [actors.click_inverted] * 2,
        setup=one_order,
        invariant=one_live_task,
        schema="as_written",
        goal="Make <order> 1 be paid twice",
        names={"A": "first click", "B": "second click"},
        captions={"SELECT": "Is order 1 being paid?"},
    )


def given(html: str) -> dict[str, Any]:
    """The data in a player's element."""
    found = re.search(r'<script type="application/json">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])


def test_the_page_gets_all_schedules__the_goal_the_names_and_the_captions(two_clicks: Scheduler) -> None:
    html = two_clicks._repr_html_()
    data = given(html)
    assert data["options"] == {
        "game": True,
        "goal": "Make <order> 1 be paid twice",
        "names": {"A": "first click", "B": "second click"},
        "captions": {"SELECT": "Is order 1 being paid?"},
    }
    assert len(data["runs"]) == data["count"] == 28
    assert "more" not in {name for state in data["states"] for name in state}
    assert "<order>" not in html, "text stays text"
    assert "The same as a table" in unescape(html)


def test_a_schedule_is_played_from_a_program(two_clicks: Scheduler) -> None:
    assert two_clicks.play("AAABBBBBAA") == ["2 live tasks"]
    assert two_clicks.play("AAAAAB") == []
    assert two_clicks.tried == {"AAABBBBBAA": True, "AAAAAB": False}
    assert two_clicks.attempts == 2
    with pytest.raises(NoSuchSchedule, match="'AAAA' ends too early: A, B can go on"):
        two_clicks.play("AAAA")
    with pytest.raises(NoSuchSchedule, match="'AC' cannot happen: no step of 'C' at this place"):
        two_clicks.play("AC")


def test_what_it_is_without_a_page() -> None:
    scheduler = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing)
    assert repr(scheduler) == (
        "Scheduler(A = straight_line, B = straight_line): shown in a notebook, it lets you play 2 schedules"
    )


def test_missing_steps_come_as_a_recording_of_their_own(two_clicks: Scheduler) -> None:
    more = two_clicks.more("AAA")
    recording = Recording(more)
    assert [moment.by for moment in recording.moments("AAAB")] == ["", "A", "A", "A", "B"]
    assert recording.run("AAAB") is None
    assert set(recording.moments("AAA")[-1].state["go"]) == {"A", "B"}
    assert recording.moments("AAAB")[-1].state["more"] == "AB"


class TestLink:
    """Messages as they come from a page."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        told: list[Any] = []
        monkeypatch.setattr(Link, "send", lambda _self, content, buffers=None: told.append(content))
        return told

    def test_what_is_played_on_the_page_is_known_here(self, told: list[Any]) -> None:
        game, link = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing), Link()
        link.games["1"] = game
        link._handle_custom_msg({"game": "1", "played": "AB"}, [])
        assert (game.tried, told) == ({"AB": False}, [])

    def test_steps_that_are_missing_are_sent(self, told: list[Any]) -> None:
        game, link = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing), Link()
        link.games["1"] = game
        link._handle_custom_msg({"game": "1", "more": "A"}, [])
        (answer,) = told
        assert (answer["game"], answer["after"]) == ("1", "A")
        assert Recording(answer["more"]).moments("AB")[-1].by == "B"

    def test_nonsense_is_answered_with_an_error__and_changes_nothing(self, told: list[Any]) -> None:
        game, link = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing), Link()
        link.games["1"] = game
        for message in ({"game": "1", "played": "AAAA"}, {"game": "1", "more": "?"}, {"game": "9", "played": "AB"}, {}):
            link._handle_custom_msg(message, [])
        assert game.tried == {}
        assert [set(answer) for answer in told] == [{"game", "error"}] * 2

    def test_a_game_that_nobody_holds_is_forgotten(self, told: list[Any]) -> None:
        link = Link()
        link.games["1"] = Scheduler([autocommitted(1)] * 2, setup=one_order, invariant=nothing)
        gc.collect()
        link._handle_custom_msg({"game": "1", "played": "AB"}, [])
        assert told == []


def test_without_a_kernel_there_is_no_link(two_clicks: Scheduler) -> None:
    assert "link" not in given(two_clicks._repr_html_())["options"]


def test_three_actors_and_a_rollback_journal() -> None:
    def reads(engine: Engine) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT status FROM orders")

    scheduler = Scheduler([autocommitted(1), reads, reads], setup=one_order, invariant=nothing, journal="delete")
    assert set(scheduler.found.names) == {"A", "B", "C"}
    assert scheduler.play(Schedules(scheduler.found.graph)[0]) == []
