"""A panel on a real queue with a real worker: enqueue, cancel, watch, in both approaches."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from taskref_edu import Order, TaskQueue, inverted, reading, writing
from taskref_edu.widgets import Panel
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]


@pytest.mark.parametrize("approach", ["classic", "inverted"])
def test_three_enqueued_one_cancelled_the_others_succeed(open_panel: OpenPanel, approach: str):
    hand = open_panel(approach)
    for number in (1, 2, 3):
        hand.click("new_order", f"order {number}: new")
        hand.click("pay", f"order {number}: payment enqueued as task {number}")
    hand.panel.select(2)
    hand.click("cancel", "order 2: payment cancelled")
    hand.click("start", "worker: started")
    until(lambda: sum("succeeded" in task for task in hand.tasks()) == 2)
    assert "cancelled" in hand.tasks()[1]
    until(lambda: sum("paid" in order for order in hand.orders()) == 2)
    assert "new" in hand.orders()[1]


def test_the_same_on_either_database(open_panel: OpenPanel, engine: Engine):
    hand = open_panel("inverted", queue=TaskQueue(engine))
    hand.pay_new_orders(2)
    until(lambda: "→ task 2" in hand.orders()[-1])
    hand.click("cancel", "order 2: payment cancelled")
    hand.click("start")
    until(lambda: "succeeded" in hand.tasks()[0] and "cancelled" in hand.tasks()[1])
    hand.panel.stop()


def test_inverted_shows_the_arrow_at_the_order(open_panel: OpenPanel):
    hand = open_panel("inverted")
    hand.pay_new_orders(1)
    until(lambda: "→ task 1" in hand.orders()[0])
    assert "→" not in hand.tasks()[0]


def test_classic_shows_the_arrow_at_the_task(open_panel: OpenPanel):
    hand = open_panel("classic")
    hand.pay_new_orders(1)
    until(lambda: "→ order 1" in hand.tasks()[0])
    assert "→" not in hand.orders()[0]


def test_both_sides_get_the_same_clicks(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.pay_new_orders(2)
    hand.reads("order 2: payment enqueued as task 2")  # the same answer of both is said once
    until(lambda: "→ order 2" in hand.tasks(0)[-1])
    until(lambda: "→ task 2" in hand.orders(1)[-1])
    hand.click("start")
    for side in (0, 1):
        until(lambda side=side: all("succeeded" in task for task in hand.tasks(side)))


def test_both_begins_with_a_copy_of_the_orders(open_panel: OpenPanel, database: Engine):
    with writing(database) as session:
        session.add(Order(id=41, customer="Ada", amount=100))
    hand = open_panel("both")
    assert hand.orders(0) == ["41 □ new Ada 1.00"]
    hand.click("new_order", "order 42: new")


def test_new_order_then_pay_at_once_pays_the_new_one(open_panel: OpenPanel):
    hand = open_panel()
    hand.pay_new_orders(3)  # faster than the watcher looks
    hand.reads("order 3: payment enqueued as task 3")
    until(lambda: hand.panel.selected == 3)


def test_a_second_payment_is_refused(open_panel: OpenPanel):
    hand = open_panel()
    hand.pay_new_orders(1)
    hand.click("pay", "order 1: a payment is in process already")
    hand.click("start")
    until(lambda: "paid" in hand.orders()[0])
    hand.click("pay", "order 1: already paid")


def test_a_running_payment_is_asked_to_stop(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "running" in hand.tasks()[0])
    hand.click("cancel", "order 1: asked to stop")
    until(lambda: "cancelled" in hand.tasks()[0])
    hand.click("cancel", "order 1: nothing to cancel")
    hand.click("cancel", "order 1: nothing to cancel (×2)")


def test_clicks_in_vain_explain_themselves(open_panel: OpenPanel):
    hand = open_panel()
    hand.click("pay", "no order selected")
    hand.click("pause", "the worker is not started")
    hand.click("resume", "the worker is not paused")
    hand.click("stop", "the worker is not started")
    hand.click("step", "no task is due")
    hand.click("start", "worker: started")
    hand.click("start", "started already")
    hand.click("step", "pause or stop it first")


def test_the_workers_state_is_a_word(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    assert hand.worker() == "■ stopped"
    hand.click("start")
    until(lambda: hand.worker() == "○ idle")
    hand.click("pause")
    until(lambda: hand.worker() == "‖ paused")
    hand.pay_new_orders(1)
    hand.click("resume")
    until(lambda: hand.worker().startswith("▶ busy with task 1 since 0 s"))
    hand.click("pause")
    until(lambda: hand.worker().endswith(", then pauses"))
    hand.click("stop")
    until(lambda: hand.worker().endswith(", then stops"))
    hand.click("cancel")
    until(lambda: hand.worker() == "■ stopped")


def test_a_step_runs_one_task_while_the_worker_is_stopped_or_paused(open_panel: OpenPanel):
    hand = open_panel()
    hand.pay_new_orders(3)
    hand.click("step")
    until(lambda: "succeeded" in hand.tasks()[0])
    until(lambda: hand.panel.views[0].side.pool.state == "stopped")  # the step's thread ends after its task
    hand.click("start")
    hand.click("pause")
    until(lambda: hand.worker() == "‖ paused")
    ended = sum("succeeded" in task for task in hand.tasks())
    if ended < 3:
        hand.click("step")
        until(lambda: sum("succeeded" in task for task in hand.tasks()) > ended)  # the table may lag behind


def test_a_click_never_waits_for_a_payment(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.pay_new_orders(2)
    began = time.monotonic()
    hand.click("step")
    until(lambda: "busy with task 1" in hand.worker())
    hand.click("start", "a step is under way")
    hand.click("step", "a step is under way")
    hand.click("new_order", "order 3: new")
    assert time.monotonic() - began < 10
    hand.panel.stop()  # and neither does the end of the panel
    assert time.monotonic() - began < 10
    assert "succeeded" in hand.tasks()[0]


def test_a_handler_of_the_learners_stays(open_panel: OpenPanel, database: Engine):
    queue, ran = TaskQueue(database), threading.Event()
    queue.handler("process_payment")(lambda task: ran.set())
    hand = open_panel(queue=queue)
    assert not hand.panel.controls.fixed["paced"]
    hand.pay_new_orders(1)
    hand.click("start")
    assert ran.wait(15)


def test_a_former_panels_handler_is_replaced(open_panel: OpenPanel, database: Engine):
    queue = TaskQueue(database)
    open_panel("classic", queue=queue)
    hand = open_panel("inverted", queue=queue)
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: "succeeded" in hand.tasks()[0])


def test_an_order_of_somebody_else_appears_and_is_selected(open_panel: OpenPanel, database: Engine):
    hand = open_panel()
    with writing(database) as session:
        session.add(Order(customer="Ada", amount=5))
    until(lambda: hand.orders() == ["1 □ new Ada 0.05"])
    until(lambda: hand.panel.selected == 1)


def test_a_deleted_order_is_named(open_panel: OpenPanel, database: Engine):
    hand = open_panel()
    hand.click("new_order")
    with writing(database) as session:
        session.delete(session.exec(select(Order)).one())
    hand.click("pay", "order 1 not found")


def test_wrong_arguments_are_explained(database: Engine):
    with pytest.raises(TypeError, match="a TaskQueue expected"):
        Panel(database)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="classic, inverted or both expected"):
        Panel(TaskQueue(database), "sideways")  # type: ignore[arg-type]


def test_the_panel_reads_past_the_learners_engine(open_panel: OpenPanel, database: Engine):
    seen: list[str] = []

    class Ear:
        def around(self, connection, sql, parameters, run):
            seen.append(sql)
            return run()

    from taskref_edu.database.sqlite_engine import observers_of

    hand = open_panel()
    with observers_of(database).attached(Ear()):
        hand.panel.set(seconds=1)
        with writing(database) as session:
            session.add(Order(customer="Ada", amount=5))
        until(lambda: len(hand.orders()) == 1 and "Ada" in hand.orders()[0])
    assert [sql for sql in seen if sql.startswith(("SELECT", "PRAGMA"))] == []
    with reading(database) as session:
        assert session.exec(select(Order)).one().customer == "Ada"


def test_start_over_puts_orders_tasks_and_references_back(open_panel: OpenPanel, engine: Engine):
    queue = TaskQueue(engine)
    with writing(engine) as session:
        orders = [Order(customer="Ada", amount=5), Order(customer="Grace", amount=7)]
        session.add_all(orders)
        session.flush()
        inverted.enqueue_payment(session, queue, orders[1])
    hand = open_panel("inverted", seconds=60, queue=queue)
    before = hand.orders(), hand.tasks()
    hand.click("start")
    until(lambda: "running" in hand.tasks()[0])
    hand.pay_new_orders(2)
    hand.click("start_over", "start over: the shop is as the cell made it")
    until(lambda: (hand.orders(), hand.tasks()) == before)
    until(lambda: hand.worker() == "■ stopped")
    assert not any("deleted" in text for _, text, _ in hand.panel.views[0].timeline.lines)
    hand.panel.set(seconds=0)
    hand.click("start")
    until(lambda: "succeeded" in hand.tasks()[0])
    hand.panel.stop()


def test_start_over_in_the_middle_of_a_scenario_puts_the_fields_back_as_the_cell_has_set_them(open_panel: OpenPanel):
    hand = open_panel(seconds=7)
    hand.panel.set(workers=2, clicks=5)
    hand.panel._ipython_display_()
    hand.panel.set(seconds=1)
    hand.panel.run("double click")
    until(lambda: (hand.panel.controls.state["scenario"] or {}).get("asks"))
    hand.click("next")
    until(lambda: hand.panel.controls.state["scenario"]["answer"])
    hand.click("start_over")
    until(lambda: hand.panel.controls.state["scenario"] is None)
    until(lambda: [hand.panel.controls.state[name] for name in ("seconds", "workers", "clicks")] == [7, 2, 5])
    until(lambda: hand.worker() == "■ stopped; ■ stopped")


def test_start_on_a_paused_worker_says_what_to_press(open_panel: OpenPanel):
    hand = open_panel()
    hand.click("start", "worker: started")
    hand.click("pause", "worker: pauses")
    hand.click("start", "paused: press Resume")


def test_a_checklist_is_refused_at_once_where_a_condition_is_unknown(database: Engine):
    with pytest.raises(ValueError, match="condition 'orders are many' found"):
        Panel(TaskQueue(database), steps=[("make orders", "orders are many")])


def test_a_recording_is_plain_data_that_begins_with_everything(open_panel: OpenPanel, database: Engine):
    with writing(database) as session:
        session.add(Order(customer="</script><b>", amount=5))
    hand = open_panel("inverted")
    hand.pay_new_orders(1)
    until(lambda: len(hand.orders()) == 2 and "→ task 1" in hand.orders()[1])
    recording = hand.panel.recording()
    first, *_, last = recording["sides"][0]["frames"]
    assert json.loads(json.dumps(recording)) == recording
    assert len(first["told"]["orders"]) == 1
    assert recording["seconds"] >= last["at"]
    assert "</script><b>" not in recording._repr_html_()
    with writing(database) as session:
        session.add_all([Order(customer="Ada", amount=5) for _ in range(400)])
    until(lambda: len(hand.panel.views[0].rows.orders) > 400)
    with pytest.raises(ValueError, match="403 rows found; a recording holds 300"):
        hand.panel.recording()


@pytest.mark.parametrize(
    "content",
    [{"click": "no such button"}, {"click": []}, {"select": "1"}, {"set": {"seconds": "x"}}, {"guess": -1}, {"set": 3}],
)
def test_a_message_that_makes_no_sense_is_left_alone(open_panel: OpenPanel, content: dict[str, object]):
    hand = open_panel()
    hand.panel._actions.hear(content)
    hand.click("new_order", "order 1: new")
