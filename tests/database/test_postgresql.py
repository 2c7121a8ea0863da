"""What holds on PostgreSQL alone: types, plans, the order of locks, and clicks under READ COMMITTED."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text, update
from sqlalchemy import exc as sqlalchemy_errors
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, TaskStatus, Worker, classic, inverted, open_database, reading, writing
from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.errors import DatabaseReadOnly, PayloadError
from taskref_edu.queue.running_task import RunningTask
from tests.conftest import claim, in_transaction, new_orders, until

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]
PAYMENT = "process_payment"


@pytest.fixture
def engine(postgresql: Engine) -> Engine:
    return postgresql


@pytest.fixture
def queue(engine: Engine) -> TaskQueue:
    return TaskQueue(engine)


class TestTypes:
    def test_the_columns(self, engine: Engine) -> None:
        query = (
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        )
        with reading(engine) as session:
            found = {(table, column): kind for table, column, kind in session.execute(text(query))}
        for name in (("task", "id"), ("task", "lease_token"), ("orders", "id"), ("orders", "processing_task_id")):
            assert found[name] == "bigint"
        assert found["task", "payload"] == "jsonb"
        times = {kind for (_, column), kind in found.items() if column.endswith("_at")}
        assert times == {"timestamp with time zone"}

    def test_ids_beyond_32_bits_go_all_the_way(self, queue: TaskQueue) -> None:
        big = 2**40
        (order,) = new_orders(queue.engine, 1)
        with writing(queue.engine) as session:
            session.execute(text(f"SELECT setval('task_id_seq', {big}), setval('orders_id_seq', {big})"))
            session.add(other := Order(customer="Ann", amount=1))
            assert inverted.enqueue_payment(session, queue, order).id == big + 1
            classic_task = classic.enqueue_payment(session, queue, other)
            assert other.id == big + 1
            session.execute(text(f"UPDATE task SET lease_token = {big}"))
        inverted.process_payment(claim(queue))
        task = claim(queue)
        assert (task.id, task.token, task.payload) == (classic_task.id, big + 1, {"order_id": big + 1})
        classic.process_payment(task)
        with reading(queue.engine) as session:
            assert {order.status for order in session.exec(select(Order))} == {"paid"}

    def test_payloads_can_be_asked_for_in_sql(self, queue: TaskQueue) -> None:
        in_transaction(queue.engine, lambda session: queue.enqueue(session, "mail", {"to": {"name": "Ann"}, "n": 7}))
        with reading(queue.engine) as session:
            contains = text(
                "SELECT count(*) FROM task WHERE payload @> '{\"n\": 7}' AND payload #>> '{to,name}' = 'Ann'"
            )
            assert session.scalar(contains) == 1


@contextmanager
def plans_of(engine: Engine) -> Iterator[list[str]]:
    """The plans of all statements of the block that look something up, taken just before each runs."""
    plans: list[str] = []

    def explain(connection, cursor, statement, parameters, context, executemany) -> None:  # type: ignore[no-untyped-def]
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
            other = cursor.connection.cursor()
            plans.append("\n".join(row[0] for row in other.execute(f"EXPLAIN {statement}", parameters)))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


@pytest.fixture(scope="module")
def full(postgresql_url: str) -> Iterator[TaskQueue]:
    """A queue with a history: 20,000 tasks and orders, a hundred of each kind in process."""
    engine = open_database(start_postgres())
    queue = TaskQueue(engine)
    with writing(engine) as session:
        for statement in (
            "INSERT INTO orders (id, customer, amount, status)"
            " SELECT i, 'x', 1, 'paid' FROM generate_series(1, 20000) i",
            "INSERT INTO task (type, payload, status, attempt, max_attempts, lease_token, available_at, created_at,"
            " finished_at) SELECT 'process_payment', jsonb_build_object('order_id', i), 'succeeded', 1, 3, 1, now(),"
            " now(), now() FROM generate_series(1, 20000) i",
        ):
            session.execute(text(statement))
        for order in session.exec(select(Order).where(col(Order.id) <= 100)).all():
            inverted.enqueue_payment(session, queue, order)
        for order in session.exec(select(Order).where(col(Order.id) > 19_900)).all():
            classic.enqueue_payment(session, queue, order)
        for _ in range(20):
            queue.claim(session)
        session.execute(text("SELECT setval('orders_id_seq', 20000)"))
        session.execute(text("ANALYZE"))
    yield queue
    engine.dispose()


LIVE, REFERENCE = "task_live_payment", "orders_processing_task_id"
Act = Callable[[TaskQueue, Session, Order, RunningTask], object]


LOOK_UPS: dict[str, tuple[Act, str]] = {
    "claim": (lambda queue, session, order, task: queue.claim(session), "task_pending"),
    "reclaim": (lambda queue, session, order, task: queue.reclaim(session), "task_running"),
    "next due": (lambda queue, session, order, task: queue.next_due(session), "task_pending"),
    "heartbeat": (lambda queue, session, order, task: queue.heartbeat(session, task), "task_pkey"),
    "complete": (lambda queue, session, order, task: queue.complete(session, task), "task_pkey"),
    "classic cancel": (lambda queue, session, order, task: classic.cancel_payment(session, queue, order), LIVE),
    "classic list": (lambda queue, session, order, task: classic.orders_in_process(session), LIVE),
    "order for": (lambda queue, session, order, task: inverted.order_for(session, task), REFERENCE),
    "cancel": (lambda queue, session, order, task: inverted.cancel_payment(session, queue, order), "orders_pkey"),
    "once": (lambda queue, session, order, task: inverted.enqueue_payment_once(session, queue, order), "orders_pkey"),
    "list": (lambda queue, session, order, task: inverted.orders_in_process(session), REFERENCE),
}


@pytest.mark.parametrize(("act", "index"), LOOK_UPS.values(), ids=LOOK_UPS)
def test_each_look_up_uses_its_index(full: TaskQueue, act: Act, index: str) -> None:
    with writing(full.engine) as session:
        order, task = session.get_one(Order, 1), full.claim(session)
        assert task
        with plans_of(full.engine) as plans:
            act(full, session, order, task)
        session.rollback()  # the next one wants the same rows
    assert index in plans[0]
    assert "Seq Scan on task" not in plans[0]


def test_the_clearing_and_the_foreign_key_use_the_partial_index(full: TaskQueue) -> None:
    """What the trigger and ON DELETE SET NULL run: a plan for any parameter, as they keep it."""
    with full.engine.connect() as connection:
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        clear = "UPDATE orders SET processing_task_id = NULL WHERE processing_task_id = $1"
        connection.exec_driver_sql(f"PREPARE clearing (bigint) AS {clear}")
        plan = connection.exec_driver_sql("EXPLAIN EXECUTE clearing (7)").scalars().all()
    assert "orders_processing_task_id" in "\n".join(plan)


def waits_for_a_lock(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with reading(engine) as session:
        return bool(session.scalar(text(query)))


class TestOrderOfLocks:
    """Task first, then object. A payment's effect meets a caller who cancels it and changes the order, too."""

    @pytest.fixture
    def running(self, queue: TaskQueue) -> tuple[Order, RunningTask]:
        (order,) = new_orders(queue.engine, 1)
        in_transaction(queue.engine, lambda session: inverted.enqueue_payment(session, queue, order))
        return order, claim(queue)

    def test_the_object_first_deadlocks(self, queue: TaskQueue, running: tuple[Order, RunningTask]) -> None:
        order, task = running

        def effect() -> None:
            with writing(queue.engine) as session:
                session.execute(update(Order).where(col(Order.id) == order.id).values(status="paid"))
                other = pool.submit(self.cancel, queue, order)
                until(lambda: waits_for_a_lock(queue.engine))
                queue.complete(session, task)  # the other one has the task, and waits for the order
            other.result()

        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(sqlalchemy_errors.OperationalError, match="deadlock detected"),
        ):
            effect()

    @pytest.mark.parametrize("first", ["effect", "cancel"])
    def test_the_task_first_does_not(self, queue: TaskQueue, running: tuple[Order, RunningTask], first: str) -> None:
        order, task = running
        with ThreadPoolExecutor(1) as pool:
            if first == "effect":
                with task.completing() as session:
                    other = pool.submit(self.cancel, queue, order)
                    until(lambda: waits_for_a_lock(queue.engine))
                    inverted.order_for(session, task).status = "paid"
            else:
                with writing(queue.engine) as session:
                    inverted.cancel_payment(session, queue, order)
                    other = pool.submit(self.pay, task)
                    until(lambda: waits_for_a_lock(queue.engine))
                    session.execute(update(Order).where(col(Order.id) == order.id).values(customer="Bob"))
            other.result()
        with reading(queue.engine) as session:
            found = session.get_one(Order, order.id)
            assert (found.status, found.customer, found.processing_task_id) == ("paid", "Bob", None)
            assert session.get_one(Task, task.id).status == "succeeded", "a completion beats the request"

    @staticmethod
    def cancel(queue: TaskQueue, order: Order) -> None:
        with writing(queue.engine) as session:
            inverted.cancel_payment(session, queue, order)
            session.execute(update(Order).where(col(Order.id) == order.id).values(customer="Bob"))

    @staticmethod
    def pay(task: RunningTask) -> None:
        with task.completing() as session:
            inverted.order_for(session, task).status = "paid"


Click = Callable[[Session, TaskQueue, Order, Callable[[], object]], object]


def check_then_set(session: Session, queue: TaskQueue, order: Order, wait: Callable[[], object]) -> None:
    """The document's own: look, then enqueue, then store the reference; all in one transaction."""
    found = session.get_one(Order, order.id)
    wait()
    if not found.processing_task_id:
        found.processing_task_id = queue.enqueue(session, PAYMENT).id


def conditional_update(session: Session, queue: TaskQueue, order: Order, wait: Callable[[], object]) -> None:
    wait()
    inverted.enqueue_payment_once(session, queue, order)


def unique_index(session: Session, queue: TaskQueue, order: Order, wait: Callable[[], object]) -> None:
    wait()
    classic.enqueue_payment_once(session, queue, order)


def row_lock(session: Session, queue: TaskQueue, order: Order, wait: Callable[[], object]) -> None:
    wait()
    found = session.get_one(Order, order.id, with_for_update=True)
    if not found.processing_task_id:
        found.processing_task_id = queue.enqueue(session, PAYMENT).id


def serializable(session: Session, queue: TaskQueue, order: Order, wait: Callable[[], object]) -> None:
    session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
    check_then_set(session, queue, order, wait)


def click_at_the_same_moment(queue: TaskQueue, order: Order, click: Click, count: int = 4) -> list[str]:
    """`count` clicks, each on a connection of its own, that meet where the click waits; the errors of the losers."""
    barrier = threading.Barrier(count)

    def one(_: int) -> str | None:
        try:
            with Session(queue.engine) as session:
                click(session, queue, order, lambda: barrier.wait(10))
                session.commit()
        except sqlalchemy_errors.OperationalError as error:
            return type(error.orig).__name__
        return None

    with ThreadPoolExecutor(count) as pool:
        return [error for error in pool.map(one, range(count)) if error]


class TestClicks:
    @pytest.mark.parametrize(
        ("click", "tasks", "errors"),
        [
            (check_then_set, 4, []),
            (conditional_update, 1, []),
            (unique_index, 1, []),
            (row_lock, 1, []),
            (serializable, 1, ["SerializationFailure"] * 3),
        ],
        ids=["check then set", "conditional UPDATE", "unique index", "SELECT FOR UPDATE", "SERIALIZABLE"],
    )
    def test_four_clicks(self, queue: TaskQueue, click: Click, tasks: int, errors: list[str]) -> None:
        (order,) = new_orders(queue.engine, 1)
        assert click_at_the_same_moment(queue, order, click) == errors
        with reading(queue.engine) as session:
            assert len(session.exec(select(Task)).all()) == tasks


@pytest.mark.parametrize("approach", [classic, inverted])
def test_both_approaches_pay_once_whoever_clicks(queue: TaskQueue, approach: ModuleType) -> None:
    """Clicks on each of ten orders from five connections, and two claimers beside them."""
    orders = new_orders(queue.engine, 10)

    def click(number: int) -> bool:
        with writing(queue.engine) as session:
            return approach.enqueue_payment_once(session, queue, orders[number % 10]) is not None

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(click, range(50))) == 10


class TestBadMoments:
    def test_a_server_that_is_read_only_for_a_moment_is_waited_for(self, queue: TaskQueue) -> None:
        """As in a failover: a finished handler's result is kept, and the handler does not run twice."""
        runs: list[int] = []

        def handler(task: RunningTask) -> None:
            runs.append(task.id)
            _read_only(queue.engine, "on")

        queue.handler("work")(handler)
        in_transaction(queue.engine, lambda session: queue.enqueue(session, "work"))
        worker = Worker(queue)
        try:
            with worker:
                until(lambda: worker.status.state == "blocked")
                assert "DatabaseReadOnly: cannot execute UPDATE" in (worker.status.error or "")
                with pytest.raises(DatabaseReadOnly):
                    in_transaction(queue.engine, lambda session: queue.enqueue(session, "work"))
                _read_only(queue.engine, "off")
                until(lambda: worker.status.state == "idle")
        finally:
            _read_only(queue.engine, "off")
        assert runs == [1]
        assert in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == 1

    def test_more_workers_than_a_pool_holds_do_not_starve(self, queue: TaskQueue) -> None:
        """Each handler holds one connection and asks for another one."""
        count = 20
        all_inside = threading.Barrier(count)

        def handler(task: RunningTask) -> None:
            with task.reading() as session:
                session.execute(text("SELECT 1"))
                all_inside.wait(20)
                with task.completing():
                    pass

        queue.handler("work")(handler)
        in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", range(count)))
        with ExitStack() as running:
            for number in range(count):
                running.enter_context(Worker(queue, name=f"worker {number}"))
            until(lambda: in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == count, 30)
        assert in_transaction(queue.engine, lambda s: s.scalar(text("SELECT max(attempt) FROM task"))) == 1

    def test_a_callers_own_small_pool_is_waited_for(self, engine: Engine) -> None:
        small = create_engine(engine.url, pool_size=2, max_overflow=0, pool_timeout=0.1)
        queue, runs = TaskQueue(small), list[int]()
        taken: list[Connection] = []

        def handler(task: RunningTask) -> None:
            runs.append(task.id)
            taken.extend(small.connect() for _ in range(2))

        queue.handler("work")(handler)
        in_transaction(engine, lambda session: queue.enqueue(session, "work"))
        with Worker(queue) as worker:
            until(lambda: worker.status.state == "blocked")
            assert "NoConnectionFree: " in (worker.status.error or "")
            for connection in taken:
                connection.close()
            until(lambda: in_transaction(engine, queue.counts)[TaskStatus.SUCCEEDED] == 1)
        assert runs == [1]
        small.dispose()

    def test_idle_workers_do_not_spin_while_a_due_task_is_locked(self, queue: TaskQueue) -> None:
        queue.handler("work")(lambda task: None)
        task_id = in_transaction(queue.engine, lambda session: queue.enqueue(session, "work")).id or 0
        begun: list[object] = []

        def note(connection: object) -> None:
            begun.append(connection)

        with writing(queue.engine) as session:
            queue.cancel(session, task_id)  # not committed
            event.listen(queue.engine, "begin", note)
            try:
                with Worker(queue) as worker:
                    time.sleep(1)
                    count = len(begun)
                    assert worker.status.state == "idle"
                    in_transaction(queue.engine, lambda session: queue.enqueue(session, "work"))
                    until(lambda: in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == 1, 1)
            finally:
                event.remove(queue.engine, "begin", note)
        assert count < 40

    def test_reclaiming_does_not_wait_for_a_late_holder_that_is_completing(self, queue: TaskQueue) -> None:
        in_transaction(queue.engine, lambda session: queue.enqueue_many(session, "work", range(2)))
        late, dead = claim(queue), claim(queue)
        later = TaskQueue(queue.engine, now=lambda: queue.now() + timedelta(hours=1))
        with late.completing() as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            with writing(queue.engine) as other:
                other.execute(text("SET LOCAL lock_timeout = '1s'"))
                other.execute(text("UPDATE task SET lease_expires_at = now() WHERE id = :id"), {"id": dead.id})
                assert later.reclaim(other) == 1
        assert in_transaction(queue.engine, queue.counts)[TaskStatus.SUCCEEDED] == 1

    @pytest.mark.parametrize("order_id", ["abc", 1.5, "1 OR 1", {"id": 1}])
    def test_a_payload_that_an_index_cannot_take_is_named(self, queue: TaskQueue, order_id: object) -> None:
        for many in (False, True):
            with pytest.raises(PayloadError, match="the payload does not fit an index or a column"):
                in_transaction(
                    queue.engine,
                    lambda session, many=many: (
                        queue.enqueue_many(session, PAYMENT, [{"order_id": order_id}])
                        if many
                        else queue.enqueue(session, PAYMENT, {"order_id": order_id})
                    ),
                )


def _read_only(engine: Engine, on: str) -> None:
    """Let the database's new transactions be read-only, or no longer."""
    name = engine.url.database
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {on}')
    engine.dispose()
