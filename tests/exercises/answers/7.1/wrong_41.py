# wrong: a reference to a task that has ended counts as free
# must say: So it is taken
from sqlmodel import select, col
from sqlalchemy import update
from taskref_edu import Task

def reserve(session, queue, row, column, type):
    with session.begin_nested() as sp:
        task = queue.enqueue(session, type)
        free = update(column.class_).where(column.class_.id == row.id, column.is_(None) | column.not_in(select(Task.id).where(col(Task.status).in_(['pending', 'running']))))
        if session.execute(free.values({column: task.id})).rowcount:
            return task
        sp.rollback()
