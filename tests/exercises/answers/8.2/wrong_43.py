# wrong: asks the clock in place of the caller
# must say: the time is given
from sqlmodel import select
from sqlalchemy import update
from taskref_edu import Task
from datetime import datetime, UTC

def claim(session, now, until):
    due = (Task.status == "pending") & (Task.available_at <= datetime.now(UTC))
    oldest = select(Task.id).where(due).order_by(Task.available_at, Task.id).limit(1).scalar_subquery()
    taken = update(Task).where(Task.id == oldest, Task.status == "pending").values(status="running", lease_token=Task.lease_token + 1, lease_expires_at=until).returning(Task.id)
    return session.execute(taken).scalar_one_or_none()
