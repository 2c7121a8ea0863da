"""The queue: the only module that changes a task's status.

Each verb is one transition of `models.TRANSITIONS` and one guarded UPDATE (`statements.py`, run by `transitions.py`).
The guards of the holder's verbs (heartbeat, complete, fail, stop) name status and lease token, so that a holder whose
lease is over changes nothing. No verb commits: the caller's transaction decides.

Not covered: priorities, rate limits, periodic tasks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Mapper, Session, class_mapper
from sqlalchemy.orm.attributes import instance_dict, instance_state

from ..arguments import LARGEST_ID, expect, expect_count, expect_name, expect_seconds, in_utc, short
from ..database.commit_signal import notify_after_commit
from ..database.sqlite_engine import expect_engine
from ..database.transactions import Transaction, expect_session, refuse_reading
from ..errors import TaskCancelled, TaskNotFound
from ..models import LONGEST_TYPE, Task, TaskStatus, utc_now
from . import statements
from .handlers import BackgroundFunction, H, Handlers
from .payload import MAX_BYTES, clean, decoded, encoded
from .running_task import RunningTask
from .statement_execution import change, first_row, insert_many, insert_one, stored_in
from .transitions import expect_holder, read_state, stale_lease, transition, transition_by_holder

MAX_ERROR = 2_000  # characters of an error that are stored


class TaskQueue:
    """A queue of tasks in the database of `engine`.

    lease: seconds for which a claim holds without a heartbeat.
    max_attempts: attempts for each task, unless enqueue() is told otherwise.
    backoff: seconds before the first retry; doubled for each further retry, up to `max_backoff`.
    max_payload: the largest payload, in bytes of JSON.
    now, jitter: the sources of time and randomness; jitter() returns a factor for the backoff.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lease: float = 30.0,
        max_attempts: int = 3,
        backoff: float = 1.0,
        max_backoff: float = 3600.0,
        max_payload: int = MAX_BYTES,
        now: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.0),
    ) -> None:
        expect_engine(engine)
        expect_seconds("lease", lease, 0.001)
        expect_count("max_attempts", max_attempts)
        expect_seconds("backoff", backoff)
        expect_seconds("max_backoff", max_backoff)
        expect_count("max_payload", max_payload)
        if not callable(now) or not callable(jitter):
            raise TypeError(f"now {short(now)}, jitter {short(jitter)} found, functions without arguments expected")
        self.engine = engine
        self.lease = lease
        self.max_attempts = max_attempts
        self.backoff = backoff
        self.max_backoff = max_backoff
        self.max_payload = max_payload
        self.now = now
        self.jitter = jitter
        self.handlers = Handlers()

    def handler(self, type: str) -> Callable[[H], H]:
        """Decorator: register a function as the handler of `type`."""

        def register(function: H) -> H:
            self.handlers.add(type, function)
            return function

        return register

    def task(self, function: Callable[..., Any]) -> BackgroundFunction:
        """Decorator: a function whose calls can run in the background, with its arguments as the payload."""
        background = BackgroundFunction(self.enqueue, function)
        self.handlers.add_background(background)
        return background

    # The caller's side

    def enqueue(
        self,
        session: Session,
        type: str,
        payload: Any = None,
        *,
        available_at: datetime | None = None,
        max_attempts: int | None = None,
    ) -> Task:
        """Insert a task in the caller's transaction; return it, detached. It exists once the caller commits.

        Raises PayloadError for a payload that is not JSON, ReadOnlySession inside reading().
        """
        refuse_reading(session, "enqueue")
        attempts = self.max_attempts if max_attempts is None else max_attempts
        values = _new_values(type, attempts, available_at, self.now())
        json = encoded(payload, self.max_payload)
        task_id = insert_one(session, statements.ENQUEUE, json=json, **values)
        notify_after_commit(session)
        return _as_loaded(task_id, values, json)

    def enqueue_many(self, session: Session, type: str, payloads: Iterable[Any]) -> int:
        """Insert a task for each payload in the caller's transaction; return how many. All are checked before."""
        refuse_reading(session, "enqueue_many")
        if isinstance(payloads, str | bytes | dict):
            raise TypeError(f"{short(payloads)} found, a list of payloads expected")
        values = _new_values(type, self.max_attempts, None, self.now())
        texts = [encoded(payload, self.max_payload) for payload in payloads]
        if texts:
            insert_many(session, statements.ENQUEUE, [{"json": json} for json in texts], **values)
            notify_after_commit(session)
        return len(texts)

    def cancel(self, session: Session, task_id: int) -> bool:
        """Cancel a pending task for good, or ask a running one to stop. False: it had already ended.

        Raises TaskNotFound if there is no such task.
        """
        refuse_reading(session, "cancel")
        expect(task_id, (int, type(None)), "the id of a task")
        can_be = task_id is not None and 0 < task_id <= LARGEST_ID  # None: from an empty reference
        if can_be and transition(session, statements.CANCEL, task_id=task_id, now=self.now()):
            return True
        if not can_be or read_state(session, task_id) is None:
            raise TaskNotFound(f"task {short(task_id)} not found: it never existed, or it was pruned")
        return False

    # The holder's side

    def claim(self, session: Transaction) -> RunningTask | None:
        """Take the oldest due task; None if there is none."""
        refuse_reading(session, "claim")
        now = self.now()
        return self._claim(session, now, self._until(now))

    def complete_and_claim(self, session: Transaction, task: RunningTask) -> RunningTask | None:
        """complete() and claim() with one reading of the clock: what a worker does between two tasks.

        Raises StaleLease before the claim.
        """
        expect_holder(session, task)
        moment = self.now()
        now = stored_in(session, moment)  # converted once for both
        if not change(session, statements.COMPLETE, now=now, task_id=task.id, token=task.token):
            raise stale_lease(task, read_state(session, task.id))
        return self._claim(session, now, self._until(moment))

    def _claim(self, session: Transaction, now: datetime | str, until: datetime) -> RunningTask | None:
        row = first_row(session, statements.CLAIM, now=now, until=until)
        return None if row is None else RunningTask(*row[:-1], queue=self, max_attempts=row[-1])

    def heartbeat(self, session: Session, task: RunningTask) -> None:
        """Extend the lease by its full length from now. Raises StaleLease."""
        transition_by_holder(session, statements.HEARTBEAT, task, until=self._until(self.now()))

    def complete(self, session: Transaction, task: RunningTask) -> None:
        """Record success, even of a task that was asked to stop: its effect is finished.

        Raises StaleLease.
        """
        transition_by_holder(session, statements.COMPLETE, task, now=self.now())

    def fail(self, session: Session, task: RunningTask, error: str, *, retry: bool = True) -> None:
        """Record a failure: the task is pending again after the backoff, or failed if it has no attempt left.

        A task that was asked to stop becomes cancelled instead. Raises StaleLease.
        """
        expect_holder(session, task)
        expect(error, str, "the text of the error")
        now = self.now()
        later = now + timedelta(seconds=self.delay(task.attempt))
        text = clean(error[:MAX_ERROR]) or "no error text"
        transition_by_holder(session, statements.FAIL, task, now=now, later=later, retry=bool(retry), error=text)

    def stop(self, session: Session, task: RunningTask) -> None:
        """Record that the holder stopped because it was asked to. Raises StaleLease if nobody asked."""
        transition_by_holder(session, statements.STOP, task, now=self.now())

    def check(self, session: Session, task: RunningTask) -> None:
        """Raise TaskCancelled if the task was asked to stop, StaleLease if the lease is over."""
        expect_holder(session, task)
        row = read_state(session, task.id)
        if row is None or row[:2] != (TaskStatus.RUNNING, task.token):
            raise stale_lease(task, row)
        if row[2] is not None:
            raise TaskCancelled(f"task {task.id} was asked to stop")

    # Housekeeping

    def reclaim(self, session: Transaction) -> int:
        """Make tasks with an expired lease pending again, or failed if they have no attempt left; return how many."""
        return transition(session, statements.RECLAIM[self.engine.dialect.name], now=self.now())

    def prune(self, session: Session, older_than: timedelta, *, limit: int = 10_000) -> int:
        """Delete up to `limit` tasks that ended more than `older_than` ago; return how many. Orders stay."""
        expect(older_than, timedelta, "a timedelta for older_than")
        expect_count("limit", limit, 0)
        expect_seconds("older_than", older_than.total_seconds())
        return transition(session, statements.PRUNE, before=self.now() - older_than, limit=limit)

    def counts(self, session: Session) -> dict[TaskStatus, int]:
        """The number of tasks in each status, zeros included."""
        expect_session(session)
        found = {row[0]: row[1] for row in session.execute(statements.COUNTS)}
        return {status: found.get(status, 0) for status in TaskStatus}

    def next_due(self, session: Session) -> datetime | None:
        """When the next pending task becomes due or the next lease expires (perhaps in the past); None if neither."""
        expect_session(session)
        return session.execute(statements.NEXT_DUE).scalar_one()

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1), with jitter."""
        return min(self.max_backoff, self.backoff * 2 ** min(attempt - 1, 60)) * self.jitter()

    def _until(self, now: datetime) -> datetime:
        return now + _length(self.lease)


@lru_cache(maxsize=16)
def _length(seconds: float) -> timedelta:
    """A lease as a timedelta. Cached: creating one takes longer than adding it."""
    return timedelta(seconds=seconds)


def _new_values(type: str, max_attempts: int, available_at: datetime | None, now: datetime) -> dict[str, Any]:
    """The parameters of `statements.ENQUEUE` except the payload; TypeError or ValueError for invalid arguments."""
    expect_name("type", type, LONGEST_TYPE)
    expect_count("max_attempts", max_attempts)
    due = now if available_at is None else in_utc("available_at", available_at)
    return {"task_type": type, "attempts": max_attempts, "due": due, "now": now}


def _as_loaded(task_id: int, values: dict[str, Any], json: str | None) -> Task:
    """The task as a query would return it, detached. Task(…) would validate each value once more, slowly."""
    mapper = _mapper()
    task = mapper.class_manager.new_instance()
    instance_dict(task).update(
        id=task_id,
        type=values["task_type"],
        payload=decoded(json),
        status=TaskStatus.PENDING,
        attempt=0,
        max_attempts=values["attempts"],
        lease_token=0,
        available_at=values["due"],
        lease_expires_at=None,
        cancel_requested_at=None,
        created_at=values["now"],
        started_at=None,
        finished_at=None,
        error=None,
    )
    # With a key but without a session, the object is detached.
    instance_state(task).key = mapper.identity_key_from_primary_key((task_id,))
    return task


@cache
def _mapper() -> Mapper[Task]:
    """SQLAlchemy's mapper of the class. Cached: looking it up takes as long as creating a task."""
    return class_mapper(Task)
