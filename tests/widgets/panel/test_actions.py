"""What the clicks beyond pay and cancel do: storms, slips, deaths, zombies; on a real queue with real threads."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, open_database, reading, writing
from taskref_edu.database.observed_connection import ObservedConnection
from taskref_edu.database.sqlite_engine import observers_of
from taskref_edu.widgets.panel import conditions as waiting
from tests.conftest import until
from tests.widgets.conftest import Hand

OpenPanel = Callable[..., Hand]
BARE = "as_written"  # the schema without anybody's index or trigger


def statuses(hand: Hand, side: int = 0) -> list[str]:
    """The status of each task, as the database has it."""
    with reading(hand.panel.views[side].side.queue.engine) as session:
        return [task.status.value for task in session.exec(select(Task).order_by(Task.id))]  # type: ignore[arg-type]


def paid_by(hand: Hand) -> None:
    """A new order is paid by a task that runs now, for a minute or until somebody acts."""
    hand.pay_new_orders(1)
    hand.click("start")
    until(lambda: hand.panel.views[0].side.pool.workers[0].status.task)


# Storms


def test_a_storm_as_written_pays_many_times__where_no_index_stands_in_its_way(open_panel: OpenPanel, tmp_path: Path):
    bare = open_database(tmp_path / "bare.db", schema=BARE)
    hand = open_panel("both", queue=TaskQueue(bare))
    hand.click("new_order")
    hand.panel.set(how="as written")
    hand.click("storm", "8 clicks as written: 8 live payments")
    assert hand.panel.status == (
        "classic: order 1, 8 clicks as written: 8 live payments; "
        "inverted: order 1, 8 clicks as written: 8 live payments, 7 of them orphans"
    )
    assert statuses(hand, 0) == statuses(hand, 1) == ["pending"] * 8
    hand.panel.stop()
    bare.dispose()


def test_a_storm_as_written__where_classics_index_stands_in_its_way(open_panel: OpenPanel):
    hand = open_panel("classic")
    hand.click("new_order")
    hand.click("storm", "order 1, 8 clicks as written: 1 live payment; the unique index refused 7")
    assert statuses(hand) == ["pending"]


def test_a_storm_at_its_best_pays_once(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.click("new_order")
    hand.panel.set(how="at its best")
    hand.panel.set(clicks=20)
    hand.click("storm", "order 1, 20 clicks at its best: 1 live payment")
    assert "classic" not in hand.panel.status  # both say the same, so it is said once
    assert statuses(hand, 0) == statuses(hand, 1) == ["pending"]


def test_a_storm_on_a_paid_order_and_without_one(open_panel: OpenPanel):
    hand = open_panel()
    hand.click("storm", "no order selected")
    hand.pay_new_orders(1)
    hand.click("step")
    until(lambda: statuses(hand) == ["succeeded"])
    hand.click("storm", "order 1: already paid")


# Slips, and what cancels and deletes


def test_cancel_all__and_the_task_that_no_order_leads_to(open_panel: OpenPanel):
    hand = open_panel("both", seconds=60)
    hand.pay_new_orders(3)
    hand.click("typo")
    hand.click("cancel_all", "all orders: 3 cancelled, 0 asked to stop; 1 task that no order leads to: not found")
    assert statuses(hand, 0) == statuses(hand, 1) == ["cancelled"] * 3 + ["pending"]


def test_cancel_all__one_runs(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    paid_by(hand)
    hand.click("pause")
    hand.pay_new_orders(1)
    hand.click("cancel_all", "all orders: 1 cancelled, 1 asked to stop")
    until(lambda: statuses(hand) == ["cancelled"] * 2)
    hand.click("cancel_all", "nothing to cancel")


def test_a_typo_is_let_in_and_fails_by_name(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.click("new_order")
    hand.click("typo", "classic: order 1: task 1 enqueued with {'orderid': 1}, and nobody objected; inverted: ")
    assert hand.panel.status.endswith("order 1: task 1 enqueued, and no order references it: an orphan")
    hand.click("start")
    until(lambda: "PayloadError" in hand.tasks(0)[0] and "OrphanTask" in hand.tasks(1)[0])
    assert "'orderid': 1" in hand.tasks(0)[0]  # classic's error tells whose payment it was


def test_a_typo__on_the_schema_that_refuses_it(open_panel: OpenPanel, tmp_path: Path):
    strict = open_database(tmp_path / "strict.db", schema="classic")
    hand = open_panel("classic", queue=TaskQueue(strict))
    hand.click("new_order")
    hand.click("typo", "order 1: {'orderid': 1} was refused by a CHECK of this schema")
    hand.click("pay", "order 1: payment enqueued as task")
    hand.click("delete", "order 1: kept; a task references it")
    hand.panel.stop()
    strict.dispose()


def test_a_deleted_order_leaves_its_task_behind(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.pay_new_orders(2)
    hand.click("delete", "order 2: deleted; its task is now")
    assert "classic: order 2: deleted; its task is now a dangling reference" in hand.panel.status
    assert "inverted: order 2: deleted; its task is now an orphan" in hand.panel.status
    until(lambda: hand.panel.selected == 1)
    hand.click("cancel")
    hand.click("delete", "order 1: deleted")
    hand.click("pay", "no order selected")


def test_pruning_leaves_orders_and_live_tasks(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.pay_new_orders(2)
    hand.click("start")
    until(lambda: statuses(hand, 0) == statuses(hand, 1) == ["succeeded"] * 2)
    hand.click("stop")
    hand.pay_new_orders(1)
    hand.click("prune", "prune: 2 tasks that had ended deleted; orders stay")
    until(lambda: len(hand.tasks(0)) == len(hand.tasks(1)) == 1 and len(hand.orders()) == 3)


# Deaths and zombies


@pytest.mark.fault
def test_a_killed_worker_writes_nothing__and_another_one_takes_its_task_after_the_lease(
    open_panel: OpenPanel, database: Engine
):
    hand = open_panel(seconds=60, queue=TaskQueue(database, lease=0.6))
    paid_by(hand)
    hand.click("crash", "worker: killed while it ran task 1; the task stays running until its lease runs out")
    until(lambda: hand.worker() == "✝ dead: killed while it ran task 1")
    until(lambda: hand.panel.controls.state["pool"] == "dead")
    assert statuses(hand) == ["running"]
    hand.panel.set(seconds=0)
    hand.click("start", "worker: started")
    until(lambda: statuses(hand) == ["succeeded"])
    with reading(database) as session:
        assert session.exec(select(Task)).one().attempt == 2
    until(lambda: "idle" in hand.worker())
    hand.click("crash", "worker: killed between two tasks")
    hand.click("crash", "no worker is started")


@pytest.mark.fault
def test_what_a_dead_workers_handler_does_later_does_not_land(open_panel: OpenPanel, database: Engine):
    queue, go_on, tried = TaskQueue(database, lease=0.3), threading.Event(), threading.Event()

    @queue.handler("process_payment")
    def learners(task):
        go_on.wait(15)
        try:
            with writing(database) as session:  # the learner's engine: not even this gets through
                session.add(Order(customer="written by a dead worker", amount=1))
        finally:
            tried.set()

    hand = open_panel(queue=queue)
    paid_by(hand)
    hand.click("crash", "killed while it ran task 1")
    go_on.set()
    assert tried.wait(15)
    with reading(database) as session:
        assert [order.customer for order in session.exec(select(Order))] == ["Grace"]
    hand.click("start", "worker: started")
    until(lambda: statuses(hand) == ["succeeded"])
    with reading(database) as session:
        assert len(session.exec(select(Order)).all()) == 2  # the second attempt's was written


@pytest.mark.fault
def test_a_worker_killed_in_a_step(open_panel: OpenPanel, database: Engine):
    hand = open_panel(seconds=60, queue=TaskQueue(database, lease=0.6))
    hand.pay_new_orders(1)
    hand.click("step")
    until(lambda: hand.panel.views[0].side.pool.workers[0].status.task)
    hand.click("crash", "killed while it ran task 1")
    until(lambda: not [thread for thread in threading.enumerate() if "step" in thread.name])
    assert statuses(hand) == ["running"]
    hand.panel.set(seconds=0)
    until(lambda: hand.click("step") or statuses(hand) == ["succeeded"])


@pytest.mark.fault
@pytest.mark.parametrize("trouble", ["crash", "zombie"])
def test_a_click_does_not_wait_for_a_heartbeat_that_is_held_up(open_panel: OpenPanel, database: Engine, trouble: str):
    looking, go_on, gone_on = threading.Event(), threading.Event(), threading.Event()

    class HeldUp:
        def around(
            self, connection: ObservedConnection, sql: str, parameters: object, run: Callable[[], object]
        ) -> object:
            if threading.current_thread().name.endswith("-heartbeat") and not gone_on.is_set():
                looking.set()
                go_on.wait(15)
                gone_on.set()
            return run()

    hand = open_panel(seconds=60, queue=TaskQueue(database, lease=0.6))
    with observers_of(database).attached(HeldUp()):
        paid_by(hand)
        assert looking.wait(15)
        hand.click(trouble)
        assert not gone_on.is_set()
        go_on.set()


@pytest.mark.fault
def test_a_zombies_result_is_refused(open_panel: OpenPanel, database: Engine):
    hand = open_panel(seconds=60, queue=TaskQueue(database, lease=0.6))
    hand.click("zombie", "no worker holds a task")
    paid_by(hand)
    hand.panel.set(seconds=0)  # for the one that takes over
    hand.click("zombie", "worker: stands still with task 1; another one may have it after the lease")
    hand.reads("worker: came back too late; StaleLease: task 1: lease token 1 is stale, 2 was given out since")
    until(lambda: statuses(hand) == ["succeeded"])
    until(lambda: hand.panel.controls.state["workers"] == 2)
    until(lambda: all(worker.status.state == "idle" for worker in hand.panel.views[0].side.pool.workers))
    until(lambda: "task 1, attempt 1: refused as stale" in str(hand.panel.views[0].timeline.lines))


@pytest.mark.fault
def test_a_zombie_that_is_woken_in_time_goes_on(open_panel: OpenPanel):
    hand = open_panel(seconds=1)
    paid_by(hand)
    hand.click("zombie", "stands still")
    until(lambda: "unresponsive" in hand.worker())
    hand.click("zombie", "comes back at once")
    until(lambda: statuses(hand) == ["succeeded"])


@pytest.mark.fault
@pytest.mark.parametrize("ending", ["stop", "another scenario"])
def test_a_zombie_whose_task_nobody_takes_comes_back_when_it_is_stopped(open_panel: OpenPanel, ending: str):
    """Its lease lasts longer than the worker that was to take over: it would stand still for ever."""
    hand = open_panel(seconds=1)
    paid_by(hand)
    hand.click("zombie", "stands still")
    until(lambda: "unresponsive" in hand.worker())
    if ending == "stop":
        hand.click("stop")
    else:
        hand.panel.run("double click")
    until(lambda: not hand.panel.views[0].side.pool.holders)
    until(lambda: statuses(hand) == ["succeeded"])


def test_two_workers_run_two_tasks_at_a_time__then_one(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.pay_new_orders(3)
    hand.click("start")
    hand.panel.set(workers=2)
    until(lambda: statuses(hand) == ["running", "running", "pending"])
    until(lambda: hand.worker().count("busy with task") == 2)
    hand.panel.set(workers=1)
    hand.reads("workers: 1")
    hand.click("cancel_all")
    until(lambda: statuses(hand) == ["cancelled"] * 3)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "inverted worker 2"])


def test_a_second_worker_while_paused_claims_nothing_until_resume(open_panel: OpenPanel):
    hand = open_panel(seconds=60)
    hand.click("start", "worker: started")
    hand.click("pause")
    until(lambda: hand.worker() == "‖ paused")
    hand.panel.set(workers=2)
    hand.pay_new_orders(2)
    until(lambda: hand.panel.controls.state["toggle"] == "resume")
    hand.click("start", "paused: press Resume")
    time.sleep(0.3)
    assert statuses(hand) == ["pending"] * 2
    hand.click("resume", "workers: resumed")
    until(lambda: statuses(hand) == ["running"] * 2)


@pytest.mark.parametrize("name", ["start", "step"])
def test_clicks_from_many_threads_start_one_thread(open_panel: OpenPanel, name: str, capfd: pytest.CaptureFixture[str]):
    hand = open_panel(seconds=60)
    hand.pay_new_orders(4)
    ready = threading.Barrier(8)

    def impatient() -> None:
        ready.wait()
        hand.panel.click(name)

    clicks = [threading.Thread(target=impatient) for _ in range(8)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    until(lambda: statuses(hand) == ["running", "pending", "pending", "pending"])
    ours = {"start": "inverted worker", "step": "inverted worker-step"}[name]
    assert [thread.name for thread in threading.enumerate()].count(ours) == 1
    hand.panel.stop()
    assert capfd.readouterr() == ("", "")


@pytest.mark.fault
@pytest.mark.parametrize("trouble", ["crash", "zombie", "storm"])
def test_a_panel_that_ends_in_trouble_leaves_no_thread(open_panel: OpenPanel, trouble: str):
    before = set(threading.enumerate())
    hand = open_panel("both", seconds=60)
    paid_by(hand)
    hand.panel.set(workers=2)
    hand.click(trouble)
    hand.panel.stop()
    until(lambda: set(threading.enumerate()) <= before, seconds=5)  # a heartbeat ends within its tick of 0.5 s


# Nothing blocks


@pytest.mark.fault
def test_a_click_on_a_locked_database_waits_a_moment_and_says_so(open_panel: OpenPanel, tmp_path: Path):
    hand = open_panel("inverted")
    hand.click("new_order", "order 1: new")
    with closing(sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for name in ("pay", "cancel", "new_order", "typo", "delete", "prune", "cancel_all"):
            began = time.monotonic()
            hand.panel.click(name)
            assert time.monotonic() - began < 2  # the learner's engine would wait for 5 s
            hand.reads("the database is locked by somebody; try again")
            hand.panel._actions.say("")
        other.execute("ROLLBACK")
    until(lambda: hand.panel.selected == 1)
    hand.click("pay", "order 1: payment enqueued as task 1")


# Waiting for the panel


def test_until_awaits_without_blocking(open_panel: OpenPanel):
    hand = open_panel("both", seconds=0.3)

    async def learner() -> list[str]:
        ticks: list[str] = []
        hand.pay_new_orders(2)
        waits = asyncio.ensure_future(_awaited(hand))
        while not waits.done():
            ticks.append("the kernel goes on")
            hand.click("start")
            await asyncio.sleep(0.02)
        return ticks

    assert len(asyncio.run(learner())) > 3
    assert statuses(hand, 0) == statuses(hand, 1) == ["succeeded"] * 2
    asyncio.run(_awaited(hand, "no task running"))
    asyncio.run(_awaited(hand, "worker idle"))


async def _awaited(hand: Hand, condition: str = "all tasks finished", timeout: float = 15) -> None:
    await hand.panel.until(condition, timeout=timeout)


def test_until_says_what_is_still_open__and_what_it_knows(open_panel: OpenPanel):
    hand = open_panel("inverted")
    hand.pay_new_orders(2)
    with pytest.raises(waiting.StillOpen, match=r"'all tasks finished' is not true after 0\.1 s: inverted: 2 pending"):
        asyncio.run(_awaited(hand, timeout=0.1))
    with pytest.raises(TimeoutError, match="no task runs"):
        asyncio.run(_awaited(hand, "a task running", timeout=0.1))
    with pytest.raises(
        ValueError, match="one of all tasks finished, no task running, a task running, worker started, worker idle"
    ):
        hand.panel.until("doomsday")
    assert repr(hand.panel.until("worker idle")) == 'not waited yet: write `await panel.until("worker idle")`'


def test_the_actions_on_either_database(open_panel: OpenPanel, engine: Engine):
    hand = open_panel("inverted", queue=TaskQueue(engine))
    hand.panel.set(lens=True)
    hand.click("new_order", "order 1: new")
    hand.panel.set(how="at its best")
    hand.click("storm", "order 1, 8 clicks at its best: 1 live payment")
    hand.click("typo", "order 1: task ")
    hand.click("cancel_all", "all orders: 1 cancelled, 0 asked to stop; 1 task that no order leads to: not found")
    hand.click("start")
    until(lambda: sorted(statuses(hand)) == ["cancelled", "failed"])
    hand.click("prune", "prune: 2 tasks that had ended deleted; orders stay")
    hand.click("delete", "order 1: deleted")
    if engine.dialect.name == "postgresql":
        hand.click("crash", "only on a SQLite file")
        hand.click("zombie", "only on a SQLite file")
    hand.panel.stop()


def test_until_compares_what_it_counts__and_asks_each_side(open_panel: OpenPanel):
    hand = open_panel("both")
    hand.pay_new_orders(2)
    asyncio.run(_awaited(hand, "orders>=2"))
    asyncio.run(_awaited(hand, "pending == 2"))
    with pytest.raises(waiting.StillOpen, match="classic: 2 tasks; inverted: 2 tasks"):
        asyncio.run(_awaited(hand, "tasks > 2", timeout=0.1))
    with pytest.raises(ValueError, match="or a comparison such as 'orders >= 3'"):
        hand.panel.until("orders > many")
