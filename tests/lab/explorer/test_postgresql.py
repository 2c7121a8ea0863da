"""The explorer on a real PostgreSQL: the same result; and waits, deadlocks, connections that are lost."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, writing
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer import errors
from taskref_edu.lab.explorer.graph import Schedules
from tests.lab.explorer.actors import Actor, nothing

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]


def two_orders(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([Order(id=number, customer="Ada", amount=0) for number in (1, 2)])


def check_in_writing(engine: Engine) -> None:
    with writing(engine) as session:
        order = session.get_one(Order, 1)
        if order.processing_task_id is None:
            order.processing_task_id = TaskQueue(engine).enqueue(session, "process_payment").id


def one_task(session: Session) -> list[str]:
    count = session.execute(text("SELECT count(*) FROM task")).scalar_one()
    return [] if count == 1 else [f"{count} tasks"]


def updates(*orders: int, at_once: bool = False) -> Actor:
    def actor(engine: Engine) -> None:
        for number in orders:
            with engine.begin() as connection:
                for each in orders if at_once else [number]:
                    connection.execute(text("UPDATE orders SET amount = amount + 1 WHERE id = :id"), {"id": each})
            if at_once:
                return

    return actor


def databases(url: str) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
    engine.dispose()
    return {name for name in found if name.startswith("taskref_explore_")}


def test_what_sqlite_keeps_apart_breaks_here(postgresql_url: str) -> None:
    """The same function: one lock covers a SQLite file, and BEGIN excludes nobody on a server."""
    options: dict[str, Any] = {"setup": two_orders, "invariant": one_task}
    assert explore([check_in_writing] * 2, **options).holds
    found = explore([check_in_writing] * 2, url=postgresql_url, **options)
    assert (found.count, len(found.broken), found.errors) == (50, 48, [])
    assert found.speaks_for.startswith("PostgreSQL ")
    assert "This speaks for PostgreSQL" in str(found)
    assert found.shortest in found.broken
    trace = found.replay(found.shortest or "")
    assert trace.broken == ("2 tasks",)
    assert len(trace.steps[-1].rows["task"]) == 2
    assert databases(postgresql_url) == set()


def test_statements_that_wait_for_nobody_are_as_many_as_combinatorics_says(postgresql_url: str) -> None:
    found = explore([updates(1, 1), updates(2)], setup=two_orders, invariant=nothing, url=postgresql_url)
    assert (found.count, found.holds) == (comb(6, 2), True)  # an UPDATE and a COMMIT for each


def reads(*orders: int) -> Actor:
    def actor(engine: Engine) -> None:
        for number in orders:
            with engine.connect() as connection:
                connection.execute(text("SELECT amount FROM orders WHERE id = :id"), {"id": number})

    return actor


ACTORS = [updates(1), updates(2), updates(1, 1), reads(1), reads(1, 2), check_in_writing]


@pytest.mark.nightly
@pytest.mark.parametrize("actors", list(combinations_with_replacement(ACTORS, 2)))
def test_the_graph_says_what_the_exhaustive_walk_says(postgresql_url: str, actors: tuple[Actor, Actor]) -> None:
    """Counts, verdicts and errors, schedule by schedule; and each sampled schedule of the graph runs as it says."""
    options: dict[str, Any] = {"setup": two_orders, "invariant": one_task, "url": postgresql_url}
    found, walked = explore(actors, **options), explore(actors, merge=False, **options)
    assert (found.count, found.problems, found.shortest) == (walked.count, walked.problems, walked.shortest)
    assert (list(found.broken), list(found.errors)) == (list(walked.broken), list(walked.errors))
    for schedule in list(Schedules(found.graph))[:: max(1, found.count // 3)]:
        assert found.replay(schedule).broken == found.problems.get(schedule, ())


def test_a_statement_that_waits_is_a_small_letter(postgresql_url: str) -> None:
    found = explore([updates(1), updates(1)], setup=two_orders, invariant=nothing, url=postgresql_url)
    assert set(found.graph.walk("AbAB")) <= set(range(len(found.graph.states)))
    trace = found.replay("AbAB")
    assert trace.steps[1].sql.endswith("  (has to wait)")
    assert [step.actor for step in trace.steps] == list("ABAB")
    assert "UPDATE orders" in str(trace)
    seen = found.observe()
    assert seen.states[seen.graph.walk("Ab")[-1]].waits == {"B": "A"}
    assert len(seen.steps) == sum(len(state.edges) for state in seen.graph.states)


def test_a_deadlock_is_an_error_with_its_name(postgresql_url: str) -> None:
    crossed = [updates(1, 2, at_once=True), updates(2, 1, at_once=True)]
    found = explore(crossed, setup=two_orders, invariant=nothing, url=postgresql_url)
    assert found.errors
    assert all("deadlock detected (DeadlockDetected)" in said for said in found.graph.texts()[1])
    assert "DeadlockDetected: each waits for a row" in str(found)


def test_an_actor_that_waits_for_itself(postgresql_url: str) -> None:
    def twice(engine: Engine) -> None:
        with engine.begin() as one, engine.begin() as other:
            for connection in (one, other):
                connection.execute(text("UPDATE orders SET amount = 1"))

    found = explore([twice], setup=two_orders, invariant=nothing, url=postgresql_url)
    assert list(found.error_texts.values()) == [("A: Deadlock: A waits for itself (UPDATE orders SET amount = 1)",)]


class TestCrashes:
    def test_before_each_statement_and_during_commit(self, postgresql_url: str) -> None:
        lost = explore_crashes(check_in_writing, setup=two_orders, invariant=one_task, url=postgresql_url)
        assert dict(lost.problems) == {"x": ("0 tasks",), "Ax": ("0 tasks",), "AAx": ("0 tasks",), "AAAx": ("0 tasks",)}
        assert (lost.count, "AAAy" in lost.problems, lost.errors) == (5, False, [])  # committed, and nobody heard of it
        assert repr(lost.points[4]) == "BROKEN (1 of 2): COMMIT"

    def test_the_locks_of_the_dead_are_free(self, postgresql_url: str) -> None:
        lost = explore_crashes([updates(1), updates(1)], setup=two_orders, invariant=nothing, url=postgresql_url)
        assert lost.holds
        assert "AbxB" not in lost.broken
        assert any(schedule.startswith("Ab") for schedule in Schedules(lost.graph))

    def test_recovery(self, postgresql_url: str) -> None:
        lost = explore_crashes(
            check_in_writing, setup=two_orders, recover=check_in_writing, invariant=one_task, url=postgresql_url
        )
        assert lost.holds, str(lost)


class TestRefused:
    def test_another_engine(self, postgresql_url: str) -> None:
        others = create_engine("sqlite://")

        def uses_it(_engine: Engine) -> None:
            others.connect().close()

        with pytest.raises(errors.PastTheExplorer, match=r"actor B \(uses_it\) (used another engine|opened a SQLite)"):
            explore([updates(1), uses_it], setup=two_orders, invariant=nothing, url=postgresql_url)
        others.dispose()

    def test_code_that_has_not_run(self, postgresql_url: str) -> None:
        async def later(_engine: Engine) -> None: ...

        with pytest.raises(errors.PastTheExplorer, match=r"actor A \(later\) returned a coroutine"):
            explore([later], setup=two_orders, invariant=nothing, url=postgresql_url)
        assert databases(postgresql_url) == set()

    def test_an_actor_that_never_ends(self, postgresql_url: str) -> None:
        def goes_on(engine: Engine) -> None:
            while True:
                updates(1)(engine)

        with pytest.raises(errors.ActorNeverEnds, match="A made 6 steps in"):
            explore([goes_on], setup=two_orders, invariant=nothing, url=postgresql_url, max_steps=5)


@pytest.mark.nightly
def test_bounds(postgresql_url: str) -> None:
    options: dict[str, Any] = {"setup": two_orders, "invariant": one_task, "url": postgresql_url}
    found = explore([check_in_writing] * 2, max_runs=5, **options)
    assert (found.count, found.complete, found.holds) == (5, False, False)
    assert explore([check_in_writing] * 2, stop_at_first=True, **options).broken


class TestRecordings:
    @pytest.mark.nightly
    def test_answers_and_what_they_would_be_now(self, postgresql_url: str) -> None:
        found = explore([check_in_writing] * 2, setup=two_orders, invariant=one_task, url=postgresql_url)
        told = str(found)
        assert "A and B both read processing_task_id = NULL (steps 1 and 3) before either UPDATE was committed" in told
        assert "→ task 1" in told  # what RETURNING returned
        assert "(out of date: now 2)" in told
        seen = found.observe(["AABBBBAA"])
        assert (seen.keys, seen.references) == (
            {"task": "id", "orders": "id"},
            {"orders.processing_task_id": "task"},
        )
        first, *_, last = (step for step in seen.steps.values() if step.by == "A")
        assert (first.before, first.after, last.before, last.after) == (False, True, True, False)
        assert "SELECT" not in last.sql
        assert found.recording()["actors"]

    @pytest.mark.nightly
    def test_the_code_fetches_its_rows_all_the_same(self, postgresql_url: str) -> None:
        def reads(engine: Engine) -> list[Any]:
            with engine.connect() as connection:
                result = connection.execute(text("SELECT id, 'None' FROM orders ORDER BY id"))
                return [tuple(result.fetchone() or ()), *map(tuple, result.fetchall())]

        def as_they_are(_session: Session, _errors: Any, results: dict[str, Any]) -> list[str]:
            return [] if results == {"A": [(1, "None"), (2, "None")]} else [str(results)]

        found = explore([reads], setup=two_orders, invariant=as_they_are, url=postgresql_url)
        assert found.holds, str(found)
        assert [step.answer.rows for step in found.observe().steps.values() if step.answer] == [
            [[1, "None"], [2, "None"]]
        ]

    @pytest.mark.nightly
    def test_a_failed_transaction_is_shown_too(self, postgresql_url: str) -> None:
        crossed = [updates(1, 2, at_once=True), updates(2, 1, at_once=True)]
        found = explore(crossed, setup=two_orders, invariant=nothing, url=postgresql_url)
        seen = found.observe()
        assert len(seen.steps) == sum(len(state.edges) for state in seen.graph.states)
        assert all(step.after for (_, move), step in seen.steps.items() if move.islower())  # it waits within it
        assert "waits for B’s lock" in str(found)

    def test_who_dies_before_its_first_statement_leaves_no_transaction(self, postgresql_url: str) -> None:
        lost = explore_crashes(check_in_writing, setup=two_orders, invariant=one_task, url=postgresql_url)
        seen = lost.observe()
        assert [seen.steps[seen.graph.walk(way)[-1], "x"].undone for way in ("", "A", "AA")] == [False, True, True]
