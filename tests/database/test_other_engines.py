"""An application's own engine of the same file: its sessions may be used, and the engine itself is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import Session

from taskref_edu import Order, TaskQueue, TaskReference, TaskStatus, reading, writing
from tests.conftest import new_orders

PAYMENTS = TaskReference[Order](Order.processing_task_id, "process_payment")
Verb = Callable[[Session, TaskQueue, Order], object]
VERBS: dict[str, Verb] = {  # those that use a SAVEPOINT
    "enqueue_once": PAYMENTS.enqueue_once,
    "enqueue_many": lambda session, queue, order: queue.enqueue_many(session, "work", [1, 2]),
}


class TheirError(Exception):
    pass


@pytest.fixture
def theirs(sqlite: Engine) -> Iterator[Engine]:
    engine = create_engine(sqlite.url)
    yield engine
    engine.dispose()


def in_a_session(url: object, run: Callable[[Session], object]) -> None:
    engine = create_engine(url)  # type: ignore[call-overload]
    try:
        with Session(engine) as session:
            run(session)
            session.commit()
    finally:
        engine.dispose()


def in_an_async_session(url: object, run: Callable[[Session], object]) -> None:
    async def main() -> None:
        engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"))  # type: ignore[attr-defined]
        try:
            async with AsyncSession(engine) as session:
                await session.run_sync(run)  # type: ignore[arg-type]
                await session.commit()
        finally:
            await engine.dispose()

    asyncio.run(main())


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("run", [in_a_session, in_an_async_session])
def test_a_later_error_takes_the_task_back(sqlite: Engine, verb: str, run: Callable[..., None]) -> None:
    """SQLite's driver sends no BEGIN before a SAVEPOINT, whose RELEASE would commit."""
    queue, (order, *_) = TaskQueue(sqlite), new_orders(sqlite)

    def click(session: Session) -> None:
        VERBS[verb](session, queue, order)
        raise TheirError

    def pending() -> int:
        with reading(sqlite) as session:
            return queue.counts(session)[TaskStatus.PENDING]

    with pytest.raises(TheirError):
        run(sqlite.url, click)
    assert pending() == 0
    run(sqlite.url, lambda session: VERBS[verb](session, queue, order))
    assert pending() == (1 if verb == "enqueue_once" else 2)


@pytest.mark.parametrize("use", [TaskQueue, PAYMENTS.install, lambda engine: writing(engine).__enter__(), reading])
def test_the_engine_itself_is_refused(theirs: Engine, use: Callable[[Engine], object]) -> None:
    with pytest.raises(TypeError, match=r"Engine\(sqlite:.* found, an engine of open_database\(\) expected"):
        use(theirs)


@pytest.mark.parametrize("verb", VERBS)
def test_an_async_session_where_a_session_belongs(sqlite: Engine, verb: str) -> None:
    (order, *_) = new_orders(sqlite)
    with pytest.raises(TypeError, match=r"await session.run_sync\("):
        VERBS[verb](AsyncSession(), TaskQueue(sqlite), order)  # type: ignore[arg-type]
