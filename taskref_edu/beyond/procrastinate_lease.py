"""A lease for Procrastinate, which has none: only the worker that claimed a job last may write and report.

Procrastinate's workers report a job's end by the job's id alone. So a worker that was suspended, taken for dead and
then resumed can end a job that another worker has started again. The job's row tells the two apart: `attempts` rises
with each retry, and `worker_id` names the latest worker. Together they are the lease token.

Not covered: a handler's effects outside this database, which need an idempotency key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from procrastinate import JobContext, PsycopgConnector, SyncPsycopgConnector, exceptions, jobs, manager, sql
from sqlmodel import Session, col, select

from ..database.transactions import reading, writing
from ..errors import StaleLease
from .procrastinate_schema import JobRow

logger = logging.getLogger(__name__)

# Never opened: it only serves calls that pass the connection of the caller's transaction.
IN_TRANSACTION = SyncPsycopgConnector()
HOLD = """SELECT id FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing'
    AND attempts = %(attempts)s AND worker_id IS NOT DISTINCT FROM %(worker_id)s FOR UPDATE"""


class FencedJobManager(manager.JobManager):
    """Procrastinate's job manager; it drops reports of workers that no longer hold the job."""

    connector: PsycopgConnector

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """Record the end of the job if the caller still holds it."""
        await self._if_held(job, sql.queries["finish_job"], status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Schedule a retry of the job if the caller still holds it."""
        new = {"new_priority": priority, "new_queue_name": queue, "new_lock": lock}
        await self._if_held(job, sql.queries["retry_job"], retry_at=retry_at or datetime.now(UTC), **new)

    async def _if_held(self, job: jobs.Job, query: Any, **arguments: Any) -> None:
        ask = self.connector.execute_query_all_async_with_connection
        async with self.connector.pool.connection() as connection:  # one transaction, to keep the lock
            token = {"job_id": job.id, "attempts": job.attempts, "worker_id": job.worker_id}
            if await ask(connection, query=HOLD, **token):
                await ask(connection, query=query, job_id=job.id, **arguments)
            else:
                logger.info("job %s: ended already, or claimed again since; this report is dropped", job.id)


def engine_of(context: JobContext) -> Any:
    """The engine that the queue was opened on."""
    return context.additional_context["engine"]


@contextmanager
def completing(context: JobContext) -> Iterator[Session]:
    """One write transaction for the handler's effect and the job's end: both commit, or neither does.

    Its first statement locks the job and proves the lease, so a stale holder is refused (StaleLease) before its effect,
    and locks are taken in one sequence: first the job, then the object. The worker's own report then finds the job
    ended.
    """
    job = context.job
    with writing(engine_of(context)) as session:
        lease = (col(JobRow.attempts) == job.attempts) & col(JobRow.worker_id).is_not_distinct_from(job.worker_id)
        held = select(JobRow.id).where(JobRow.id == job.id, JobRow.status == "doing", lease).with_for_update()
        if session.exec(held).one_or_none() is None:
            raise StaleLease(
                f"job {job.id}: attempt {job.attempts} of worker {job.worker_id} is over; drop this result"
            )
        yield session
        session.flush()
        end = {"job_id": job.id, "status": jobs.Status.SUCCEEDED.value, "delete_job": False}
        IN_TRANSACTION.execute_query_one_with_connection(driver(session), query=sql.queries["finish_job"], **end)


def checkpoint(context: JobContext) -> None:
    """Raise Procrastinate's JobAborted if somebody asked the job to stop."""
    with reading(engine_of(context)) as session:
        asked = session.exec(select(JobRow.abort_requested).where(JobRow.id == context.job.id)).one_or_none()
    if asked or context.should_abort():
        raise exceptions.JobAborted(f"job {context.job.id} was asked to stop")


def driver(session: Session) -> Any:
    """The driver's connection under the session, after flushing its pending changes."""
    session.flush()
    return session.connection().connection.driver_connection
