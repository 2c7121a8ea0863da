# right: a tuple comparison
from sqlalchemy import text
def complete(session, task, now):
    """Record that the task succeeded; whether it was recorded."""
    guard = "(id, token, status) = (:id, :token, 'running')"
    done = session.execute(
        text(f"UPDATE job SET status = 'succeeded' WHERE {guard}"),
        {"id": task.id, "worker": task.worker, "token": task.token, "now": now},
    )
    return done.rowcount == 1
