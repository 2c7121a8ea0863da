# wrong: cancels whichever live payment comes first
# must not say: its id
from sqlmodel import select, col
from taskref_edu import Task

def cancel_payment(session, queue, order):
    task = session.exec(select(Task).where(col(Task.status).in_(['pending', 'running']))).first()
    return int(queue.cancel(session, task.id)) if task else 0
