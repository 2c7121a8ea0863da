# wrong: only the first fifty tasks are looked at
from sqlmodel import select
from sqlalchemy import delete
from taskref_edu import Task

def prune(session, before, limit):
    n = 0
    for task in session.exec(select(Task).order_by(Task.id).limit(50)).all():
        if n < limit and task.finished_at and task.finished_at < before:
            session.delete(task)
            n += 1
    session.flush()
    return n
