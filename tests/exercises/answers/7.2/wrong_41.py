# wrong: never more than a thousand at a time, whatever the limit
from sqlmodel import select, col
from sqlalchemy import delete
from taskref_edu import Task

def prune(session, before, limit):
    limit = min(limit, 1000)
    old = select(Task.id).where(col(Task.finished_at) < before).limit(limit)
    return session.execute(delete(Task).where(col(Task.id).in_(old))).rowcount
