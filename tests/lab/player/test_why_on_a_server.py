"""The sentence why on a real PostgreSQL: a deadlock, refused writes, statements that wait."""

# ruff: noqa: E501 - a sentence is read on one line

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskref_edu.lab import explore
from taskref_edu.lab.player.recording import Recording
from taskref_edu.lab.player.remedies import REMEDIES, remedy
from taskref_edu.lab.player.why import why
from tests.lab.explorer.actors import nothing
from tests.lab.explorer.test_postgresql import check_in_writing, one_task, two_orders, updates

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]


def reads_and_writes(isolation: str) -> Any:
    def actor(engine: Engine) -> None:
        with engine.connect().execution_options(isolation_level=isolation) as connection, connection.begin():
            amount = connection.execute(text("SELECT amount FROM orders WHERE id = 1")).scalar_one()
            connection.execute(text("UPDATE orders SET amount = :new WHERE id = 1"), {"new": amount + 1})

    return actor


def inserts_if_missing(engine: Engine) -> None:
    with engine.begin() as connection:
        if connection.execute(text("SELECT count(*) AS n FROM orders WHERE id = 5")).scalar_one() == 0:
            values = "(5, 'Eve', 0, 'new')"
            connection.execute(text(f"INSERT INTO orders (id, customer, amount, status) VALUES {values}"))


def fills_the_other(order: int) -> Any:
    def actor(engine: Engine) -> None:
        with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection, connection.begin():
            connection.execute(text("SELECT sum(amount) AS total FROM orders"))
            connection.execute(text(f"UPDATE orders SET amount = amount + 1 WHERE id = {order}"))

    return actor


def sentences(url: str, *actors: Any, invariant: Any = nothing) -> tuple[Recording, dict[str, str]]:
    recording = Recording(explore(list(actors), setup=two_orders, invariant=invariant, url=url).recording())
    return recording, {run.schedule: str(why(recording, run)) for run in recording.runs if run.outcome != "good"}


def test_a_deadlock(postgresql_url: str) -> None:
    """The server may end another one each time: it is named where that was so in both runs."""
    recording, said = sentences(postgresql_url, updates(1, 2, at_once=True), updates(2, 1, at_once=True))
    assert said
    for schedule, sentence in said.items():
        waits, _, end = sentence.partition(": a deadlock, and the database ended ")
        first, second = (re.escape(f"{x} waited for {y}’s lock (step ") for x, y in ("AB", "BA"))
        assert re.fullmatch(rf"({first}|{second})\d\) and [AB] for [AB]’s \(step \d\)", waits), schedule
        assert end in {f"{x}. Nothing breaks, but {x} fails." for x in ("A", "B", "one of them")}
    assert recording.first is not None
    assert remedy(why(recording, recording.first), "err") == REMEDIES["deadlock"]


@pytest.mark.parametrize(
    ("actor", "schedule", "sentence"),
    [
        (reads_and_writes("REPEATABLE READ"), "ABBBAA", "A read amount = 0 (step 1); then B committed (step 4): what A has read is out of date, and its UPDATE is refused (step 5). Nothing breaks, but A fails."),
        (reads_and_writes("REPEATABLE READ"), "AABbAB", "B read amount = 0 (step 3); then A committed (step 5): what B has read is out of date, and its UPDATE is refused (step 4). Nothing breaks, but B fails."),
        (inserts_if_missing, "ABBBAA", "A read n = 0 (step 1); then B committed (step 4): what A has read is out of date, and its INSERT is refused (step 5). Nothing breaks, but A fails."),
    ],
)  # fmt: skip
def test_a_write_that_is_refused(postgresql_url: str, actor: Any, schedule: str, sentence: str) -> None:
    _, said = sentences(postgresql_url, actor, actor)
    assert said[schedule] == sentence


@pytest.mark.nightly
def test_a_commit_that_is_refused__and_the_recorder_ends_nobody(postgresql_url: str) -> None:
    """To look into a SERIALIZABLE transaction is to read in it: that alone could end one."""
    recording, said = sentences(postgresql_url, fills_the_other(1), fills_the_other(2))
    assert said["AABBBA"] == (
        "A read total = 0 (step 1); then B committed (step 5): what A has read is out of date,"
        " and its COMMIT is refused (step 6). Nothing breaks, but A fails."
    )
    assert "None" not in said.values()
    assert {run.outcome for run in recording.runs} == {"err", "good"}


@pytest.mark.nightly
def test_a_statement_that_waited_acts_on_what_was_read_before(postgresql_url: str) -> None:
    _, said = sentences(postgresql_url, check_in_writing, check_in_writing, invariant=one_task)
    assert said["AAABBbAB"] == (
        "A and B both read processing_task_id = NULL (steps 1 and 4) before either UPDATE was committed (steps 7 and 8)."
    )
    assert all(text.endswith(").") and "both read processing_task_id = NULL" in text for text in said.values())
