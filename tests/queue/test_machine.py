"""The queue against a model in memory: two workers, each with its own clock, and every transaction may die.

The clocks jump, also backwards. A worker that crashes forgets its task; a worker that is slow keeps it, and comes
back with a lease that is long over. `faults/mutants.py` checks that this test finds seeded bugs.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, classic, errors, inverted, open_database, reading, writing
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import Clock
from tests.faults.model import CANCELLED, LEASE, PENDING, RUNNING, SUCCEEDED, Model, WorkerOrClient, row_of

APPROACH_OF: dict[int, ModuleType] = {101: inverted, 102: inverted, 103: classic, 104: classic}
WHO = st.sampled_from(["a", "b"])
VERBS = ["heartbeat", "complete", "fail", "give up", "stop"]
DIES = st.sampled_from([False, False, False, False, True])


class Died(BaseException):
    """The process ended here: what its transaction had written is gone."""


class QueueMachine(RuleBasedStateMachine):
    steps: ClassVar[int] = 0  # taken by all machines of this class

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="taskref-machine-"))
        self.who = {name: self.start(name) for name in ("a", "b")}
        self.model: dict[int, Model] = {}
        self.ids: set[int] = set()  # all that were ever given
        self.effects: Counter[int] = Counter()  # by order
        with writing(self.who["a"].queue.engine) as session:
            session.add_all([Order(id=number, customer="x", amount=0) for number in APPROACH_OF])

    def start(self, name: str) -> WorkerOrClient:
        clock, engine = Clock(), open_database(self.folder / "x.db")
        queue = TaskQueue(engine, lease=LEASE, backoff=1, now=clock, jitter=lambda: 1.0)
        return WorkerOrClient(name, queue, clock)

    def teardown(self) -> None:
        for who in self.who.values():
            who.queue.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def transaction(self, who: WorkerOrClient, dies: bool) -> Iterator[Session]:
        """A write transaction; one that dies is undone, and the rest of the rule with it."""
        with writing(who.queue.engine) as session:
            yield session
            if dies:
                raise Died

    # The client's side

    @initialize()
    def some_tasks(self) -> None:
        for delay in (5.0, 0.0, 1.0):
            self.enqueue("a", max_attempts=2, delay=delay, dies=False)

    @rule(name=WHO, max_attempts=st.integers(1, 3), delay=st.sampled_from([0.0, 5.0]), dies=DIES)
    def enqueue(self, name: str, max_attempts: int, delay: float, dies: bool) -> None:
        who = self.who[name]
        due = who.clock() + timedelta(seconds=delay)
        with suppress(Died):
            with self.transaction(who, dies) as session:
                task = who.queue.enqueue(session, "work", max_attempts=max_attempts, available_at=due)
            self.add(task, Model(who.now + delay, max_attempts, None))

    @rule(name=WHO, order_id=st.sampled_from(list(APPROACH_OF)), dies=DIES)
    def pay_once(self, name: str, order_id: int, dies: bool) -> None:
        who, approach = self.who[name], APPROACH_OF[order_id]
        with suppress(Died):
            with self.transaction(who, dies) as session:
                order = session.get_one(Order, order_id)
                task = approach.enqueue_payment_once(session, who.queue, order)
                assert (task is None) == any(model.order == order_id and model.live for model in self.model.values())
            if task is not None:
                self.add(task, Model(who.now, 3, order_id))

    def add(self, task: Task, model: Model) -> None:
        assert task.id
        assert task.id not in self.ids, "an id was used again"
        self.ids.add(task.id)
        self.model[task.id] = model

    @precondition(lambda self: self.model)
    @rule(name=WHO, data=st.data(), dies=DIES)
    def cancel(self, name: str, data: st.DataObject, dies: bool) -> None:
        self.cancel_task(self.who[name], data.draw(st.sampled_from(sorted(self.model))), dies)

    def cancel_task(self, who: WorkerOrClient, task_id: int, dies: bool = False) -> None:
        model = self.model.get(task_id)
        with suppress(Died):
            try:
                with self.transaction(who, dies) as session:
                    assert who.queue.cancel(session, task_id) == (model is not None and model.live)
            except errors.TaskNotFound:
                assert model is None
                return
            assert model
            model.cancel(who.now)

    @rule(name=WHO, order_id=st.sampled_from(list(APPROACH_OF)))
    def cancel_the_payment(self, name: str, order_id: int) -> None:
        who = self.who[name]
        live = [model for model in self.model.values() if model.order == order_id and model.live]
        with writing(who.queue.engine) as session:
            order = session.get_one(Order, order_id)
            assert APPROACH_OF[order_id].cancel_payment(session, who.queue, order) == len(live)
        for model in live:
            model.cancel(who.now)

    # The worker's side

    def expect_claim(self, who: WorkerOrClient) -> int | None:
        """The id of the task that `who` must get."""
        due = [(model.due, key) for key, model in self.model.items() if model.status is PENDING]
        return min((key for key in due if key[0] <= who.now), default=(0.0, None))[1]

    def got(self, who: WorkerOrClient, task: RunningTask | None, expected: int | None) -> None:
        assert (task and task.id) == expected
        if task is not None:
            model = self.model[task.id]
            model.claim(who.now)
            assert (task.attempt, task.token) == (model.attempt, model.token)
            who.leases.append(task)

    @rule(name=WHO, dies=DIES)
    def claim(self, name: str, dies: bool) -> None:
        who = self.who[name]
        with suppress(Died):
            with self.transaction(who, dies) as session:
                task = who.queue.claim(session)
            self.got(who, task, self.expect_claim(who))

    def lease(self, who: WorkerOrClient, data: st.DataObject) -> RunningTask:
        """One of the latest leases of `who`."""
        return data.draw(st.sampled_from(who.leases[-4:]))

    def held(self, task: RunningTask) -> Model | None:
        """The task of this lease, if the lease still holds it."""
        model = self.model.get(task.id)
        return model if model is not None and (model.status, model.token) == (RUNNING, task.token) else None

    @precondition(lambda self: any(who.leases for who in self.who.values()))
    @rule(data=st.data(), verb=st.sampled_from(VERBS), dies=DIES)
    def holder(self, data: st.DataObject, verb: str, dies: bool) -> None:
        who = self.some_holder(data)
        self.act_as_holder(who, self.lease(who, data), verb, dies)

    def act_as_holder(self, who: WorkerOrClient, task: RunningTask, verb: str, dies: bool) -> None:
        model = self.held(task)
        legal = model is not None and (verb != "stop" or model.asked)
        with suppress(Died):
            try:
                with self.transaction(who, dies) as session:
                    _as_holder(who.queue, session, task, verb)
            except errors.StaleLease:
                assert not legal
                return
            assert legal
            assert model
            if verb == "heartbeat":
                model.lease_end = who.now + LEASE
            elif verb == "complete":
                model.end(SUCCEEDED, who.now)
            elif verb == "stop":
                model.end(CANCELLED, who.now)
            else:
                model.give_up(who.now, who.now + 2 ** (model.attempt - 1), retry=verb == "fail")

    @precondition(lambda self: any(who.leases for who in self.who.values()))
    @rule(data=st.data(), dies=DIES)
    def finish_with_an_effect(self, data: st.DataObject, dies: bool) -> None:
        """The effect on the order and the completion: both or neither."""
        who = self.some_holder(data)
        task = self.lease(who, data)
        model = self.held(task)
        order_id = data.draw(st.sampled_from(list(APPROACH_OF))) if model is None else model.order
        with suppress(Died):
            try:
                with task.completing() as session:
                    if order_id is not None:
                        session.get_one(Order, order_id).amount += 1
                    if dies:
                        raise Died
            except errors.StaleLease:
                assert model is None
                return
            assert model
            model.end(SUCCEEDED, who.now)
            if model.order is not None:
                self.effects[model.order] += 1

    @precondition(lambda self: any(who.leases for who in self.who.values()))
    @rule(data=st.data(), dies=DIES)
    def complete_and_claim(self, data: st.DataObject, dies: bool) -> None:
        who = self.some_holder(data)
        task = self.lease(who, data)
        model = self.held(task)
        with suppress(Died):
            try:
                with self.transaction(who, dies) as session:
                    next_task = who.queue.complete_and_claim(session, task)
            except errors.StaleLease:
                assert model is None
                return
            assert model
            model.end(SUCCEEDED, who.now)
            self.got(who, next_task, self.expect_claim(who))

    def some_holder(self, data: st.DataObject) -> WorkerOrClient:
        return self.who[data.draw(st.sampled_from([name for name, who in self.who.items() if who.leases]))]

    @precondition(lambda self: any(who.leases for who in self.who.values()))
    @rule(data=st.data())
    def checkpoint(self, data: st.DataObject) -> None:
        task = self.lease(self.some_holder(data), data)
        model = self.held(task)
        try:
            task.checkpoint()
            assert model
            assert not model.asked
        except errors.TaskCancelled:
            assert model
            assert model.asked
        except errors.StaleLease:
            assert model is None

    @rule(name=WHO)
    def crash(self, name: str) -> None:
        """The process is gone and another one starts: it knows no lease, and its clock is right again."""
        self.who[name].queue.engine.dispose()
        self.who[name] = self.start(name)

    # Time, and who looks after what is left

    @rule(names=st.sampled_from(["a", "b", "ab", "ab"]), by=st.sampled_from([0.5, 5.0, 10.0, 30.0, -3.0, -20.0]))
    def time_jumps(self, names: str, by: float) -> None:
        for name in names:
            self.who[name].clock.advance(by)

    @rule(name=WHO, dies=DIES)
    def reclaim(self, name: str, dies: bool) -> None:
        who = self.who[name]
        expired = [task for task in self.model.values() if task.status is RUNNING and task.lease_end <= who.now]
        with suppress(Died):
            with self.transaction(who, dies) as session:
                assert who.queue.reclaim(session) == len(expired)
            for model in expired:
                model.give_up(who.now, who.now)

    @rule(late=WHO, asked=st.booleans(), verb=st.sampled_from(VERBS))
    def the_other_one_takes_over(self, late: str, asked: bool, verb: str) -> None:
        """Rare by chance: a lease ends, the other worker gets the task, and the first one still believes in it."""
        who, other = self.who[late], self.who["b" if late == "a" else "a"]
        self.enqueue(late, max_attempts=3, delay=0.0, dies=False)
        self.claim(late, dies=False)
        self.time_jumps("ab", LEASE)
        self.reclaim(other.name, dies=False)
        for _ in self.model:
            self.claim(other.name, dies=False)
        if asked:
            self.cancel_task(other, who.leases[-1].id)
        self.act_as_holder(who, who.leases[-1], verb, dies=False)

    @rule(name=WHO)
    def the_last_attempt_fails(self, name: str) -> None:
        """Rare by chance, too: the holder of a task's last attempt reports an error."""
        self.enqueue(name, max_attempts=1, delay=0.0, dies=False)
        for _ in self.model:
            self.claim(name, dies=False)
        for task in list(self.who[name].leases):
            self.act_as_holder(self.who[name], task, "fail", dies=False)

    @precondition(lambda self: any(who.leases for who in self.who.values()))
    @rule(data=st.data(), asked=st.booleans(), first=st.sampled_from(VERBS), second=st.sampled_from(VERBS))
    def two_verbs_with_one_lease(self, data: st.DataObject, asked: bool, first: str, second: str) -> None:
        who = self.some_holder(data)
        if asked:
            self.cancel_task(who, who.leases[-1].id)
        for verb in (first, second):
            self.act_as_holder(who, who.leases[-1], verb, dies=False)

    @rule(name=WHO, age=st.sampled_from([0.0, 5.0]), limit=st.sampled_from([1, 100]), dies=DIES)
    def prune(self, name: str, age: float, limit: int, dies: bool) -> None:
        who = self.who[name]
        old = [key for key, task in self.model.items() if not task.live and task.ended < who.now - age]
        with suppress(Died):
            with self.transaction(who, dies) as session:
                assert who.queue.prune(session, timedelta(seconds=age), limit=limit) == min(limit, len(old))
            for task_id in sorted(old)[:limit]:
                del self.model[task_id]

    @invariant()
    def rows_are_the_model(self) -> None:
        type(self).steps += 1
        with reading(self.who["a"].queue.engine) as session:
            rows = {task.id: row_of(task) for task in session.exec(select(Task))}
            orders = {order.id or 0: order for order in session.exec(select(Order))}
            in_process = {order.id for way in (classic, inverted) for order in way.orders_in_process(session)}
        assert rows == {key: task.row() for key, task in self.model.items()}
        live = {task.order: key for key, task in self.model.items() if task.order and task.live}
        assert in_process == set(live)
        references = {key: order.processing_task_id for key, order in orders.items() if APPROACH_OF[key] is inverted}
        assert references == {key: live.get(key) for key in references}
        assert {key: order.amount for key, order in orders.items()} == {key: self.effects[key] for key in orders}


def _as_holder(queue: TaskQueue, session: Session, task: RunningTask, verb: str) -> None:
    if verb in ("fail", "give up"):
        queue.fail(session, task, "no", retry=verb == "fail")
    else:
        getattr(queue, verb)(session, task)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=30, stateful_step_count=50, deadline=None)
