"""The task as its handler sees it: frozen values, and three ways to use the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlmodel import Session

from ..database.transactions import reading, writing


class LeaseVerbs(Protocol):
    """What a running task needs of its queue."""

    engine: Engine

    def heartbeat(self, session: Session, task: RunningTask) -> None: ...
    def complete(self, session: Session, task: RunningTask) -> None: ...
    def check(self, session: Session, task: RunningTask) -> None: ...


@dataclass(frozen=True, init=False)
class RunningTask:
    """One claimed task and the lease on it: attempt number `attempt` of `max_attempts`; `token` proves the claim."""

    id: int
    type: str
    payload: Any
    attempt: int
    token: int
    queue: LeaseVerbs = field(repr=False, compare=False)
    max_attempts: int = field(repr=False)
    # Not empty once the handler has completed the task itself; then the worker does not.
    completed: list[bool] = field(repr=False, compare=False)

    def __init__(
        self, id: int, type: str, payload: Any, attempt: int, token: int, queue: LeaseVerbs, max_attempts: int = 1
    ) -> None:
        # The frozen dataclass's own __init__ sets each value by object.__setattr__(), which takes twice as long.
        self.__dict__.update(
            id=id,
            type=type,
            payload=payload,
            attempt=attempt,
            token=token,
            queue=queue,
            max_attempts=max_attempts,
            completed=[],
        )

    def reading(self) -> AbstractContextManager[Session]:
        """A read transaction, for what the handler needs to know before its slow work."""
        return reading(self.queue.engine)

    @contextmanager
    def completing(self) -> Iterator[Session]:
        """One write transaction for the handler's effect and the task's completion: both commit, or neither.

        Its first statement proves the lease, so a stale holder is refused (StaleLease) before its effect, and locks
        are taken in one sequence: first the task, then the object. Do nothing slow inside: it blocks every writer.
        """
        with writing(self.queue.engine) as session:
            self.queue.heartbeat(session, self)
            yield session
            session.flush()
            self.queue.complete(session, self)
        self.completed.append(True)

    def checkpoint(self) -> None:
        """Raise TaskCancelled if somebody asked the task to stop, StaleLease if the lease is over."""
        with self.reading() as session:
            self.queue.check(session, self)
