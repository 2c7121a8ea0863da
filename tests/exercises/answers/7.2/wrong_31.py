# wrong: a task that was never started (cancelled while it waited) stays
from sqlalchemy import delete
from sqlmodel import col, select
from taskref_edu import Task
def prune(session, before, limit):
    old = select(Task.id).where(col(Task.finished_at) < before, col(Task.started_at).is_not(None)).limit(limit)
    return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
