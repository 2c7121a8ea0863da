"""The queue against a model of ten lines a verb: random verbs, two holders, a clock that jumps."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlmodel import select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, errors, inverted, open_database, reading, writing
from taskref_edu.running import RunningTask
from tests.conftest import Clock

PENDING, RUNNING = TaskStatus.PENDING, TaskStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED


@dataclass
class Model:
    """A task as the model knows it: plain values, no database."""

    due: float
    max_attempts: int
    order: int | None
    status: TaskStatus = PENDING
    attempt: int = 0
    token: int = 0
    lease_end: float = 0.0
    asked: bool = False
    ended: float = 0.0

    def end(self, status: TaskStatus, now: float) -> None:
        self.status, self.ended = status, now

    def give_up(self, now: float, later: float) -> None:
        if self.asked:
            self.end(CANCELLED, now)
        elif self.attempt < self.max_attempts:
            self.status, self.due = PENDING, later
        else:
            self.end(FAILED, now)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="taskref-machine-"))
        self.engine = open_database(self.folder / "x.db")
        self.clock, self.now = Clock(), 0.0
        self.queue = TaskQueue(self.engine, lease=10, backoff=1, now=self.clock, jitter=lambda: 1.0)
        self.model: dict[int, Model] = {}
        self.held: list[RunningTask] = []  # every lease ever given out, stale ones included

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize()
    def two_orders(self) -> None:
        with writing(self.engine) as session:
            session.add_all([Order(id=number, customer="x", amount=1) for number in (101, 102)])

    @initialize()
    def some_tasks(self) -> None:
        for delay in (5.0, 0.0, 1.0):
            self.enqueue(max_attempts=2, delay=delay)

    @rule(max_attempts=st.integers(1, 3), delay=st.sampled_from([0.0, 5.0, 0.0]))
    def enqueue(self, max_attempts: int, delay: float) -> None:
        with writing(self.engine) as session:
            available_at = self.clock() + timedelta(seconds=delay)
            task = self.queue.enqueue(session, "work", max_attempts=max_attempts, available_at=available_at)
        self.model[task.id or 0] = Model(self.now + delay, max_attempts, None)

    @rule(order_id=st.sampled_from([101, 102]))
    def pay_once(self, order_id: int) -> None:
        with writing(self.engine) as session:
            task = inverted.enqueue_payment_once(session, self.queue, session.get_one(Order, order_id))
        busy = any(task.order == order_id and task.status in (PENDING, RUNNING) for task in self.model.values())
        assert (task is None) == busy
        if task is not None:
            self.model[task.id or 0] = Model(self.now, 3, order_id)

    @rule(later=st.sampled_from([0.0, 1.0, 5.0]))
    def claim(self, later: float) -> None:
        self.time_passes(later)
        with writing(self.engine) as session:
            task = self.queue.claim(session)
        due = [(model.due, task_id) for task_id, model in self.model.items() if model.status is PENDING]
        expected = min((entry for entry in due if entry[0] <= self.now), default=None)
        assert (task.id if task else None) == (expected[1] if expected else None)
        if task:
            model = self.model[task.id]
            model.status, model.attempt, model.token = RUNNING, model.attempt + 1, model.token + 1
            model.lease_end = self.now + 10
            assert (task.attempt, task.token) == (model.attempt, model.token)
            self.held.append(task)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), verb=st.sampled_from(["heartbeat", "complete", "fail", "give up", "stop"]))
    def holder(self, data: st.DataObject, verb: str) -> None:
        task = data.draw(st.sampled_from(self.held[-6:]))
        model = self.model.get(task.id)
        holds = model is not None and (model.status, model.token) == (RUNNING, task.token)
        legal = holds and (verb != "stop" or bool(model and model.asked))
        try:
            self._as_holder(task, verb)
            assert legal
        except errors.StaleLease:
            assert not legal
            return
        assert model
        if verb == "heartbeat":
            model.lease_end = self.now + 10
        elif verb == "complete":
            model.end(SUCCEEDED, self.now)
        elif verb == "stop" or model.asked:
            model.end(CANCELLED, self.now)
        elif verb == "give up":
            model.end(FAILED, self.now)
        else:
            model.give_up(self.now, self.now + 2 ** (model.attempt - 1))

    def _as_holder(self, task: RunningTask, verb: str) -> None:
        with writing(self.engine) as session:
            if verb in ("fail", "give up"):
                self.queue.fail(session, task, "no", retry=verb == "fail")
            else:
                getattr(self.queue, verb)(session, task)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.model)))
        model = self.model[task_id]
        with writing(self.engine) as session:
            cancelled = self.queue.cancel(session, task_id)
        assert cancelled == (model.status in (PENDING, RUNNING))
        if model.status is PENDING:
            model.end(CANCELLED, self.now)
        model.asked = True

    @rule(seconds=st.sampled_from([0.5, -3.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds

    @rule(later=st.sampled_from([10.0, 9.5, 0.0]))
    def reclaim(self, later: float) -> None:
        self.time_passes(later)
        with writing(self.engine) as session:
            count = self.queue.reclaim(session)
        expired = [task for task in self.model.values() if task.status is RUNNING and task.lease_end <= self.now]
        assert count == len(expired)
        for model in expired:
            model.give_up(self.now, self.now)

    @rule()
    def another_worker_takes_over(self) -> None:
        self.reclaim(later=10.0)
        self.claim(later=0.0)

    @rule(age=st.sampled_from([0.0, 5.0]), limit=st.sampled_from([1, 100]))
    def prune(self, age: float, limit: int) -> None:
        with writing(self.engine) as session:
            count = self.queue.prune(session, timedelta(seconds=age), limit=limit)
        ended = (SUCCEEDED, FAILED, CANCELLED)
        old = [key for key, task in self.model.items() if task.status in ended and task.ended < self.now - age]
        for task_id in sorted(old)[:limit]:
            del self.model[task_id]
        assert count == min(limit, len(old))

    @invariant()
    def rows_are_the_model(self) -> None:
        with reading(self.engine) as session:
            rows = {row.id: (row.status, row.attempt, row.lease_token) for row in session.exec(select(Task))}
            references = {order.id: order.processing_task_id for order in session.exec(select(Order))}
        assert rows == {key: (task.status, task.attempt, task.token) for key, task in self.model.items()}
        live = {task.order: key for key, task in self.model.items() if task.order and task.status in (PENDING, RUNNING)}
        assert {order: task for order, task in references.items() if task is not None} == live


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
