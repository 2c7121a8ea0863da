"""Handlers that misbehave: whatever they return, raise, fork, dispose or call, the worker runs the next task."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, open_database, reading, writing
from taskref_edu.database.sqlite_engine import file_of
from taskref_edu.models import LIVE
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import in_transaction, new_orders, until

pytestmark = pytest.mark.fault


@pytest.fixture
def live(sqlite: Engine) -> TaskQueue:
    queue = TaskQueue(sqlite, lease=5.0, backoff=0.01)
    queue.handler("next")(lambda task: None)
    return queue


@pytest.fixture
def run(live: TaskQueue) -> Iterator[Callable[[Any], Task]]:
    """Run a handler, and a task after it, on a worker's thread; the first task as it ended."""
    worker = Worker(live)

    def run_one(handler: Callable[[RunningTask], object]) -> Task:
        live.handler("bad")(handler)
        with writing(live.engine) as session:
            bad = live.enqueue(session, "bad", max_attempts=1)
            after = live.enqueue(session, "next")
        worker.start()
        until(lambda: all(ended(live, one.id).status not in LIVE for one in (bad, after)))
        return ended(live, bad.id)

    yield run_one
    assert worker.stop(20) is True


def ended(queue: TaskQueue, task_id: int | None) -> Task:
    with reading(queue.engine) as session:
        return session.get_one(Task, task_id)


class Rubbish:
    """Fails at whatever is asked of it."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


RUBBISH = {"object": Rubbish, "class": lambda: Rubbish, "text": lambda: "x" * 10**6, "generator": lambda: iter(())}


@pytest.mark.parametrize("what", RUBBISH)
def test_what_it_returns_is_ignored(run: Callable[[Any], Task], what: str) -> None:
    assert run(lambda task: RUBBISH[what]()).status is TaskStatus.SUCCEEDED


ERRORS = [SystemExit(0), GeneratorExit(), BaseException("base"), ExceptionGroup("g", [OSError()])]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_it_raises_is_its_failure(run: Callable[[Any], Task], error: BaseException) -> None:
    def handler(task: RunningTask) -> None:
        raise error

    failed = run(handler)
    assert failed.status is TaskStatus.FAILED
    assert (failed.error or "").startswith(type(error).__name__)


def test_an_endless_recursion_is_its_failure(run: Callable[[Any], Task]) -> None:
    def handler(task: RunningTask) -> None:
        handler(task)

    assert (run(handler).error or "").startswith("RecursionError")


def test_an_async_function_is_refused_when_it_is_registered(live: TaskQueue) -> None:
    """Calling it would run nothing, and the task would succeed."""

    async def handler(task: RunningTask) -> None:
        pass

    def generator(task: RunningTask) -> Iterator[int]:
        yield 1

    for function in (handler, generator, functools.partial(handler), AsyncCall()):
        with pytest.raises(TypeError, match="a plain function expected"):
            live.handler("bad")(function)
        with pytest.raises(TypeError, match="a plain function expected"):
            live.task(function)


async def pays(*_: object) -> None:
    pytest.fail("nobody awaits it")


def pays_in_steps(*_: object) -> Iterator[int]:
    pytest.fail("nobody goes through it")
    yield 1


async def pays_slowly(*_: object) -> AsyncIterator[int]:
    pytest.fail("nobody goes through it")
    yield 1


def wrapped(function: Callable[..., object]) -> Callable[..., object]:
    """A decorator that keeps the name and the signature."""

    @functools.wraps(function)
    def call(*arguments: object) -> object:
        return function(*arguments)

    return call


class AsyncCall:
    async def __call__(self, task: RunningTask) -> None: ...


NEVER_RUN: dict[str, Callable[..., object]] = {
    "async in a lambda": lambda task: pays(task),
    "generator in a lambda": lambda task: pays_in_steps(task),
    "async in a decorator": wrapped(pays),
    "partial of a decorated one": functools.partial(wrapped(pays)),
    "a future": lambda task: asyncio.Future(loop=LOOP),
    "an async generator": lambda task: pays_slowly(task),
}
LOOP = asyncio.new_event_loop()
LOOP.close()


@pytest.mark.parametrize("what", NEVER_RUN)
def test_what_never_ran_does_not_succeed(run: Callable[[Any], Task], what: str) -> None:
    failed = run(NEVER_RUN[what])
    assert failed.status is TaskStatus.FAILED
    assert (failed.error or "").startswith("HandlerNotRun: the handler of type 'bad' returned ")


def test_the_sugar_over_a_decorator(live: TaskQueue) -> None:
    async def charge(order_id: int) -> None: ...

    @functools.wraps(charge)
    def call(order_id: int) -> object:
        return charge(order_id)

    pay = live.task(call)
    with writing(live.engine) as session:
        task = pay.run_in_background(session, order_id=1)
    Worker(live).run_until_idle()
    assert (ended(live, task.id).error or "").startswith("HandlerNotRun: the handler of type 'charge' returned")


def test_a_decorator_that_awaits_is_all_right(live: TaskQueue, run: Callable[[Any], Task]) -> None:
    async def nothing(task: RunningTask) -> None: ...

    @functools.wraps(nothing)
    def awaits(task: RunningTask) -> None:
        asyncio.run(nothing(task))

    assert run(awaits).status is TaskStatus.SUCCEEDED


class TestTheQueueInsideAHandler:
    def test_enqueue_cancel_and_count(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        def handler(task: RunningTask) -> None:
            with writing(live.engine) as session:
                more = live.enqueue(session, "next")
                live.cancel(session, more.id or 0)
                live.counts(session)

        assert run(handler).status is TaskStatus.SUCCEEDED

    def test_a_task_that_enqueues_itself(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        def handler(task: RunningTask) -> None:
            if task.id < 10:
                in_transaction(live.engine, lambda session: live.enqueue(session, "bad"))

        assert run(handler).status is TaskStatus.SUCCEEDED
        until(lambda: in_transaction(live.engine, live.counts)[TaskStatus.SUCCEEDED] >= 9)

    def test_another_worker_inside_it(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        inner: list[int] = []
        assert run(lambda task: inner.append(Worker(live).run_until_idle())).status is TaskStatus.SUCCEEDED
        assert inner == [1], "it ran the task after this one"

    def test_two_effects__the_second_is_refused(self, run: Callable[[Any], Task]) -> None:
        def handler(task: RunningTask) -> None:
            for _ in range(2):
                with task.completing():
                    pass

        assert run(handler).status is TaskStatus.SUCCEEDED

    def test_completing_inside_completing_waits_for_itself_and_fails_by_name(
        self, live: TaskQueue, sqlite: Engine, run: Callable[[Any], Task]
    ) -> None:
        impatient = TaskQueue(open_database(file_of(sqlite), timeout=0.05))

        def handler(task: RunningTask) -> None:
            with task.completing():
                in_transaction(impatient.engine, lambda session: impatient.enqueue(session, "next"))

        assert (run(handler).error or "").startswith("DatabaseLocked: ")

    def test_it_disposes_the_engine(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        (order,) = new_orders(live.engine, 1)

        def handler(task: RunningTask) -> None:
            live.engine.dispose()
            with task.completing() as session:
                live.engine.dispose()
                session.get_one(Order, order.id).status = "paid"

        assert run(handler).status is TaskStatus.SUCCEEDED
        with reading(live.engine) as session:
            assert session.get_one(Order, order.id).status == "paid"

    def test_it_leaves_a_transaction_open(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        """A forgotten read transaction holds up nobody; a forgotten write would be DatabaseLocked."""
        kept: list[Any] = []

        def handler(task: RunningTask) -> None:
            manager = reading(live.engine)
            kept.append((manager, manager.__enter__()))

        assert run(handler).status is TaskStatus.SUCCEEDED
        kept[0][0].__exit__(None, None, None)

    def test_it_replaces_the_handlers(self, live: TaskQueue, run: Callable[[Any], Task]) -> None:
        assert run(lambda task: live.handler("bad")(print)).status is TaskStatus.SUCCEEDED


FORKING = """
import os, sys, time, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads
from taskref_edu import Order, TaskQueue, Worker, open_database, writing
engine = open_database(sys.argv[1])
queue = TaskQueue(engine)
parent = os.getpid()

@queue.handler("fork")
def fork(task):
    child = os.fork()
    if child:
        print(task.payload, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    elif task.payload == "exits":
        sys.exit(7)
    elif task.payload == "raises":
        raise ValueError("in the child")
    elif task.payload == "completes":
        with task.completing() as session:
            session.get(Order, 1).amount += 1

@queue.handler("next")
def next(task):
    print("next ran in", "parent" if os.getpid() == parent else "CHILD", flush=True)

with writing(engine) as session:
    session.add(Order(id=1, customer="x", amount=0))
    queue.enqueue_many(session, "fork", ["returns", "exits", "raises", "completes"])
    queue.enqueue(session, "next")
worker = Worker(queue)
if sys.argv[2] == "step":
    worker.run_until_idle()
else:
    worker.start()
    while worker.status.done < 5:
        time.sleep(0.01)
    worker.stop()
print("end of", "parent" if os.getpid() == parent else "CHILD", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("how", ["thread", "step"])
def test_a_forked_child_ends_where_the_handler_ends(tmp_path: Path, how: str) -> None:
    """It never claims, and never completes what its parent holds by going on as the worker's copy."""
    path = tmp_path / "tasks.db"
    command = [sys.executable, "-c", FORKING, str(path), how]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        *("returns 0", "exits 7", "raises 1", "completes 0"),
        *("next ran in parent", "end of parent"),
    ]
    assert ran.stderr.count("ValueError: in the child") == 1
    queue = TaskQueue(open_database(path))
    assert in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == 5
    with reading(queue.engine) as session:
        assert session.get_one(Order, 1).amount == 1, "the effect was applied once"
    queue.engine.dispose()


def test_a_deaf_handler_cannot_hold_up_the_end_of_the_program(tmp_path: Path) -> None:
    """The threads are daemons: a program ends, whatever its handler does; the lease brings the task back."""
    program = f"""
import threading
from taskref_edu import TaskQueue, Worker, open_database, writing
queue = TaskQueue(open_database({str(tmp_path / "tasks.db")!r}))
begun = threading.Event()
queue.handler("deaf")(lambda task: (begun.set(), threading.Event().wait()))
with writing(queue.engine) as session:
    queue.enqueue(session, "deaf")
Worker(queue).start()
begun.wait(20)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_a_thread_that_a_handler_left_behind_is_refused(live: TaskQueue, run: Callable[[Any], Task]) -> None:
    release, told = threading.Event(), []

    def late(task: RunningTask) -> None:
        release.wait(20)
        try:
            with task.completing():
                told.append("accepted")
        except Exception as error:
            told.append(type(error).__name__)

    threads: list[threading.Thread] = []

    def handler(task: RunningTask) -> None:
        threads.append(threading.Thread(target=late, args=[task]))
        threads[-1].start()

    assert run(handler).status is TaskStatus.SUCCEEDED
    release.set()
    threads[0].join(20)
    assert told == ["StaleLease"]
