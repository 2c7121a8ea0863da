"""What is seen on the graph's edges is what a replay of any schedule shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer.observations import Observations
from tests.lab.explorer import actors
from tests.lab.explorer.actors import autocommitted, driver, nothing, one_live_task, one_order
from tests.lab.explorer.test_explore_crashes import amount, take_back

TIME = re.compile(r"'\d{4}-\d\d-\d\d [\d:.]+'")


def without_times(rows: dict[str, list[dict[str, Any]]], times: set[str]) -> Any:
    return {t: [{k: v for k, v in row.items() if k not in times} for row in found] for t, found in rows.items()}


@pytest.mark.parametrize("click", [actors.click_inverted, actors.check_in_a_deferred_transaction])
def test_every_schedule_is_a_walk_that_shows_what_its_replay_shows(click: actors.Actor) -> None:
    found = explore([click, click], setup=one_order, invariant=one_live_task, schema="as_written")
    seen = found.observe()
    assert len(seen.steps) == sum(len(state.edges) for state in seen.graph.states)
    assert (seen.graph.start.all, seen.graph.start.broken) == (found.count, len(found.broken))
    for schedule in [*found.broken[:5], *found.errors[:5]]:
        trace = found.replay(schedule)
        for place, state in enumerate(seen.graph.walk(schedule)[1:]):
            before, shown = seen.graph.walk(schedule)[place], trace.steps[place]
            step, after = seen.steps[before, schedule[place]], seen.states[state]
            assert (step.by, step.error) == (shown.actor, shown.error)
            assert TIME.sub("", step.sql) == TIME.sub("", shown.sql)
            rows = after.rows if shown.committed else after.open[shown.actor]
            assert without_times(rows, seen.times) == without_times(shown.rows, trace.seen.times)


def seen_of(*functions: actors.Actor) -> Observations:
    return explore(list(functions), setup=one_order, invariant=nothing).observe()


def steps(seen: Observations, schedule: str) -> list[Any]:
    return [seen.steps[state, letter] for state, letter in zip(seen.graph.walk(schedule), schedule, strict=False)]


def test_what_came_back_and_what_stood_around_it() -> None:
    select, insert, commit = steps(seen_of(actors.click_classic), "AAA")
    assert (select.kind, select.answer.rows, select.before, select.after) == ("read", [[0]], True, True)
    assert (select.pre, select.post) == (["BEGIN"], ["ROLLBACK"])
    assert (insert.kind, insert.changed, insert.id, insert.pre) == ("write", 1, 1, ["BEGIN"])
    assert (commit.kind, commit.before, commit.after) == ("commit", True, False)
    assert insert.line < select.line < commit.line  # the INSERT is sent by a helper above it in the same file


def test_who_waits_and_whose_answer_is_out_of_date() -> None:
    seen = seen_of(actors.click_inverted, actors.click_inverted)
    waits, stale = (seen.states[seen.graph.walk(schedule)[-1]] for schedule in ("AABA", "ABBBBB"))
    assert seen.states[seen.graph.walk("AAB")[-1]].waits == {"B": "A"}
    assert waits.waits == {}
    (now,) = stale.now["A"].values()
    assert [row[-1] for row in now.rows] == [1]
    assert stale.ended == "B"


def test_an_actor_that_fails_says_so_where_it_ends() -> None:
    def fails(engine: Engine) -> None:
        with driver(engine) as connection:
            connection.execute("INSERT INTO orders (id, customer, amount, status) VALUES (1, 'Eve', 0, 'new')")

    (step,) = steps(seen_of(fails), "A")
    assert (
        step.error == step.ends == "IntegrityError: UNIQUE constraint failed: orders.id (SQLITE_CONSTRAINT_PRIMARYKEY)"
    )


def test_a_crash_and_its_recovery() -> None:
    seen = explore_crashes(autocommitted(2), setup=one_order, recover=take_back, invariant=amount).observe()
    died = seen.steps[seen.graph.walk("A")[-1], "x"]
    assert (died.dies, died.undone, died.sql) == (True, False, "UPDATE orders SET amount = amount + 10")
    after, error = seen.recovered[seen.graph.walk("Ax")[-1]]
    assert (after.rows["orders"][0]["amount"], error) == (-1, None)
    assert [step.sql[-2:] for step in steps(seen, "AA")] == [" 1", "10"]  # the one that nobody kills


def test_some_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    found = explore([actors.click_inverted] * 2, setup=one_order, invariant=one_live_task)
    few = found.observe(schedules=[found.shortest or ""])
    assert len(few.steps) == len(found.shortest or "")
    monkeypatch.setattr("taskref_edu.lab.explorer.observations.MOST_EDGES", 5)
    assert 5 <= len(found.observe().steps) < sum(len(state.edges) for state in found.graph.states)


def test_a_statement_is_seen_in_a_session_that_is_read_later() -> None:
    def lazily(engine: Engine) -> None:
        with driver(engine) as connection:
            rows = connection.execute("SELECT id, customer FROM orders")
            connection.execute("UPDATE orders SET amount = 1")
            rows.fetchall()

    def reads(session: Session) -> list[str]:
        return nothing(session)

    found = explore([lazily], setup=one_order, invariant=reads)
    assert steps(found.observe(), "AA")[0].answer.rows == [[1, "Ada"]]
