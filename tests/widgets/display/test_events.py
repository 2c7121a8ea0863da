"""The timeline: what two states of the rows tell of what happened between them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from taskref_edu import Order, TaskQueue, classic, inverted, open_database, writing
from taskref_edu.database.transactions import reading
from taskref_edu.queue.running_task import RunningTask
from taskref_edu.widgets.display import rows
from taskref_edu.widgets.display.events import KEPT, MANY, Difference, Event, Timeline, changes
from taskref_edu.widgets.display.rows import Rows, read
from tests.conftest import Clock, until
from tests.widgets.conftest import Hand


class World:
    """A database, and what its timeline says of each thing that is done there."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.queue = TaskQueue(engine, lease=30, backoff=5, max_attempts=2, now=clock, jitter=lambda: 1.0)
        self._rows = self._read()

    def _read(self) -> Rows:
        with reading(self.engine) as session:
            return read(session.connection())

    def says(self) -> list[str]:
        """What has happened since the last call."""
        before, self._rows = self._rows, self._read()
        return [event.text for event in changes(Difference(before, self._rows), self.clock())]

    def order(self, approach=None) -> Order:
        with writing(self.engine) as session:
            order = Order(customer="Ada", amount=1200)
            session.add(order)
            session.flush()
            if approach is not None:
                approach.enqueue_payment(session, self.queue, order)
        return order

    def claim(self) -> RunningTask:
        task = self.do(self.queue.claim)
        assert task is not None
        return task

    def do(self, act):
        with writing(self.engine) as session:
            return act(session)


@pytest.fixture
def world(engine: Engine, clock: Clock) -> World:
    return World(engine, clock)


def test_a_payment_from_the_click_to_the_end(world: World):
    world.order(inverted)
    assert world.says() == [
        "order 1 created: Ada, 12.00",
        "task 1 enqueued (process_payment)",
        "order 1 → task 1: reference set",
    ]
    task = world.claim()
    assert world.says() == ["task 1 claimed as attempt 1, lease token 1"]
    world.clock.advance(10)
    world.do(lambda session: world.queue.heartbeat(session, task))
    assert world.says() == ["task 1 heartbeat: lease extended"]
    with task.completing() as session:
        inverted.order_for(session, task).status = "paid"
    assert world.says() == ["task 1 completed", "order 1 paid", "order 1: reference to task 1 cleared"]
    world.clock.advance(10)
    world.do(lambda session: world.queue.prune(session, timedelta(seconds=5)))
    assert world.says() == ["task 1 pruned"]
    world.do(lambda session: session.execute(text("DELETE FROM orders")))
    assert world.says() == ["order 1 deleted"]


def test_a_failure__again__and_for_good(world: World):
    world.do(lambda session: world.queue.enqueue(session, "other"))
    world.says()
    for expected in ("task 1 will be retried: no card", "task 1 failed: no card"):
        task = world.claim()
        world.says()
        world.do(lambda session, task=task: world.queue.fail(session, task, "no card"))
        assert world.says() == [expected]
        world.clock.advance(60)


def test_a_lease_that_ran_out(world: World):
    world.do(lambda session: world.queue.enqueue(session, "other"))
    world.claim()
    world.says()
    world.clock.advance(31)
    world.do(world.queue.reclaim)
    assert world.says() == ["task 1: lease expired, free for another attempt"]
    world.clock.advance(31)
    world.claim()
    world.says()
    world.do(lambda session: session.execute(text("UPDATE task SET lease_token = 3")))  # all between two looks
    assert world.says()[0] == "task 1: lease expired, lease token 2 is stale now"


def test_cancelling__pending_and_running(world: World):
    world.do(lambda session: world.queue.enqueue_many(session, "other", [None, None]))
    world.claim()
    world.says()
    for task_id in (1, 2):
        world.do(lambda session, task_id=task_id: world.queue.cancel(session, task_id))
    assert sorted(world.says()) == ["task 1 asked to stop", "task 2 cancelled"]


def test_what_happened_between_two_looks_is_told_in_order(world: World):
    world.order(classic)
    world.order(classic)
    task = world.claim()
    world.says()
    world.do(lambda session: world.queue.complete(session, task))
    world.claim()
    assert world.says() == ["task 1 completed", "task 2 claimed as attempt 1, lease token 1"]


@pytest.mark.parametrize("approach", [classic, inverted])
def test_an_event_names_its_order(world: World, approach):
    world.order()
    world.says()
    before = world._rows
    world.order(approach)
    found = changes(Difference(before, world._read()), world.clock())
    assert {event.order for event in found} == {2}


def test_many_at_once_are_counted(world: World):
    world.do(lambda session: world.queue.enqueue_many(session, "other", [None] * (MANY + 1)))
    assert world.says() == [f"{MANY + 1} tasks changed at once: {MANY + 1} pending"]


def test_a_row_that_leaves_the_list_is_not_gone(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rows, "ROWS", 3)
    monkeypatch.setattr(rows, "READ_TASKS", rows.READ_TASKS.replace("2500", "3"))
    engine = open_database(tmp_path / "short.db")
    world = World(engine, Clock())
    for number in (1, 2, 3, 4):
        world.do(lambda session: world.queue.enqueue(session, "other"))
        assert world.says() == [f"task {number} enqueued (other)"]
    engine.dispose()


def test_a_long_error_is_seen_to_go_on(world: World):
    world.do(lambda session: world.queue.enqueue(session, "other"))
    task = world.claim()
    world.says()
    world.do(lambda session: world.queue.fail(session, task, "x" * 500))
    assert world.says()[-1].endswith("xx…")


def test_the_timeline_is_bounded_and_begins_with_nothing():
    timeline = Timeline()
    assert timeline.look(Rows(), Rows(task_count=1)) == []
    for number in range(KEPT + 5):
        timeline.note(Event(str(number)))
        timeline.look(Rows(), Rows())
    assert len(timeline.lines) == KEPT
    assert timeline.lines[0][1] == "5"


def test_notes_come_from_any_thread(open_panel: Callable[..., Hand]):
    view = open_panel().panel.views[0]
    threads = [threading.Thread(target=view.side.note, args=(f"refused as stale {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: len(view.timeline.lines) == 20)
    assert {text for _, text, _ in view.timeline.lines} == {f"refused as stale {n}" for n in range(20)}


def test_a_handlers_error_is_no_reclaim__whatever_its_text_says(world: World):
    world.do(lambda session: world.queue.enqueue(session, "other"))
    task = world.claim()
    world.says()
    world.do(lambda session: world.queue.fail(session, task, "the lease ran out"))
    assert world.says() == ["task 1 will be retried: the lease ran out"]


def test_a_claim_names_the_worker_that_holds_the_task__and_the_ways_tell_how_long_it_waited_and_ran(world: World):
    world.do(lambda session: world.queue.enqueue(session, "other"))
    timeline, nothing, waits = Timeline(), Rows(), world._read()
    timeline.look(nothing, waits)
    task = world.claim()
    runs = world._read()
    assert [text for _, text, _ in timeline.look(waits, runs, {1: "worker 2"})] == [
        "task 1 claimed by worker 2 as attempt 1, lease token 1"
    ]
    world.do(lambda session: world.queue.complete(session, task))
    timeline.look(runs, world._read())
    assert [status for _, status in timeline.ways[1]] == ["pending", "running", "succeeded"]
    assert timeline.latest_ways == timeline.ways
