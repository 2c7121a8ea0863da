# wrong: sends a second statement, past SQLAlchemy
# must say: 2 statements were sent
from sqlmodel import select, update

from taskref_edu import Task


def claim(session, now, until):
    due = select(Task.id).where(Task.status == "pending", Task.available_at <= now)
    oldest = due.order_by(Task.available_at, Task.id).limit(1).scalar_subquery()
    values = {"status": "running", "lease_token": Task.lease_token + 1, "lease_expires_at": until}
    found = session.execute(update(Task).where(Task.id == oldest).values(values).returning(Task.id))
    id = found.scalar_one_or_none()
    driver = session.connection().connection.driver_connection
    driver.execute("SELECT status FROM task WHERE id = ?", (id,)).fetchone()
    return id
