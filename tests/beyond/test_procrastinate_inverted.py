"""The inverted verbs on Procrastinate: the same promises, kept by somebody else's engine and a fence of ours."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from procrastinate import App, JobContext, exceptions, jobs
from procrastinate.manager import JobManager
from sqlalchemy import Engine, delete, text
from sqlmodel import Session, col, select

from taskref_edu import errors, open_database, reading, writing
from taskref_edu.beyond import procrastinate_inverted as procrastinate
from taskref_edu.beyond.embedded_postgresql import start_postgres
from taskref_edu.beyond.procrastinate_inverted import Order
from taskref_edu.beyond.procrastinate_schema import JobRow, ProcrastinateModel
from tests.conftest import in_transaction, until

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.slow]
Charges = list[int | None]


@pytest.fixture(scope="module")
def url(postgresql_url: str) -> str:
    return start_postgres()


@pytest.fixture(scope="module")
def opened_once(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    procrastinate.install(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(opened_once: Engine) -> Engine:
    with writing(opened_once) as session:
        session.execute(
            text("TRUNCATE shop_orders, procrastinate_jobs, procrastinate_workers RESTART IDENTITY CASCADE")
        )
    return opened_once


@pytest.fixture
def fresh(postgresql_url: str) -> Iterator[Engine]:
    engine = open_database(start_postgres())
    yield engine
    engine.dispose()


@pytest.fixture
def charges() -> Charges:
    return []


@pytest.fixture
def queue(engine: Engine, charges: Charges) -> App:
    return procrastinate.open_queue(engine, lambda order: charges.append(order.id))


def new_orders(engine: Engine, count: int = 1) -> list[Order]:
    with writing(engine) as session:
        orders = [Order(id=101 + number, customer="Ann", amount=100) for number in range(count)]
        session.add_all(orders)
    return orders


def enqueue(engine: Engine, queue: App, order: Order) -> int:
    job = in_transaction(engine, lambda session: procrastinate.enqueue_payment(session, queue, order))
    assert job.id
    return job.id


def rows(engine: Engine) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The orders' status and reference; the payments' status and attempts."""
    with reading(engine) as session:
        orders = session.exec(select(Order).order_by(col(Order.id))).all()
        payments = session.exec(select(JobRow).where(JobRow.task_name == "process_payment").order_by(col(JobRow.id)))
        return (
            [(order.status, order.processing_task_id) for order in orders],
            [(job.status, job.attempts) for job in payments],
        )


class TestVerbs:
    def test_order_job_and_reference_commit_together_or_not_at_all(self, engine: Engine, queue: App) -> None:
        with pytest.raises(ZeroDivisionError), writing(engine) as session:
            session.add(order := Order(customer="Ann", amount=1))
            procrastinate.enqueue_payment(session, queue, order)
            raise ZeroDivisionError
        assert rows(engine) == ([], [])
        with writing(engine) as session:
            session.add(order := Order(customer="Ann", amount=1))
            job = procrastinate.enqueue_payment(session, queue, order)
        assert rows(engine) == ([("new", job.id)], [("todo", 0)])
        with reading(engine) as session:
            assert procrastinate.order_for(session, job).id == order.id

    def test_an_order_that_is_not_in_the_database_is_refused(self, engine: Engine, queue: App) -> None:
        with pytest.raises(errors.OrphanTask, match="add it to the session"), writing(engine) as session:
            procrastinate.enqueue_payment(session, queue, Order(customer="Nobody", amount=1))
        assert rows(engine) == ([], [])

    def test_once_means_one_live_job_and_leaves_the_callers_other_work_alone(self, engine: Engine, queue: App) -> None:
        first, second = new_orders(engine, 2)
        job_id = enqueue(engine, queue, first)
        with writing(engine) as session:
            session.get_one(Order, second.id).customer = "Bob"
            assert procrastinate.enqueue_payment_once(session, queue, first) is None
        assert rows(engine) == ([("new", job_id), ("new", None)], [("todo", 0)]), "the loser leaves no job behind"
        with reading(engine) as session:
            assert session.get_one(Order, second.id).customer == "Bob"

    def test_clicks_at_the_same_moment_are_one_payment(self, engine: Engine, queue: App) -> None:
        (order,) = new_orders(engine)
        gate, found = threading.Barrier(5), []

        def click() -> None:
            gate.wait()
            with writing(engine) as session:
                found.append(procrastinate.enqueue_payment_once(session, queue, order))

        threads = [threading.Thread(target=click) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [job is None for job in found].count(False) == 1
        assert len(rows(engine)[1]) == 1

    def test_the_worker_pays_and_the_reference_goes(self, engine: Engine, queue: App, charges: Charges) -> None:
        orders = new_orders(engine, 3)
        for order in orders:
            enqueue(engine, queue, order)
        with writing(engine) as session:
            assert procrastinate.cancel_payment(session, queue, orders[1]) == 1
            assert procrastinate.cancel_payment(session, queue, orders[1]) == 0
            assert [order.id for order in procrastinate.orders_in_process(session)] == [101, 103]
        procrastinate.run_until_idle(queue)
        paid, not_paid = ("paid", None), ("new", None)
        assert rows(engine) == ([paid, not_paid, paid], [("succeeded", 1), ("cancelled", 0), ("succeeded", 1)])
        assert charges == [101, 103]
        assert in_transaction(engine, lambda session: procrastinate.enqueue_payment_once(session, queue, orders[0]))

    def test_a_cancelled_enqueue_rolls_back_with_its_transaction(self, engine: Engine, queue: App) -> None:
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)
        with pytest.raises(ZeroDivisionError), writing(engine) as session:
            assert procrastinate.cancel_payment(session, queue, order) == 1
            raise ZeroDivisionError
        assert rows(engine) == ([("new", job_id)], [("todo", 0)])

    def test_a_job_without_its_order_fails_by_name_at_once(
        self, engine: Engine, queue: App, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone, kept = new_orders(engine, 2)
        for order in (gone, kept):
            enqueue(engine, queue, order)
        in_transaction(engine, lambda session: session.execute(delete(Order).where(col(Order.id) == gone.id)))
        procrastinate.run_until_idle(queue)
        assert rows(engine) == ([("paid", None)], [("failed", 1), ("succeeded", 1)])
        assert "no order references it" in caplog.text

    def test_a_failed_charge_is_tried_again_and_the_order_stays_in_process(self, engine: Engine) -> None:
        def no_card(order: Order) -> None:
            raise ValueError("no card")

        queue = procrastinate.open_queue(engine, no_card)
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)
        procrastinate.run_until_idle(queue)
        assert rows(engine) == ([("new", job_id)], [("todo", 1)])

    def test_a_charge_that_never_ran_pays_nothing(self, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
        async def charge(order: Order) -> None:
            raise AssertionError("nobody awaits it")

        for number, never_runs in enumerate((charge, lambda order: charge(order), lambda order: (x for x in ()))):
            queue = procrastinate.open_queue(engine, never_runs)
            with writing(engine) as session:
                session.add(order := Order(customer="Ann", amount=1))
                procrastinate.enqueue_payment(session, queue, order)
            procrastinate.run_until_idle(queue)
            orders, payments = rows(engine)
            assert (orders[number], payments[number]) == (("new", None), ("failed", 1))
        assert caplog.text.count("HandlerNotRun: charge") >= 3

    def test_a_running_payment_is_asked_to_stop(self, engine: Engine) -> None:
        def cancelled_meanwhile(order: Order) -> None:
            in_transaction(engine, lambda session: procrastinate.cancel_payment(session, queue, order))

        queue = procrastinate.open_queue(engine, cancelled_meanwhile)
        (order,) = new_orders(engine)
        enqueue(engine, queue, order)
        procrastinate.run_until_idle(queue)
        assert rows(engine) == ([("paid", None)], [("succeeded", 1)]), "a finished charge is not half undone"

    @pytest.mark.parametrize("delete_jobs", ["never", "always"])
    def test_neither_pruning_nor_deleting_jobs_hurts_an_order(
        self, engine: Engine, queue: App, delete_jobs: str
    ) -> None:
        (order,) = new_orders(engine)
        enqueue(engine, queue, order)
        queue.worker_defaults["delete_jobs"] = delete_jobs
        procrastinate.run_until_idle(queue)
        opened(queue, lambda manager: manager.delete_old_jobs(nb_hours=0))
        assert rows(engine) == ([("paid", None)], [])


def opened(queue: App, act: Callable[[JobManager], Awaitable[object]]) -> object:
    """What `act` gives, on the queue's job manager as a worker has it."""

    async def run() -> object:
        async with queue.open_async():
            return await act(queue.job_manager)

    return asyncio.run(run())


async def claimed(manager: JobManager) -> jobs.Job:
    job = await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
    assert job
    return job


def as_context(queue: App, job: jobs.Job) -> JobContext:
    return JobContext(
        app=queue,
        job=job,
        start_timestamp=0.0,
        abort_reason=lambda: None,
        additional_context=queue.worker_defaults["additional_context"],  # type: ignore[typeddict-item]
    )


class TestFence:
    @pytest.mark.parametrize("manager", [JobManager, None], ids=["Procrastinate's own", "ours"])
    def test_a_stale_workers_report(self, engine: Engine, queue: App, manager: type[JobManager] | None) -> None:
        """Procrastinate's own lets it end what another worker is doing; ours drops it."""
        if manager:
            queue.job_manager = manager(queue.connector)
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)

        async def two_workers(manager: JobManager) -> None:
            stale = await claimed(manager)
            await manager.retry_job(stale)  # the rescue
            await claimed(manager)
            await manager.finish_job(stale, jobs.Status.FAILED, delete_job=False)

        opened(queue, two_workers)
        lost = ([("new", None)], [("failed", 2)])
        assert rows(engine) == (lost if manager else ([("new", job_id)], [("doing", 1)]))

    def test_a_stale_worker_does_not_pay(self, engine: Engine, queue: App, charges: Charges) -> None:
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)

        async def two_workers(manager: JobManager) -> list[jobs.Job]:
            stale = await claimed(manager)
            await manager.retry_job(stale)
            return [stale, await claimed(manager)]

        stale, holder = opened(queue, two_workers)  # type: ignore[misc]
        with pytest.raises(errors.StaleLease, match="attempt 0 of worker 1 is over; drop this result"):
            procrastinate.process_payment(as_context(queue, stale))
        assert rows(engine)[0] == [("new", job_id)]
        procrastinate.process_payment(as_context(queue, holder))
        assert rows(engine) == ([("paid", None)], [("succeeded", 2)])
        assert charges == [101, 101], "at least once: what leaves the database needs a key of its own"

    def test_an_order_that_references_another_job_meanwhile_is_not_paid(self, engine: Engine) -> None:
        def replaced(order: Order) -> None:
            in_transaction(engine, lambda session: procrastinate.enqueue_payment(session, queue, order))

        queue = procrastinate.open_queue(engine, replaced)
        (order,) = new_orders(engine)
        enqueue(engine, queue, order)
        job = opened(queue, claimed)
        with pytest.raises(errors.OrphanTask, match="no longer references it"):
            procrastinate.process_payment(as_context(queue, job))  # type: ignore[arg-type]
        assert rows(engine) == ([("new", 2)], [("doing", 0), ("todo", 0)])

    def test_effect_and_end_commit_together(self, engine: Engine, queue: App) -> None:
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)
        context = as_context(queue, opened(queue, claimed))  # type: ignore[arg-type]
        with pytest.raises(ZeroDivisionError), procrastinate.completing(context) as session:
            session.get_one(Order, order.id).status = "paid"
            raise ZeroDivisionError("a crash before the commit")
        assert rows(engine) == ([("new", job_id)], [("doing", 0)])

    def test_checkpoint_sees_the_request_at_once(self, engine: Engine, queue: App, charges: Charges) -> None:
        (order,) = new_orders(engine)
        enqueue(engine, queue, order)
        context = as_context(queue, opened(queue, claimed))  # type: ignore[arg-type]
        assert in_transaction(engine, lambda session: procrastinate.cancel_payment(session, queue, order)) == 1
        with pytest.raises(exceptions.JobAborted, match="asked to stop"):
            procrastinate.process_payment(context)
        assert charges == []


SHOP = """
import os, time
from pathlib import Path
from taskref_edu import open_database
from taskref_edu.beyond import procrastinate_inverted as procrastinate

def charge(order):
    Path(f"charging-{os.getpid()}").touch()
    while not Path(f"go-{os.getpid()}").exists():
        time.sleep(0.01)

queue = procrastinate.open_queue(open_database(os.environ["SHOP_URL"]), charge)
procrastinate.schedule_upkeep(queue, stalled_after=2.0, rescue_at="* * * * * */1")
"""


class Workers:
    """Real processes: `procrastinate --app shop.queue worker`."""

    def __init__(self, folder: Path, url: str) -> None:
        (folder / "shop.py").write_text(SHOP)
        self.folder = folder
        self.environment = {**os.environ, "SHOP_URL": url, "PYTHONPATH": str(folder)}
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "procrastinate", "--app", "shop.queue", "--verbose", "worker"]
        with (self.folder / f"log-{len(self.started)}").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.started.append(process)
        return process

    def log(self, number: int) -> str:
        return (self.folder / f"log-{number}").read_text()

    def wait_until_charging(self, process: subprocess.Popen[bytes]) -> None:
        until((self.folder / f"charging-{process.pid}").exists)

    def go(self, process: subprocess.Popen[bytes]) -> None:
        (self.folder / f"go-{process.pid}").touch()

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture
def workers(tmp_path: Path, url: str) -> Iterator[Workers]:
    workers = Workers(tmp_path, url)
    yield workers
    workers.stop()


class TestProcesses:
    @pytest.mark.fault
    @pytest.mark.nightly
    def test_a_stopped_worker_is_rescued_and_what_it_does_after_is_refused(
        self, engine: Engine, queue: App, workers: Workers
    ) -> None:
        (order,) = new_orders(engine)
        job_id = enqueue(engine, queue, order)
        zombie = workers.start()
        workers.wait_until_charging(zombie)
        zombie.send_signal(signal.SIGSTOP)
        second = workers.start()  # its upkeep rescues the job, and it claims it
        workers.wait_until_charging(second)
        workers.go(zombie)
        zombie.send_signal(signal.SIGCONT)
        until(lambda: "this report is dropped" in workers.log(0))
        assert "StaleLease" in workers.log(0)
        assert rows(engine) == ([("new", job_id)], [("doing", 1)]), "neither paid nor ended behind the holder's back"
        workers.go(second)
        until(lambda: rows(engine) == ([("paid", None)], [("succeeded", 2)]))

    @pytest.mark.fault
    def test_a_killed_worker_loses_nothing(self, engine: Engine, queue: App, workers: Workers) -> None:
        orders = new_orders(engine, 3)
        first, second = workers.start(), workers.start()
        for order in orders:
            enqueue(engine, queue, order)
        workers.wait_until_charging(first)
        first.kill()
        workers.wait_until_charging(second)
        workers.go(second)
        until(lambda: rows(engine)[0] == [("paid", None)] * 3)
        assert sorted(str(attempts) for _, attempts in rows(engine)[1]) == ["1", "1", "2"]


class TestUpkeep:
    def test_a_job_that_kills_its_workers_fails_in_the_end(self, engine: Engine, queue: App) -> None:
        procrastinate.schedule_upkeep(queue, stalled_after=0.0)
        (order,) = new_orders(engine)
        enqueue(engine, queue, order)
        rescue = queue.tasks["rescue_stalled_jobs"]
        for attempt in range(3):
            assert rows(engine)[1] == [("todo", attempt)]
            opened(queue, claimed)  # and the worker dies
            asyncio.run(_with(queue, lambda: rescue.func(None, timestamp=0)))
        assert rows(engine) == ([("new", None)], [("failed", 3)])

    def test_old_jobs_are_pruned_whatever_their_end(self, engine: Engine, queue: App) -> None:
        procrastinate.schedule_upkeep(queue, keep_hours=0)
        orders = new_orders(engine, 2)
        for order in orders:
            enqueue(engine, queue, order)
        in_transaction(engine, lambda session: procrastinate.cancel_payment(session, queue, orders[0]))
        procrastinate.run_until_idle(queue)
        prune = queue.tasks["prune_old_jobs"]
        asyncio.run(_with(queue, lambda: prune.func(as_context(queue, None), timestamp=0)))  # type: ignore[arg-type]
        assert rows(engine) == ([("new", None), ("paid", None)], [])


async def _with(queue: App, act: Callable[[], Awaitable[object]]) -> object:
    async with queue.open_async():
        return await act()


class TestInstalling:
    def test_twice_and_at_the_same_moment(self, fresh: Engine) -> None:
        threads = [threading.Thread(target=procrastinate.install, args=(fresh,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        procrastinate.install(fresh)
        assert rows(fresh) == ([], [])

    def test_procrastinates_table_is_never_created_by_us(self, fresh: Engine) -> None:
        with pytest.raises(errors.SchemaMissing, match="only Procrastinate can create it: call install"):
            ProcrastinateModel.metadata.create_all(fresh)

    def test_sqlite_is_refused_by_name(self, sqlite: Engine) -> None:
        with pytest.raises(errors.CannotOpen, match="keeps its jobs in PostgreSQL"):
            procrastinate.open_queue(sqlite)

    def test_the_reference_is_served_by_its_index(self, engine: Engine) -> None:
        many = "INSERT INTO shop_orders (customer, amount, status) SELECT 'x', 1, 'new' FROM generate_series(1, 5000)"
        with Session(engine) as session:
            for statement in (many, "ANALYZE shop_orders"):
                session.execute(text(statement))
            for where in ("= 7", "IS NOT NULL"):
                query = text(f"EXPLAIN SELECT * FROM shop_orders WHERE processing_task_id {where}")
                assert "shop_orders_processing_task_id" in "\n".join(session.scalars(query))

    def test_without_the_extra_the_error_has_the_line_that_installs_it(self) -> None:
        program = """
import sys
sys.modules["procrastinate"] = None
import taskref_edu.approaches
try:
    import taskref_edu.beyond.procrastinate_inverted
except taskref_edu.errors.MissingExtra as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert errors.install_line("procrastinate") in done.stdout


def test_ending_a_job_frees_the_order_of_its_own_tenant_whatever_the_search_path(fresh: Engine) -> None:
    """Two tenants, each with a schema; the function of the first still lacks it, as an earlier version wrote it."""
    tenants: list[Engine] = []
    for name in ("one", "two"):
        with writing(fresh) as session:
            session.execute(text(f"CREATE SCHEMA {name}"))
        url = fresh.url.update_query_dict({"options": f"-c search_path={name}"})
        tenants.append(open_database(url.render_as_string(hide_password=False)))
        queue = procrastinate.open_queue(tenants[-1])
        (order,) = new_orders(tenants[-1])
        enqueue(tenants[-1], queue, order)
    with writing(tenants[0]) as session:
        earlier = "BEGIN UPDATE shop_orders SET processing_task_id = NULL WHERE processing_task_id = NEW.id;"
        session.execute(
            text(
                "CREATE OR REPLACE FUNCTION shop_orders_cleared() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ {earlier} RETURN NULL; END $$"
            )
        )
    procrastinate.install(tenants[0])
    with writing(fresh) as session:
        session.execute(text("SET LOCAL search_path = two"))
        # Procrastinate's own triggers name no schema either, and find the other tenant's types.
        session.execute(text("ALTER TABLE one.procrastinate_jobs DISABLE TRIGGER USER"))
        session.execute(text("ALTER TABLE one.procrastinate_jobs ENABLE TRIGGER shop_orders_cleared"))
        session.execute(text("UPDATE one.procrastinate_jobs SET status = 'cancelled'"))
    in_process = [
        in_transaction(tenant, lambda session: len(procrastinate.orders_in_process(session))) for tenant in tenants
    ]
    assert in_process == [0, 1]
    for engine in tenants:
        engine.dispose()
