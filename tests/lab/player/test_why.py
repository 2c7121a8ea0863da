"""The sentence why: for each pattern the facts that make it true, and none where no pattern fits."""

# ruff: noqa: E501 - a sentence or a statement is read on one line

from __future__ import annotations

import json
from collections import Counter

import pytest
from sqlalchemy import Engine

from taskref_edu.lab import explore
from taskref_edu.lab.player.answers import dependencies
from taskref_edu.lab.player.recording import Recording
from taskref_edu.lab.player.remedies import REMEDIES, remedy
from taskref_edu.lab.player.why import why
from tests.lab.player.scenarios import buy, deliver, item, recorded
from tests.lab.player.scenarios import run as send

pytestmark = pytest.mark.xdist_group("recordings")  # each is recorded once, in one process

NAMES = ["again", "cancel", "closing", "crash", "crash_recover", "crash_two", "early", "exercise", "form", "locked", "lost", "many", "race", "skew", "stale"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "schedule", "sentence"),
    [
        ("race", "AAAABBBBBBBAAA", "A and B both read processing_task_id = NULL (steps 1 and 5) before either UPDATE was committed (steps 11 and 14)."),
        ("exercise", "ABBA", "A and B both read task 1 (steps 1 and 2) before either UPDATE was committed (steps 3 and 4)."),
        ("many", "ABBCCA", "A and B both read task 1 (steps 1 and 2) before either UPDATE was committed (steps 3 and 6)."),
        ("again", "ABBA", "A and B both read task 1 (steps 1 and 2) before either UPDATE was committed (steps 3 and 4)."),
        ("asked", "BBBBBBAAAAAABBBBBB", "B read cancel_requested_at = NULL (step 6); then A committed cancel_requested_at = a time (step 12), and B still wrote (step 16). So it is in all 21 that break, and in none that holds."),
        ("lost", "ABA", "A read stock = 5 (step 1); then B committed stock = 15 (step 2). A still wrote stock = 4 (step 3): B’s change is lost."),
        ("form", "ABA", "A read status = new (step 1); then B committed status = paid (step 2). A still wrote status = new (step 3): B’s change is lost."),
        ("skew", "ABBA", "A and B both read on_call = 2 (steps 1 and 2); then A changed doctor 1 (step 4) and B changed doctor 2 (step 3). Neither saw the other’s change."),
        ("early", "ABBBA", "B looked for the order of task 1 (step 3) and found none: A had committed task 1 (step 1), and saved the reference only afterwards (step 5)."),
        ("cancel", "CAAABBB", "A cleared the reference of order 7 to task 1 (step 4) while that was running. B then read task_id = NULL (step 5) and inserted task 2 (step 6)."),
        ("closing", "ABAA", "A read open = 1 (step 1); then B committed open = 0 (step 2), and A still wrote (step 4). So it is in all 2 that break, and in none that holds."),
        ("stale", "ABCA", "A took task 1 (step 1); then B set it to pending (step 2), C set it to running (step 3), and A still wrote to it (step 4)."),
        ("locked", "AAABBA", "B has read (step 4) and wants to write while A is writing (step 3): a transaction that has read may not wait for a lock, so SQLite refuses it. Nothing breaks, but B fails."),
        ("locked", "AAABAB", "B read processing_task_id = NULL (step 4); then A committed (step 5): what B has read is out of date, and SQLite refuses its write. Nothing breaks, but B fails."),
        ("crash", "AAAx", "A was killed before BEGIN IMMEDIATE (step 4): task 1 was committed (step 3), the rest never ran."),
        ("crash", "AAx", "A was killed before COMMIT (step 3): its open transaction was rolled back."),
        ("crash_recover", "Ax", "A was killed before UPDATE orders SET task_id = 1 WHERE id = 7 (step 2): task 1 was committed (step 1), the rest never ran. Then clean removed task 1."),
        ("race", "AAAAAAAB", "This one holds: B reads only after A has committed (step 7), and finds processing_task_id = 1 (step 8)."),
        ("locked", "AAAAB", "B reads only after A has committed (step 4), and finds processing_task_id = 1 (step 5)."),
    ],
)  # fmt: skip
def test_the_sentence(name: str, schedule: str, sentence: str) -> None:
    recording = recorded(name)
    run = recording.run(schedule)
    assert run is not None
    assert str(why(recording, run)) == sentence


def test_a_write_that_only_renews_a_lease_is_not_what_came_too_late() -> None:
    asked = recorded("asked")
    run = asked.run("BBBBBBAAAAAABBBBBB")
    assert run is not None
    moments = asked.moments(run.schedule)
    assert asked.sql(moments[14].step).startswith("UPDATE task SET lease_expires_at")
    assert asked.sql(moments[16].step).startswith("UPDATE orders SET status")
    late = [dependency.act for dependency in dependencies(asked, moments) if dependency.stale is not None]
    assert late == [16]


def test_no_pattern__no_sentence() -> None:
    report = recorded("report")  # two counts of one transaction's world each: none of the patterns
    assert report.first is not None
    assert (report.first.outcome, why(report, report.first)) == ("bad", None)


def test_every_broken_schedule_of_a_pattern_has_its_sentence() -> None:
    found = Counter(
        (name, sentence.pattern if (sentence := why(recorded(name), run)) else None)
        for name in NAMES
        for run in recorded(name).runs
        if run.outcome == "bad"
    )
    assert found == {
        ("race", "same answer"): 34,
        ("exercise", "same answer"): 4,
        ("many", "same answer"): 84,
        ("again", "same answer"): 4,
        ("lost", "lost update"): 1,
        ("form", "lost update, put back"): 1,
        ("skew", "write skew"): 4,
        ("early", "started too early"): 2,
        ("cancel", "second after cancel"): 2,
        ("stale", "stale holder"): 1,
        ("closing", "stale read"): 2,
        ("crash", "killed"): 3,
        ("crash_two", "killed"): 2,
    }


@pytest.mark.parametrize("name", NAMES)
def test_sentences_name_facts(name: str) -> None:
    """Steps that are named exist; key steps are answers; an actor that is named has made a step or was killed."""
    recording = recorded(name)
    for run in recording.runs:
        if (sentence := why(recording, run)) is None:
            continue
        moments = recording.moments(run.schedule)
        steps = [int(part[1]) for part in sentence.parts if isinstance(part, tuple) and part[0] == "step"]
        assert steps
        assert all(1 <= step < len(moments) for step in steps)
        assert all("came" in moments[step].step for step in sentence.key)
        actors = {part[1] for part in sentence.parts if isinstance(part, tuple) and part[0] == "who"}
        assert actors <= {moment.by for moment in moments[1:]}


def test_an_update_that_adds_to_what_it_finds_loses_nothing() -> None:
    facts = json.loads(json.dumps(recorded("lost").facts))
    facts["sql"] = [sql.replace("SET stock = 4", "SET stock = stock - 1") for sql in facts["sql"]]
    recording = Recording(facts)
    assert recording.first is not None
    assert why(recording, recording.first) is None


def test_each_pattern_has_a_remedy() -> None:
    race = recorded("race")
    broken, held = race.runs[0], race.runs[-1]
    assert remedy(why(race, broken), "bad") == REMEDIES["same answer"]
    assert remedy(why(race, held), "good") == ""
    assert remedy(None, "bad") == ""
    found = {
        sentence.pattern for name in NAMES for run in recorded(name).runs if (sentence := why(recorded(name), run))
    }
    assert found - set(REMEDIES) <= {"holds"}


def test_what_is_said_beside_a_step_names_which_came_too_late() -> None:
    said = {
        name: dict(found.marks)
        for name, schedule in (("early", "ABBBA"), ("stale", "ABCA"), ("cancel", "CAAABBB"))
        if (found := why(recorded(name), recorded(name).ended(schedule)))
    }
    assert said == {
        "early": {5: "too late: B had looked in step 3"},
        "stale": {4: "too late: C had changed it in step 3"},
        "cancel": {4: "too early: task\u00a01 was running"},
    }


def test_a_read_explains_only_what_it_tells_apart() -> None:
    """Where a schedule breaks without it, too, it is no reason."""
    facts = json.loads(json.dumps(recorded("closing").facts))
    held = next(state for state in facts["states"] if "go" not in state and "broken" not in state)
    held["broken"] = ["something else"]
    recording = Recording(facts)
    assert {why(recording, run) for run in recording.runs if run.outcome == "bad"} == {None}


def test_an_error_is_known_by_the_databases_name_for_it__not_by_its_words() -> None:
    def buys_and_fails(engine: Engine) -> None:
        buy(engine)
        raise ValueError("database is locked (SQLITE_BUSY)? no: a UNIQUE constraint is missing")

    def sells(engine: Engine) -> None:
        send(engine, "INSERT INTO item VALUES (2, 1)")

    found = explore([buys_and_fails, deliver], setup=item, invariant=lambda session: [], schema=None)
    recording = Recording(found.recording())
    assert {why(recording, each) for each in recording.runs if each.outcome == "err"} == {None}
    twice = explore([sells, sells], setup=item, invariant=lambda session: [], schema=None).recording()
    assert {step["error_name"] for step in twice["steps"] if "error" in step} == {"SQLITE_CONSTRAINT_PRIMARYKEY"}
