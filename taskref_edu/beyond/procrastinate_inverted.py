"""Inverted on Procrastinate, an existing queue for many machines: the order references a job, the same verbs.

    engine = open_database(start_postgres())                # or the URL of a server of your own
    queue = procrastinate.open_queue(engine)                # creates the tables that are missing
    procrastinate.schedule_upkeep(queue)                    # rescue and pruning, which are left to us
    with writing(engine) as session:                        # one transaction: the order, the job, the reference
        session.add(order := procrastinate.Order(customer="Ann", amount=2500))
        procrastinate.enqueue_payment(session, queue, order)
    procrastinate.run_until_idle(queue)                     # or, on as many machines as you like, with
                                                            # `queue` in shop.py: procrastinate --app shop.queue worker

`queue` is Procrastinate's App, a job is its Job. Compare `inverted.py`: the same verbs in the same sequence.

Not covered: what `inverted.py` does not cover; Procrastinate's own locks and queues.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import ColumnElement, Engine, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col, select

from ..database.transactions import reading
from ..errors import MissingExtra, OrphanTask, PermanentFailure, install_line
from ..models import PAYMENT
from ..queue.handlers import expect_ran

try:
    from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, RetryStrategy, builtin_tasks, jobs
    from procrastinate.manager import JobManager
except ImportError as error:
    raise MissingExtra(f"Procrastinate is not installed ({error}): {install_line('procrastinate')}") from None

from .procrastinate_lease import IN_TRANSACTION, FencedJobManager, checkpoint, completing, driver, engine_of
from .procrastinate_schema import JobRow, Order, install

__all__ = ["JobRow", "Order", "checkpoint", "completing", "install"]
MAX_ATTEMPTS = 3
_JOBS = JobManager(IN_TRANSACTION)


def enqueue_payment(session: Session, queue: App, order: Order) -> jobs.Job:
    """Enqueue a payment and let the order reference it, replacing any former reference. Returns the job.

    Raises OrphanTask if the order is not in the database: nothing would reference the job.
    """
    session.flush()  # a new order gets its id here
    job = _defer(session, queue)
    this_order = col(Order.id) == order.id
    if not _reference(session, order, job, this_order):
        raise OrphanTask(f"order {order.id} not found: add it to the session, or look it up again, then enqueue")
    return job


def order_for(session: Session, job: jobs.Job) -> Order:
    """The order that references the job; OrphanTask if there is none."""
    order = session.exec(select(Order).where(Order.processing_task_id == job.id)).one_or_none()
    if order is None:
        raise OrphanTask(f"job {job.id}: no order references it; it was cancelled, replaced or deleted meanwhile")
    return order


def enqueue_payment_once(session: Session, queue: App, order: Order) -> jobs.Job | None:
    """Enqueue a payment unless one is in process; None if one is."""
    with session.begin_nested() as savepoint:
        job = _defer(session, queue)
        this_order_if_free = (col(Order.id) == order.id) & col(Order.processing_task_id).is_(None)
        if _reference(session, order, job, this_order_if_free):
            return job
        savepoint.rollback()  # so that no job is left without a reference
        return None


def cancel_payment(session: Session, queue: App, order: Order) -> int:
    """Cancel the order's payment; return how many jobs were cancelled or asked to stop (0 or 1)."""
    job_id = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one_or_none()
    cancelled = int(job_id is not None and _JOBS.cancel_job_by_id(job_id, abort=True, connection=driver(session)))
    if order in session:
        session.expire(order, ["processing_task_id"])
    return cancelled


def orders_in_process(session: Session) -> list[Order]:
    """The orders with a waiting or running payment, by id."""
    return list(session.exec(select(Order).where(col(Order.processing_task_id).is_not(None)).order_by(col(Order.id))))


def process_payment(context: JobContext) -> None:
    """Pay the order, if it still references this job."""
    with reading(engine_of(context)) as session:
        order = order_for(session, context.job)
    checkpoint(context)
    expect_ran(context.additional_context["charge"](order), "charge")  # the slow part, outside any transaction
    with completing(context) as session:
        this_payment = (col(Order.id) == order.id) & (col(Order.processing_task_id) == context.job.id)
        if not session.execute(update(Order).where(this_payment).values(status="paid")).rowcount:  # type: ignore[attr-defined]
            raise OrphanTask(f"job {context.job.id}: order {order.id} no longer references it; drop this result")


# The engine


class Retry(RetryStrategy):
    """Retries up to MAX_ATTEMPTS, with growing delays; no retry if it cannot help."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision | None:
        if isinstance(exception, PermanentFailure):
            return None
        return super().get_retry_decision(exception=exception, job=job)


def open_queue(engine: Engine, charge: Callable[[Order], object] = lambda order: None) -> App:
    """Procrastinate's App on the engine's database, with the payment registered; creates missing tables.

    charge: the payment's effect outside the database, such as a call to a bank. Raises as install() does.
    """
    install(engine)
    where = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connector = PsycopgConnector(conninfo=where, min_size=1)
    queue = App(connector=connector, worker_defaults={"additional_context": {"engine": engine, "charge": charge}})
    queue.job_manager = FencedJobManager(connector)
    retry = Retry(max_attempts=MAX_ATTEMPTS - 1, exponential_wait=2)
    queue.task(name=PAYMENT, pass_context=True, retry=retry)(process_payment)
    return queue


def schedule_upkeep(
    queue: App,
    *,
    stalled_after: float = 30.0,
    keep_hours: int = 24 * 7,
    rescue_at: str = "* * * * *",
) -> None:
    """Let the queue's workers rescue the jobs of dead workers, and prune old jobs. Procrastinate itself does neither.

    stalled_after: seconds without a heartbeat after which a worker counts as dead; it sends three in that time.
    rescue_at: when, in cron's format; a sixth field is for seconds. Jobs are pruned each night.
    """
    queue.worker_defaults.update(update_heartbeat_interval=stalled_after / 3, stalled_worker_timeout=stalled_after)

    @queue.periodic(cron=rescue_at)
    @queue.task(name="rescue_stalled_jobs", queueing_lock="rescue_stalled_jobs", pass_context=True)
    async def rescue(context: JobContext, timestamp: int) -> None:
        for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after):
            if job.attempts + 1 < MAX_ATTEMPTS:
                await queue.job_manager.retry_job(job)
            else:  # this job may be what kills its workers
                await queue.job_manager.finish_job(job, jobs.Status.FAILED, delete_job=False)

    @queue.periodic(cron="17 3 * * *")
    @queue.task(name="prune_old_jobs", queueing_lock="prune_old_jobs", pass_context=True)
    async def prune(context: JobContext, timestamp: int) -> None:
        await builtin_tasks.remove_old_jobs(
            context, max_hours=keep_hours, remove_failed=True, remove_cancelled=True, remove_aborted=True
        )


def run_until_idle(queue: App) -> None:
    """Run jobs until none is due; on a thread of its own, because a notebook already runs an event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(queue.run_worker, wait=False, install_signal_handlers=False).result()


def _defer(session: Session, queue: App) -> jobs.Job:
    """Enqueue in the caller's transaction."""
    return _JOBS.defer_job(queue.tasks[PAYMENT].configure().job, connection=driver(session))


def _reference(session: Session, order: Order, job: jobs.Job, where: ColumnElement[bool]) -> bool:
    """Set the reference if the condition holds; return whether it did. By UPDATE: `order` may be out of date."""
    moved = session.execute(update(Order).where(where).values(processing_task_id=job.id)).rowcount  # type: ignore[attr-defined]
    if moved:
        set_committed_value(order, "processing_task_id", job.id)
    return bool(moved)
