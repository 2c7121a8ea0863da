# wrong: counts the attempt, too
# must say: `attempt` of task 951 became 1
# must not say: `lease_token` of
from sqlmodel import select
from sqlalchemy import update
from taskref_edu import Task

def claim(session, now, until):
    due = (Task.status == "pending") & (Task.available_at <= now)
    oldest = select(Task.id).where(due).order_by(Task.available_at, Task.id).limit(1).scalar_subquery()
    taken = update(Task).where(Task.id == oldest, Task.status == "pending").values(status="running", lease_token=Task.lease_token + 1, lease_expires_at=until, attempt=Task.attempt + 1).returning(Task.id)
    return session.execute(taken).scalar_one_or_none()
