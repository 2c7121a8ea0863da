"""Careless and hostile arguments: an error of ours, a TypeError or a ValueError at the call, and no row half written.

Each error is caught inside the caller's transaction, which then commits: what the call had written would stay.
Not covered: the lab's functions, which only touch databases of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session

from taskref_edu import (
    Order,
    Task,
    TaskQueue,
    TaskReference,
    Worker,
    classic,
    errors,
    inverted,
    open_database,
    reading,
    writing,
)
from taskref_edu.arguments import LARGEST_ID
from taskref_edu.lab import capture_sql, explore, explore_crashes, measure
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import OpenDatabase, claim, in_transaction, new_orders

EXPECTED = (errors.TaskrefError, TypeError, ValueError)
HOSTILE = ["", "\x00", "\ud800", "x" * 300, "'; DROP TABLE task; --", "<script>alert(1)</script>", "{}", "../../x"]
NUMBERS = [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, float("nan"), float("inf"), -0.0, Decimal("1.5")]
FAR = timezone(timedelta(hours=23, minutes=59))
TIMES = [
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))),
    datetime.min.replace(tzinfo=FAR),
    date(2026, 1, 1),
    timedelta(days=-1),
    timedelta.max,
    timedelta(0),
]


class Nested(list[Any]):
    """A list too deep to be printed, also by Hypothesis."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("Nested")


def nested(levels: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(levels - 1):
        deep = [deep]
    return Nested([deep])


DEEP = [nested(200), nested(600), nested(100_000), {"a": {"b": {1, 2}}}, {1: "a", None: "b"}, {"order_id": 2**70}]
OTHER = [object(), len, Order, b"bytes", (1, 2), {"order_id": 1}, Order(id=2**63, customer="x", amount=1), ...]
junk = (
    st.sampled_from(HOSTILE)
    | st.sampled_from(NUMBERS)
    | st.sampled_from(TIMES)
    | st.integers(0, len(DEEP) - 1).map(lambda number: DEEP[number])  # sampled_from() would print them
    | st.sampled_from(OTHER)
    | st.none()
    | st.booleans()
    | st.text()
    | st.integers()
)
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "10")),  # of each test; more are one variable away
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=False,
)


@pytest.fixture
def queue(sqlite: Engine) -> TaskQueue:
    return with_rows(sqlite)


@pytest.fixture
def any_queue(open_any: OpenDatabase) -> TaskQueue:
    return with_rows(open_any())


def with_rows(engine: Engine) -> TaskQueue:
    queue = TaskQueue(engine)
    new_orders(engine)
    with writing(engine) as session:
        for number in range(3):
            queue.enqueue(session, "work", number)
    claim(queue)
    return queue


def rows(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in ("task", "orders")]


def refused_or_done(queue: TaskQueue, call: Callable[[Session], Any]) -> None:
    """Make the call in a transaction that commits whatever happens; nothing may be written where it was refused."""
    before = rows(queue.engine)
    refused = False
    with writing(queue.engine) as session:
        try:
            call(session)
        except EXPECTED:
            refused = True
        except (sqlalchemy_errors.IntegrityError, sqlalchemy_errors.DataError):
            # What classic's index says: to a second live payment, and on PostgreSQL to an order_id that is no number.
            session.rollback()
            refused = True
    if refused:
        assert rows(queue.engine) == before


VERBS: dict[str, Callable[..., Any]] = {
    "enqueue": lambda q, s, a, b: q.enqueue(s, a, b),
    "enqueue, payload": lambda q, s, a, b: q.enqueue(s, "work", {"a": a, "b": [b]}),
    "enqueue, when": lambda q, s, a, b: q.enqueue(s, "work", available_at=a, max_attempts=b),
    "enqueue_many": lambda q, s, a, b: q.enqueue_many(s, a, b),
    "enqueue_many, payloads": lambda q, s, a, b: q.enqueue_many(s, "process_payment", [{"order_id": 101}, a, b]),
    "cancel": lambda q, s, a, b: q.cancel(s, a),
    "heartbeat": lambda q, s, a, b: q.heartbeat(s, a),
    "complete": lambda q, s, a, b: q.complete(s, a),
    "complete_and_claim": lambda q, s, a, b: q.complete_and_claim(s, a),
    "fail": lambda q, s, a, b: q.fail(s, a, b),
    "fail, text": lambda q, s, a, b: q.fail(s, RunningTask(1, "work", None, 1, 1, q), a, retry=b),
    "stop": lambda q, s, a, b: q.stop(s, a),
    "check": lambda q, s, a, b: q.check(s, a),
    "prune": lambda q, s, a, b: q.prune(s, a, limit=b),
    "prune, all": lambda q, s, a, b: q.prune(s, a),
    "run_in_background": lambda q, s, a, b: q.task(one_argument).run_in_background(s, a),
    "run_in_background, names": lambda q, s, a, b: q.task(one_argument).run_in_background(
        s, **{a if isinstance(a, str) else "order_id": b}
    ),
    "handler": lambda q, s, a, b: q.handler(a)(b),
    "task": lambda q, s, a, b: q.task(a),
}


def one_argument(order_id: int) -> None:
    pass


@pytest.mark.parametrize("verb", VERBS)
@fuzz
@given(first=junk, second=junk)
def test_the_queue(queue: TaskQueue, verb: str, first: Any, second: Any) -> None:
    refused_or_done(queue, lambda session: VERBS[verb](queue, session, first, second))


@pytest.mark.parametrize(
    "verb", ["enqueue", "enqueue, payload", "enqueue, when", "enqueue_many, payloads", "fail, text"]
)
@fuzz
@given(first=junk, second=junk)
def test_what_is_stored_by_each_database(any_queue: TaskQueue, verb: str, first: Any, second: Any) -> None:
    refused_or_done(any_queue, lambda session: VERBS[verb](any_queue, session, first, second))


PAYMENTS = TaskReference[Order](Order.processing_task_id, "process_payment")
APPROACHES: dict[str, Callable[..., Any]] = {
    **{
        f"{module.__name__.rsplit('.')[-1]}.{verb}": getattr(module, verb)
        for module in (classic, inverted)
        for verb in ("enqueue_payment", "enqueue_payment_once", "cancel_payment")
    },
    "TaskReference.enqueue": PAYMENTS.enqueue,
    "TaskReference.enqueue_once": PAYMENTS.enqueue_once,
    "TaskReference.cancel": PAYMENTS.cancel,
}


@pytest.mark.parametrize("verb", APPROACHES)
@fuzz
@given(value=junk, wrap=st.booleans())
def test_the_verbs_of_a_payment(queue: TaskQueue, verb: str, value: Any, wrap: bool) -> None:
    order = Order(id=value, customer="x", amount=1) if wrap else value
    refused_or_done(queue, lambda session: APPROACHES[verb](session, queue, order))
    refused_or_done(queue, lambda session: APPROACHES[verb](session, value, Order(id=101, customer="x", amount=1)))


LOOKS: dict[str, Callable[..., Any]] = {
    "classic.order_for": classic.order_for,
    "inverted.order_for": inverted.order_for,
    "TaskReference.row_for": PAYMENTS.row_for,
}


@pytest.mark.parametrize("verb", LOOKS)
@fuzz
@given(value=junk, wrap=st.booleans())
def test_looking_for_the_order(queue: TaskQueue, verb: str, value: Any, wrap: bool) -> None:
    task = RunningTask(1, "process_payment", value, 1, 1, queue) if wrap else value
    refused_or_done(queue, lambda session: LOOKS[verb](session, task))


@fuzz
@given(value=junk)
def test_what_is_no_session(queue: TaskQueue, value: Any) -> None:
    running = RunningTask(1, "work", None, 1, 1, queue)
    order = Order(id=101, customer="x", amount=1)
    calls: list[Callable[[], Any]] = [
        lambda: queue.enqueue(value, "work"),
        lambda: queue.enqueue_many(value, "work", [1]),
        lambda: queue.cancel(value, 1),
        lambda: queue.claim(value),
        lambda: queue.complete(value, running),
        lambda: queue.check(value, running),
        lambda: queue.reclaim(value),
        lambda: queue.counts(value),
        lambda: queue.next_due(value),
        lambda: queue.prune(value, timedelta(0)),
        *(lambda verb=verb: verb(value, queue, order) for verb in APPROACHES.values()),
        *(lambda verb=verb: verb(value, running) for verb in LOOKS.values()),
        lambda: classic.orders_in_process(value),
        lambda: inverted.orders_in_process(value),
        lambda: PAYMENTS.in_process(value),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"session.*expected"):
            call()


@fuzz
@given(value=junk)
def test_what_is_no_engine(value: Any) -> None:
    def enter(manager: Any) -> None:
        with manager:
            pass

    calls: list[Callable[[], Any]] = [
        lambda: TaskQueue(value),
        lambda: enter(reading(value)),
        lambda: enter(writing(value)),
        lambda: PAYMENTS.install(value),
        lambda: Worker(value),
        lambda: enter(capture_sql(value)),
        lambda: measure(value, lambda session: None),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="found"):
            call()


OPTIONS = ["lease", "max_attempts", "backoff", "max_backoff", "max_payload", "now", "jitter"]


@fuzz
@given(options=st.dictionaries(st.sampled_from(OPTIONS), junk, min_size=1, max_size=2))
def test_a_queue_that_can_be_made_can_be_used(queue: TaskQueue, options: dict[str, Any]) -> None:
    options = {name: value for name, value in options.items() if not callable(value)}
    try:
        odd = TaskQueue(queue.engine, **options)
    except EXPECTED:
        return
    with writing(queue.engine) as session:
        odd.enqueue(session, "work", None)
    task = claim(odd)
    in_transaction(queue.engine, lambda session: odd.fail(session, task, "no"))


@fuzz
@given(options=st.dictionaries(st.sampled_from(["name", "poll", "patience"]), junk, min_size=1), timeout=junk)
def test_a_worker_that_can_be_made_can_be_used(queue: TaskQueue, options: dict[str, Any], timeout: Any) -> None:
    try:
        worker = Worker(queue, **options)
    except EXPECTED:
        worker = Worker(queue)
    try:
        assert worker.stop(timeout) is True
    except EXPECTED:
        assert worker.status.state == "stopped"


@fuzz
@given(column=junk, type=junk)
def test_a_reference(column: Any, type: Any) -> None:
    with pytest.raises(EXPECTED):
        TaskReference(column, "work")
    if not isinstance(type, str):
        with pytest.raises(TypeError):
            TaskReference(Order.processing_task_id, type)


@fuzz
@given(where=junk, schema=junk, timeout=junk)
def test_opening(tmp_path: Path, where: Any, schema: Any, timeout: Any) -> None:
    if isinstance(where, str):
        where = f"{tmp_path}/{where}" if where else str(tmp_path)
    for options in ({"schema": schema}, {"synchronous": schema}, {"timeout": timeout}):
        try:
            open_database(where, **options).dispose()
        except EXPECTED:
            continue


@pytest.mark.parametrize("junk", [None, 5, "x", [], [None], object()])
def test_the_lab(junk: Any) -> None:
    for explorer in (explore, explore_crashes):
        with pytest.raises(EXPECTED):
            explorer(junk, setup=junk, invariant=junk)  # type: ignore[operator]


class TestText:
    """Text from outside is data, wherever it goes."""

    @pytest.mark.parametrize("hostile", ["'; DROP TABLE task; --", '"; DROP TABLE task; --', "$1 :json %s ?"])
    def test_to_sql(self, any_queue: TaskQueue, hostile: str) -> None:
        with writing(any_queue.engine) as session:
            session.add(Order(id=201, customer=hostile, amount=1, status=hostile))
            task = any_queue.enqueue(session, hostile, {hostile: [hostile]})
            any_queue.enqueue_many(session, hostile, [hostile])
        with writing(any_queue.engine) as session:
            claimed = any_queue.claim(session)
            assert claimed is not None
            any_queue.fail(session, claimed, hostile, retry=False)
        with reading(any_queue.engine) as session:
            found = session.get_one(Task, task.id)
            assert (found.type, found.payload) == (hostile, {hostile: [hostile]})
            assert session.get_one(Task, claimed.id).error == hostile
            assert session.get_one(Order, 201).customer == hostile

    def test_a_payload_near_the_limits_comes_back(self, any_queue: TaskQueue) -> None:
        for payload in (nested(451), "x" * (2**20 - 2), {"[{" * 300: "]}" * 900 + '"\\'}):
            with writing(any_queue.engine) as session:
                task = any_queue.enqueue(session, "process_payment", payload)
            with reading(any_queue.engine) as session:
                assert session.get_one(Task, task.id).payload == payload
            in_transaction(any_queue.engine, lambda session, task=task: any_queue.cancel(session, task.id or 0))

    def test_one_byte_or_one_level_more_is_refused_with_both_sizes(self, any_queue: TaskQueue) -> None:
        with pytest.raises(errors.PayloadError, match="1,048,577 bytes, 1,048,576 are allowed"):
            in_transaction(any_queue.engine, lambda session: any_queue.enqueue(session, "work", "x" * (2**20 - 1)))
        with pytest.raises(errors.PayloadError, match="nested 501 levels deep, 500 are allowed"):
            in_transaction(any_queue.engine, lambda session: any_queue.enqueue(session, "work", nested(500)))


def test_ids_that_cannot_be(any_queue: TaskQueue) -> None:
    ids: list[Any] = [None, 0, -1, 2**63, LARGEST_ID, 10**5000]
    for task_id in ids:
        with pytest.raises(errors.TaskNotFound):
            in_transaction(any_queue.engine, lambda session, task_id=task_id: any_queue.cancel(session, task_id))


def test_a_clock_of_another_class_is_stored_like_any_other(any_queue: TaskQueue) -> None:
    class Frozen(datetime):
        """As freezegun has one."""

    moment = Frozen(2026, 5, 5, tzinfo=FAR)
    frozen = TaskQueue(any_queue.engine, now=lambda: moment)
    with writing(any_queue.engine) as session:
        task = frozen.enqueue(session, "work", available_at=moment)
    with reading(any_queue.engine) as session:
        found = session.get_one(Task, task.id)
    assert (found.available_at, found.created_at) == (moment, moment)
    assert task.available_at == moment


def test_all_or_none_of_many(any_queue: TaskQueue) -> None:
    """An index refuses the third; the caller catches that and commits."""
    before = rows(any_queue.engine)
    payloads = [{"order_id": 102}, {"order_id": 103}, {"order_id": 102}]
    with writing(any_queue.engine) as session:
        with pytest.raises(sqlalchemy_errors.IntegrityError):
            with session.begin_nested() if any_queue.engine.dialect.name == "postgresql" else reading(any_queue.engine):
                any_queue.enqueue_many(session, "process_payment", payloads)
    assert rows(any_queue.engine) == before


def test_python_digits_limit_is_not_met_by_our_messages(any_queue: TaskQueue) -> None:
    huge = 10 ** (sys.get_int_max_str_digits() + 1)
    with pytest.raises(errors.PayloadError, match="not JSON"):
        in_transaction(any_queue.engine, lambda session: any_queue.enqueue(session, "work", huge))
    with pytest.raises(ValueError, match="max_attempts"):
        TaskQueue(any_queue.engine, max_attempts=huge)
