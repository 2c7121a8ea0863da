"""A recording is checked before it is drawn, and read by walking over its states."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from taskref_edu.lab import explore
from taskref_edu.lab.explorer.graph import Graph
from taskref_edu.lab.player.recording import Bracket, Change, Recording, RecordingError, switches
from taskref_edu.lab.player.short_sql import one_line
from tests.lab.player.scenarios import recorded, run, tables

pytestmark = pytest.mark.xdist_group("recordings")  # each is recorded once, in one process


def test_the_worst_with_the_fewest_switches_comes_first() -> None:
    race = recorded("race")
    assert [(run.schedule, run.outcome, switches(run.schedule)) for run in (race.runs[0], race.runs[-1])] == [
        ("AAAABBBBBBBAAA", "bad", 2),
        ("BBBBBBBA", "good", 1),
    ]
    assert race.first == race.runs[0]
    locked = recorded("locked").first
    assert locked is not None
    assert locked.outcome == "err"


def test_crash_points_stay_in_the_sequence_of_their_steps() -> None:
    crash = recorded("crash")
    assert [run.schedule for run in crash.runs] == ["x", "Ax", "AAx", "AAAx", "AAAAx", "AAAAAx"]
    assert crash.first is not None
    assert (crash.first.schedule, switches(crash.first.schedule)) == ("AAAx", 0)


def test_where_every_crash_point_holds_one_that_was_repaired_is_opened() -> None:
    assert recorded("crash_recover").opened == "Ax", "before its first step there is nothing to repair"


def test_a_time_is_kept_where_the_rest_of_the_row_does_not_tell_whether_it_is_set() -> None:
    def cancelled(engine: Engine) -> None:
        run(engine, "UPDATE task SET asked_at = '2026-01-02 03:04:05.678901', seen_at = '2026-01-02 03:04:05.678901'")
        run(engine, "UPDATE task SET status = 'done', ended_at = '2026-01-02 03:04:05.678901'")

    table = (
        "CREATE TABLE task (id INTEGER PRIMARY KEY, status TEXT, asked_at DATETIME, ended_at DATETIME, seen_at DATETIME"
    )
    setup = tables(f"{table} DEFAULT '2026-01-01 00:00:00.000000')", "INSERT INTO task (status) VALUES ('running')")
    facts = explore([cancelled], setup=setup, invariant=lambda session: [], schema=None).recording()
    assert facts["tables"]["task"]["cols"] == ["id", "status", "asked_at"]
    rows = [[1, "done", "a time"], [1, "running", "a time"], [1, "running", None]]
    assert sorted((row[1:] for row in facts["rows"]), key=str) == rows
    statements = {one_line(Recording(facts).clauses(step)) for step in facts["steps"]}
    assert statements == {"UPDATE task SET asked_at = ‹now›", "UPDATE task SET status = 'done'"}


def test_a_run_that_is_not_followed_to_its_end_is_none() -> None:
    race = recorded("race")
    assert race.run("AAAA") is None
    assert race.run("AAAAAAABBBBB") is None
    assert [moment.by for moment in race.moments("AABx")] == ["", "A", "A", "B"]


def test_changes_are_what_the_actor_itself_sees() -> None:
    race = recorded("race")
    moments = race.moments("AAAABBBBBBBAAA")
    assert race.changes(moments, 1) == []
    (inserted,) = race.changes(moments, 3)
    assert (inserted.table, inserted.key, inserted.was) == ("task", 1, None)
    (seen_by_all,) = race.changes(moments, 4)
    assert seen_by_all == inserted
    (overwritten,) = race.changes(moments, 13)
    assert isinstance(overwritten, Change)
    assert overwritten.columns == ("processing_task_id",)
    assert (overwritten.was or {})["processing_task_id"] == 2
    assert (overwritten.now or {})["processing_task_id"] == 1


def test_a_row_that_equals_another_one_is_a_row_of_its_own() -> None:
    def charge(engine: Engine) -> None:
        run(engine, "INSERT INTO charge VALUES (7, 'paid')")

    setup = tables("CREATE TABLE charge (order_id INTEGER, status TEXT)")
    twice = explore([charge, charge], setup=setup, invariant=lambda session: [], schema=None)
    recording = Recording(twice.recording())
    moments = recording.moments("AB")
    added = [recording.changes(moments, number) for number in (1, 2)]
    assert [[(change.key, change.was) for change in step] for step in added] == [[(7, None)], [("7 (2)", None)]]


def test_transactions_are_bracketed__a_lone_read_is_not() -> None:
    race = recorded("race")
    brackets = race.brackets(race.moments("AAAABBBBBBBAAA"))
    assert sorted((b.by, b.first, b.last) for b in brackets) == [("A", 2, 4), ("A", 12, 14), ("B", 6, 8), ("B", 9, 11)]
    (torn,) = recorded("crash").brackets(recorded("crash").moments("AAx"))
    assert torn == Bracket("A", 1, 2, torn=True)
    (going_on,) = race.brackets(race.moments("AA"))
    assert going_on.open


@pytest.mark.parametrize(("schedule", "count"), [("AABB", 1), ("ABbA", 2), ("AAxBB", 1), ("AAyBB", 1), ("BAxB", 2)])
def test_a_death_is_no_switch__nor_a_statement_that_waits(schedule: str, count: int) -> None:
    assert switches(schedule) == count
    graph = Graph()
    graph.add(schedule, ("broken",), {})
    graph.count_paths()
    assert graph.easiest() == {len(schedule): (count, len(schedule), schedule)}


def test_a_writing_is_seen_from_its_commit_on() -> None:
    race = recorded("race")
    moments = race.moments("AAAABBBBBBBAAA")
    assert (race.commit_of(moments, 3), race.commit_of(moments, 13)) == (4, 14)
    exercise = recorded("exercise")
    assert exercise.commit_of(exercise.moments("ABBA"), 3) == 3, "each statement by itself"
    crash = recorded("crash")
    assert crash.commit_of(crash.moments("AAx"), 2) is None


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"states": None}, "recording without 'states' found; version 2 has one: record it again"),
        ({"v": 1}, "recording version 1 found, 2 expected: record it again"),
        ({"kind": "films"}, "kind 'films' found, one of schedules, crashes expected"),
    ],
)
def test_what_cannot_be_drawn_is_refused(spoiled: dict[str, Any], said: str) -> None:
    facts = {**recorded("race").facts, **spoiled}
    with pytest.raises(RecordingError) as refused:
        Recording({name: value for name, value in facts.items() if value is not None})
    assert said in str(refused.value)
