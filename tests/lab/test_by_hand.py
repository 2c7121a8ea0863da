"""A schedule by hand: the same steps, rows and verdicts as in an exploration."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from taskref_edu.lab import explore
from taskref_edu.lab.by_hand import ByHand
from taskref_edu.lab.explorer.errors import NotRepeatable
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, nothing, one_live_task, one_order


@pytest.fixture
def game() -> ByHand:
    return ByHand([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")


def test_step_by_step_to_a_break(game: ByHand) -> None:
    found = explore([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")
    assert found.shortest is not None
    for place, letter in enumerate(found.shortest):
        assert (game.ended, game.broken) == (False, ())
        assert len(game.trace.steps) == place
        assert game.go(letter)
    assert (game.schedule, game.ended, game.broken) == (found.shortest, True, ("2 live tasks",))
    assert str(game).endswith("BROKEN: 2 live tasks")


def test_where_the_actors_stand(game: ByHand) -> None:
    assert str(game).splitlines()[-2].startswith("A stands before: SELECT … FROM orders")
    game.go("A")
    game.go("A")
    game.go("B")
    assert game.trace.standing["A"] == "COMMIT"
    assert game.trace.standing["B"].startswith("INSERT INTO task")
    assert game.trace.waiting == {"B": "A"}
    assert str(game).splitlines()[-1].startswith("B waits for A with: INSERT INTO task")


def test_who_has_to_wait_makes_no_step(game: ByHand) -> None:
    for letter in "AAB":
        assert game.go(letter)
    assert not game.go("B")
    assert game.refused.startswith("B waits for A (INSERT INTO task")
    assert game.schedule == "AAB"
    assert game.go("A")
    assert game.go("B")


def test_back_and_restart(game: ByHand) -> None:
    for letter in "AAA":
        game.go(letter)
    game.back()
    assert (game.schedule, game.trace.steps[-1].rows["task"][0]["id"]) == ("AA", 1)
    game.restart()
    assert (game.schedule, game.trace.start["task"]) == ("", [])
    game.back()
    assert game.schedule == ""


def test_one_that_has_ended_makes_no_step() -> None:
    game = ByHand([autocommitted(1), autocommitted(1)], setup=one_order, invariant=nothing)
    assert game.go("A")
    assert not game.go("A")
    assert list(game.trace.standing) == ["B"]
    assert game.refused == "A has no step left"
    assert not game.go("C")
    assert game.refused == "'AC' names 'C'; the actors are A, B"


def test_a_break_is_kept_as_the_same_test(game: ByHand) -> None:
    found = explore([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written")
    for letter in found.shortest or "":
        game.go(letter)
    assert game.as_test() == found.as_test()


def test_a_function_that_remembers_is_told() -> None:
    calls: list[int] = []

    def remembers(engine: Engine) -> None:
        calls.append(1)
        autocommitted(3 if len(calls) < 4 else 1)(engine)

    game = ByHand([remembers], setup=one_order, invariant=nothing)
    assert game.go("A")
    assert game.go("A")
    with pytest.raises(NotRepeatable, match="'AA' went well before, and now A has no step left: let the functions"):
        game.go("A")


def test_everybody_waiting_ends_it() -> None:
    from tests.lab.explorer.test_waiting import TestEverybodyWaits

    game = ByHand([TestEverybodyWaits.for_itself], setup=one_order, invariant=nothing)
    assert game.go("A")
    assert game.ended
    assert "Deadlock: A waits for itself" in str(game)
