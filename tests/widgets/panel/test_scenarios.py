"""The scripted scenarios, played on a panel of both approaches: what happens must be what the sentences are about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, open_database, reading
from taskref_edu.widgets.panel import scenarios
from taskref_edu.widgets.panel.conditions import NAMED, comparison
from taskref_edu.widgets.panel.scenarios import SCENARIOS
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]
Begin = Callable[..., Hand]
LONG = 3.0  # seconds of a payment in the middle of which something happens; the others take nearly none


@pytest.fixture
def begin(open_panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """begin(name, schema): a panel on which the scenario has begun, with a short lease and short payments."""
    monkeypatch.setattr(scenarios, "PACE", 0.05)
    for story in SCENARIOS.values():
        for act in [act for step in story.steps for act in step.acts]:
            if seconds := act.get("set", {}).get("seconds"):
                monkeypatch.setitem(act["set"], "seconds", LONG if seconds > 2 else 0.05)
    engines = []

    def begin_one(name: str, schema: str = "both", attempts: int = 3) -> Hand:
        engines.append(open_database(tmp_path / f"{schema}.db", schema=schema))  # type: ignore[arg-type]
        hand = open_panel("both", queue=TaskQueue(engines[-1], lease=0.6, backoff=0, max_attempts=attempts))
        assert hand.panel.run(name) is hand.panel
        return hand

    yield begin_one
    for engine in engines:
        engine.dispose()


def step_through(hand: Hand, name: str) -> list[str]:
    """Read each step and guess its first choice, or click on Next; then read the answer. Returns the answers."""
    steps, answers = SCENARIOS[name].steps, list[str]()
    for number, step in enumerate(steps, 1):
        until(lambda number=number, step=step: shown(hand, "say") == step.say and shown(hand, "asks"))
        assert shown(hand, "place") == f"step {number} of {len(steps)}"
        if step.choices:
            hand.panel.controls._handle_custom_msg({"guess": 0}, [])
        else:
            hand.click("next")
        if step.answer:
            until(lambda step=step: step.answer in shown(hand, "answer"))
            assert not step.choices or shown(hand, "right"), f"no choice was right: {step.say}"
            answers.append(shown(hand, "answer"))
            if number < len(steps):
                hand.click("next")
    until(lambda: shown(hand, "rule") == f"The rule: {SCENARIOS[name].rule}")
    return answers


def shown(hand: Hand, what: str) -> Any:
    """A part of what the scenario shows; None without one."""
    return (hand.panel.controls.state["scenario"] or {}).get(what)


def tasks(hand: Hand) -> list[list[tuple[str, int]]]:
    """Status and attempt of each task, classic's and inverted's."""
    found = []
    for view in hand.panel.views:
        with reading(view.side.queue.engine) as session:
            rows = session.exec(select(Task).order_by(Task.id))  # type: ignore[arg-type]
            found.append([(task.status.value, task.attempt) for task in rows])
    return found


def orders(hand: Hand) -> list[list[str]]:
    found = []
    for view in hand.panel.views:
        with reading(view.side.queue.engine) as session:
            found.append([order.status for order in session.exec(select(Order).order_by(Order.id))])  # type: ignore[arg-type]
    return found


def test_double_click__on_bare_tables(begin: Begin):
    hand = begin("double click", "as_written")
    step_through(hand, "double click")
    classic, inverted = tasks(hand)
    assert [status for status, _ in classic] == ["succeeded"] * 4  # bare tables: not even its best is guarded there
    assert [status for status, _ in inverted].count("failed") == 1  # the first click's orphan
    assert orders(hand) == [["paid", "paid"]] * 2


def test_double_click__on_the_schema_of_both(begin: Begin):
    hand = begin("double click")
    step_through(hand, "double click")
    classic, inverted = tasks(hand)
    assert classic == [("succeeded", 1)] * 2  # the unique index stops even the document's click
    assert sorted(inverted) == [("failed", 1), ("succeeded", 1), ("succeeded", 1)]


def test_cancel_in_flight(begin: Begin):
    hand = begin("cancel in flight")
    step_through(hand, "cancel in flight")
    assert tasks(hand) == [[("cancelled", 0), ("cancelled", 1)]] * 2
    assert orders(hand) == [["new"]] * 2
    hand.reads("order 1: nothing to cancel")


@pytest.mark.nightly
def test_worker_killed(begin: Begin):
    hand = begin("worker killed")
    step_through(hand, "worker killed")
    assert tasks(hand) == [[("succeeded", 2)]] * 2
    assert orders(hand) == [["paid"]] * 2


@pytest.mark.nightly
def test_a_question_about_a_running_task_is_read_for_as_long_as_one_likes(begin: Begin):
    """The task once started a step earlier: whoever read for more than its three seconds saw an ended one killed."""
    hand = begin("worker killed")
    until(lambda: shown(hand, "asks"))
    hand.click("next")
    until(lambda: shown(hand, "choices"))
    time.sleep(LONG + 0.5)
    hand.panel.controls._handle_custom_msg({"guess": 1}, [])
    until(lambda: "Right: running" in shown(hand, "answer"))
    assert tasks(hand) == [[("running", 1)]] * 2


@pytest.mark.nightly
def test_zombie(begin: Begin):
    hand = begin("zombie")
    step_through(hand, "zombie")
    assert tasks(hand) == [[("succeeded", 2)]] * 2
    for view in hand.panel.views:
        assert "refused as stale" in str(view.timeline.lines)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "right"), [("worker killed", "Not so: never."), ("zombie", "Not so: nobody's.")])
def test_where_one_attempt_is_all_the_answer_is_another_one(begin: Begin, name: str, right: str):
    hand = begin(name, attempts=1)
    assert step_through(hand, name)[-1].startswith(right)
    assert tasks(hand) == [[("failed", 1)]] * 2


def test_pruning(begin: Begin):
    hand = begin("pruning")
    step_through(hand, "pruning")
    assert tasks(hand) == [[("succeeded", 1)]] * 2  # the third one; the first two are gone
    assert orders(hand) == [["paid"] * 3] * 2


def test_typo(begin: Begin):
    hand = begin("typo")
    step_through(hand, "typo")
    assert tasks(hand) == [[("failed", 1), ("succeeded", 1)]] * 2
    assert orders(hand) == [["paid"]] * 2


def test_play_all_goes_through_by_itself(begin: Begin):
    hand = begin("typo")
    hand.click("play")
    until(lambda: shown(hand, "rule"))
    assert tasks(hand) == [[("failed", 1), ("succeeded", 1)]] * 2


def test_next_does_not_run_ahead__and_end_leaves(begin: Begin):
    hand = begin("worker killed")
    hand.panel.click("next")
    hand.panel.click("next")  # at once: the task is not claimed yet, or is running already
    until(lambda: "not yet" in hand.panel.status or "killed" in hand.panel.status)
    hand.click("end", "scenario: left")
    until(lambda: hand.panel.controls.state["scenario"] is None)
    hand.click("next", "no scenario is under way")
    hand.click("play", "no scenario is under way")


def test_a_scenario_is_chosen_from_the_list(open_panel: OpenPanel):
    hand = open_panel("inverted")
    hand.panel.set(scenario="typo")
    hand.click("run", "typo: read, guess, and let it happen")
    until(lambda: shown(hand, "place") == "step 1 of 2")


def test_a_scenario_begins_with_its_workers_stopped(begin: Begin):
    hand = begin("typo")
    hand.click("end", "scenario: left")  # one that begins would restore the panel's seconds, even for this payment
    hand.panel.set(workers=2, seconds=60)  # as long as it takes, on a machine that is busy: Cancel ends it
    hand.pay_new_orders(1)
    hand.click("start")
    until(
        lambda: (
            hand.panel.views[0].side.pool.workers[0].status.task or hand.panel.views[0].side.pool.workers[1].status.task
        )
    )
    hand.panel.run("typo")
    until(lambda: shown(hand, "waits") == "worker idle")
    assert [len(view.side.pool.workers) for view in hand.panel.views] == [1, 1]
    hand.click("next", "not yet, it waits until worker idle")
    hand.click("cancel")
    until(lambda: shown(hand, "asks"))


def test_a_worker_that_was_let_go_is_waited_for_until_its_last_task_has_ended(begin: Begin):
    """A scenario once began while the second worker, which it had just sent away, still ran a task."""
    hand = begin("typo")
    hand.click("end", "scenario: left")  # one that begins would restore the panel's seconds, even for this payment
    hand.panel.set(workers=2, seconds=60)  # as long as it takes, on a machine that is busy: Cancel ends it
    pool = hand.panel.views[0].side.pool
    hand.pay_new_orders(1)
    pool.workers[1].start()
    until(lambda: pool.workers[1].status.task)
    hand.panel.run("typo")
    until(lambda: shown(hand, "waits") == "worker idle")
    assert [worker.name for worker in pool.holders] == [f"{hand.panel.views[0].side.name} worker 2"]
    hand.click("cancel")
    until(lambda: shown(hand, "asks"))


def test_an_unknown_scenario_is_named__with_those_that_there_are(open_panel: OpenPanel):
    panel = open_panel().panel
    with pytest.raises(ValueError, match="scenario 'doomsday' found; one of double click, cancel in flight"):
        panel.run("doomsday")
    assert panel.scenarios == list(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_step_waits_for_something_known__asks_in_few_words_and_knows_the_answer(name: str):
    for step in SCENARIOS[name].steps:
        assert {act.get("until") for act in step.acts} <= {None, *NAMED}
        assert len(step.say.split()) <= 60
        assert not step.choices or (step.answer and any(choice.when for choice in step.choices))
        assert all(comparison(choice.when) for choice in step.choices if isinstance(choice.when, str))


def test_a_guess_lets_it_happen__and_the_answer_says_what_was_right_on_each_side(begin: Begin):
    hand = begin("double click")
    until(lambda: shown(hand, "asks"))
    hand.panel.controls._handle_custom_msg({"guess": 2}, [])
    until(lambda: shown(hand, "answer"))
    assert shown(hand, "answer").startswith("Not so: classic one, inverted two. ")
    assert shown(hand, "right") == [0, 1]
    assert shown(hand, "choices")[shown(hand, "guess")] == "none"
    assert hand.panel.controls.state["point"] == ["order", "task", "orphan"]


def test_a_scenario_works_on_its_own_order__whichever_the_learner_has_selected_meanwhile(begin: Begin):
    hand = begin("cancel in flight")
    until(lambda: shown(hand, "asks"))
    hand.panel.controls._handle_custom_msg({"guess": 0}, [])
    until(lambda: shown(hand, "answer"))
    hand.click("new_order", "order 2: new")
    hand.panel.controls._handle_custom_msg({"set": {"seconds": 0.05}}, [])
    hand.click("next")
    hand.click("next", "order 1: payment enqueued as task 2")
    until(lambda: hand.panel.selected == 1)
    hand.click("new_order", "order 3: new")
    hand.panel.controls._handle_custom_msg({"guess": 1}, [])
    until(lambda: "checkpoint" in (shown(hand, "answer") or ""))
    assert tasks(hand) == [[("cancelled", 0), ("cancelled", 1)]] * 2
    hand.panel.select(3)
    until(lambda: hand.panel.controls.state["selected"] == 3)
    assert hand.panel.controls.state["about"] == 1  # what the answer points at


def test_seconds_and_workers_are_as_before_once_it_is_over_or_left(begin: Begin):
    hand = begin("cancel in flight")
    hand.click("end", "scenario: left")
    hand.panel.set(seconds=7, workers=2)
    hand.panel.run("cancel in flight")
    step_through(hand, "cancel in flight")
    until(lambda: (hand.panel.controls.state["seconds"], hand.panel.controls.state["workers"]) == (7, 2))
    hand.panel.run("worker killed")
    until(lambda: shown(hand, "asks"))
    hand.click("next")
    hand.click("end", "scenario: left")
    until(lambda: (hand.panel.controls.state["seconds"], hand.panel.controls.state["workers"]) == (7, 2))


def test_an_awaited_scenario(begin: Begin):
    hand = begin("pruning")
    hand.click("play")

    async def learner() -> None:
        await hand.panel.until("scenario over", timeout=15)

    asyncio.run(learner())
    until(lambda: shown(hand, "rule"))
