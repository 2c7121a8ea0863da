"""A recording says what the lab's own replay says, step by step, and it is small."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from taskref_edu.lab.explorer.graph import Schedules
from taskref_edu.lab.explorer.recorder import listed, one_of, plain, without_times
from taskref_edu.lab.player.page import data
from taskref_edu.lab.player.recording import DIES
from tests.lab.player.scenarios import SCENARIOS, found, recorded

pytestmark = pytest.mark.xdist_group("recordings")  # each is recorded once, in one process


@pytest.mark.parametrize("name", ["race", "locked", "exercise", "cancel", "crash_recover", "crash_two"])
def test_every_schedule_is_as_replayed(name: str) -> None:
    recording, result = recorded(name), found(name)
    assert sorted(run.schedule for run in recording.runs) == list(Schedules(result.graph))
    for run in recording.runs:
        trace = result.replay(run.schedule)
        assert run.broken == trace.broken
        assert {text[0] for text in run.errors} == set(trace.errors)
        moments = recording.moments(run.schedule)[1:]
        for moment, step in zip(moments, trace.steps, strict=True):
            assert moment.by == step.actor
            if step.actor and step.sql != DIES:
                assert recording.sql(moment.step) == without_times(step.sql), run.schedule
            seen = moment.state["rows"] if step.committed else recording.seen(moment, step.actor)
            rows: dict[str, list[dict]] = {table: [] for table in recording.facts["tables"]}
            for table, row in map(recording.row, seen):
                rows[table].append(row)
            for table, expected in step.rows.items():
                columns = recording.facts["tables"].get(table, {}).get("cols", [])
                assert rows.get(table, []) == [{c: row[c] for c in columns} for row in expected], run.schedule


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_complete_and_small(name: str) -> None:
    facts = recorded(name).facts
    assert len(facts["runs"]) == facts["count"] == found(name).count
    assert not any("more" in state for state in facts["states"])
    assert len(json.dumps(data(facts), ensure_ascii=False, separators=(",", ":"))) < 150_000


def test_the_learners_lines_are_known() -> None:
    lines = {step["line"] for step in recorded("exercise").facts["steps"]}
    source = recorded("exercise").facts["code"].splitlines()
    assert {source[line - 1].strip()[:20] for line in lines} == {"task = session.exec(", "session.execute(upda"}


def test_nothing_of_the_day_is_in_it() -> None:
    text = json.dumps(recorded("race").facts)
    assert not re.search(f"{datetime.now(UTC):%Y-%m-%d}", text)


def test_of_many_schedules_one_for_each_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskref_edu.lab.explorer.recorder.MOST_RUNS", 10)
    result = found("race")
    runs = listed(result.observe([]).graph, result.count)
    assert sum(count for _, count in runs) == 36
    assert runs[0][0] == result.shortest


def test_values_and_words() -> None:
    assert [plain(value) for value in (None, 1, b"\x00\xff", "x")] == [None, 1, "00ff", "x"]
    assert plain("x" * 600).endswith("…")
    assert [one_of(table) for table in ("orders", "categories", "task", "address")] == [
        "order",
        "category",
        "task",
        "address",
    ]
    assert without_times("SET a='2026-01-02 03:04:05.678901'\n  WHERE b='2030-01-01 12:00:00.000000'") == (
        "SET a='…time…'\nWHERE b='2030-01-01 12:00:00.000000'"
    )
