"""An actor's function begins anew in each schedule, though its greenlet goes on."""

from __future__ import annotations

import gc
from contextvars import ContextVar

import pytest
from greenlet import greenlet
from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order
from taskref_edu.errors import ReadOnlySession
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer import errors
from tests.lab.explorer.actors import autocommitted, driver, nothing, one_order

NAME: ContextVar[str] = ContextVar("name", default="nobody")


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(each, greenlet) and bool(each) for each in gc.get_objects())


def test_a_context_variable_does_not_outlive_its_schedule():
    found: set[str] = set()

    def sets(engine: Engine) -> None:
        found.add(NAME.get())
        NAME.set("somebody")
        autocommitted(2)(engine)
        found.add(NAME.get() + " after")

    explore([sets, sets], setup=one_order, invariant=nothing)
    assert found == {"nobody", "somebody after"}
    assert NAME.get() == "nobody"


def test_an_actor_that_died_lives_in_the_next_schedule():
    began: list[int] = []

    def counts(engine: Engine) -> None:
        began.append(1)
        autocommitted(2)(engine)

    found = explore_crashes(counts, setup=one_order, recover=lambda engine: None, invariant=nothing)
    assert found.count == 2
    assert len(began) == 3  # the last time there was no step left to die before


def test_no_greenlet_is_left_behind():
    def swallows(engine: Engine) -> None:
        with driver(engine) as connection:
            try:
                connection.execute("SELECT 1")
                connection.execute("SELECT 2")
            except BaseException:
                return

    def interrupted(_engine: Engine) -> None:
        raise KeyboardInterrupt

    before = greenlets()
    explore([autocommitted(2), swallows], setup=one_order, invariant=nothing)
    explore([autocommitted(2), swallows], setup=one_order, invariant=nothing, max_runs=2)
    explore_crashes([swallows, swallows], crash=0, setup=one_order, recover=lambda engine: None, invariant=nothing)
    with pytest.raises(KeyboardInterrupt):
        explore([autocommitted(2), interrupted], setup=one_order, invariant=nothing)
    with pytest.raises(errors.ActorNeverEnds):
        explore([autocommitted(9)], setup=one_order, invariant=nothing, max_steps=2)
    assert greenlets() <= before


def test_the_invariant_meets_a_session_without_a_past():
    seen: list[tuple[int, int]] = []

    def asks(session: Session) -> list[str]:
        before = len(session.identity_map)
        seen.append((before, session.get_one(Order, 1).amount))
        return []

    explore([autocommitted(2), autocommitted(2)], setup=one_order, invariant=asks)
    assert len(seen) > 1
    assert {before for before, _ in seen} == {0}
    assert len({amount for _, amount in seen}) == 1


def test_an_invariant_that_changes_an_object_is_refused():
    def changes(session: Session) -> list[str]:
        session.get_one(Order, 1).amount += 1
        return []

    with pytest.raises(ReadOnlySession):
        explore([autocommitted(2), autocommitted(2)], setup=one_order, invariant=changes)
