"""The verbs of the library as actors, the states that they start from, and what must hold whatever they did."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, classic, inverted, reading, writing
from taskref_edu.errors import OrphanTask, PayloadError, StaleLease, TaskCancelled
from taskref_edu.models import LIVE
from taskref_edu.queue.running_task import RunningTask

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# In which states of the order's payment a verb has something to do.
STATES = {
    "enqueue": ("no payment", "pending", "running", "expired", "ended long ago"),
    "cancel": ("pending", "running", "expired", "ended long ago"),
    "claim": ("pending",),
    "complete": ("running", "expired", "ended long ago"),
    "fail": ("running", "expired", "ended long ago"),
    "reclaim": ("running", "expired"),
    "prune": ("ended long ago",),
    "work": ("pending", "expired"),
}
APPROACHES = {"classic": classic, "inverted": inverted}


HOLDERS = {"complete", "fail"}  # verbs of somebody who has claimed the task


def states_of(*verbs: str) -> list[str]:
    """The states that all the verbs work on; those of any if there are none. A holder has claimed already."""
    states = {verb: set(STATES[verb]) for verb in verbs}
    found = set.intersection(*states.values()) or set.union(*states.values())
    for holder in HOLDERS & set(verbs):
        found &= states[holder]
    return [state for state in STATES["enqueue"] if state in found]


def queue_at(engine: Engine, time: datetime = NOON) -> TaskQueue:
    """A queue whose clock stands still, so that nothing depends on when a schedule is run."""
    return TaskQueue(engine, now=lambda: time, jitter=lambda: 1.0, backoff=1.0)


def set_up(approach: ModuleType, state: str) -> Callable[[Engine], None]:
    """One order, and its payment in this state."""

    def setup(engine: Engine) -> None:
        with writing(engine) as session:
            order = Order(id=101, customer="Ada", amount=0)
            session.add(order)
            if state != "no payment":
                approach.enqueue_payment(session, queue_at(engine), order)
        if state in ("running", "expired"):
            # The holder of an expired lease is slow, not dead.
            with writing(engine) as session:
                queue_at(engine).claim(session)
                if state == "expired":
                    session.execute(update(Task).values(lease_expires_at=NOON - timedelta(hours=1)))
        if state == "ended long ago":
            with writing(engine) as session:
                queue_at(engine, NOON - timedelta(days=9)).cancel(session, 1)

    return setup


class Verbs:
    """The verbs of one approach. Each reads its order in an earlier transaction, as a request does."""

    def __init__(self, approach: ModuleType) -> None:
        self.approach = approach

    def held(self, engine: Engine) -> RunningTask:
        """What the first holder of task 1 has in its hands since its claim, whatever happened to the task since."""
        payload = {"order_id": 101} if self.approach is classic else None
        return RunningTask(1, "process_payment", payload, 1, 1, queue_at(engine))

    def enqueue(self, engine: Engine) -> int | None:
        order = _order(engine)
        with writing(engine) as session:
            task = self.approach.enqueue_payment_once(session, queue_at(engine), order)
        return task and task.id

    def cancel(self, engine: Engine) -> int:
        order = _order(engine)
        with writing(engine) as session:
            return self.approach.cancel_payment(session, queue_at(engine), order)

    def claim(self, engine: Engine) -> tuple[int, int] | None:
        with writing(engine) as session:
            task = queue_at(engine).claim(session)
        return task and (task.id, task.token)

    def complete(self, engine: Engine) -> str:
        """The first holder runs the approach's handler, and is told where it came too late."""
        try:
            self.approach.process_payment(self.held(engine))
        except (StaleLease, TaskCancelled, OrphanTask, PayloadError) as told:
            return type(told).__name__
        return "completed"

    def fail(self, engine: Engine) -> str:
        with suppress(StaleLease), writing(engine) as session:
            queue_at(engine).fail(session, self.held(engine), "the card was refused")
            return "failed"
        return "StaleLease"

    def reclaim(self, engine: Engine) -> int:
        with writing(engine) as session:
            return queue_at(engine).reclaim(session)

    def prune(self, engine: Engine) -> int:
        with writing(engine) as session:
            return queue_at(engine).prune(session, timedelta(days=1))

    def work(self, engine: Engine, time: datetime = NOON) -> bool:
        """Worker.step() with the approach's own handler."""
        queue = queue_at(engine, time)
        queue.handler("process_payment")(self.approach.process_payment)
        return Worker(queue).step()

    def recover(self, engine: Engine) -> None:
        """What a new worker does an hour later: reclaim, and run what is due."""
        while self.work(engine, NOON + timedelta(hours=1)):
            pass

    def sound(self, session: Session, errors: dict[str, BaseException], results: dict[str, Any]) -> list[str]:
        """What must hold after any of these verbs, in whatever order."""
        tasks, order = session.exec(select(Task)).all(), session.exec(select(Order)).one()
        live = [task for task in tasks if task.status in LIVE]
        problems = [f"{letter} got {type(error).__name__}: {error}" for letter, error in errors.items()]
        if len(live) > 1:
            problems.append(f"{len(live)} live payments of one order")
        referenced = [order.processing_task_id] if order.processing_task_id else []
        if self.approach is inverted and [task.id for task in live] != referenced:
            problems.append(f"the order references {referenced}, alive is {[task.id for task in live]}")
        if self.approach is classic and any(task.payload != {"order_id": 101} for task in tasks):
            problems.append("a payload names no order")
        if (order.status == "paid") != any(task.status is TaskStatus.SUCCEEDED for task in tasks):
            problems.append(f"the order is {order.status}, its tasks are {[str(task.status) for task in tasks]}")
        claims = [result for result in results.values() if isinstance(result, tuple)]
        if len(set(claims)) < len(claims):
            problems.append(f"claimed twice with one token: {claims}")
        if list(results.values()).count("completed") > 1:
            problems.append("two holders completed one attempt")
        unfounded = {"StaleLease", "OrphanTask", "PayloadError"} & {str(result) for result in results.values()}
        if unfounded and any((task.status, task.lease_token) == (TaskStatus.RUNNING, 1) for task in tasks):
            problems.append(f"the holder met {unfounded}, and still holds the task")
        return problems


def _order(engine: Engine) -> Order:
    with reading(engine) as session:
        return session.exec(select(Order).where(col(Order.id) == 101)).one()
