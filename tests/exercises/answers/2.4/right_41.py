# right: an error of its own, which is an OrphanTask
from sqlmodel import select
from taskref_edu import Order
from taskref_edu.errors import OrphanTask, PayloadError

def find_order(session, task):
    class Lost(OrphanTask):
        pass
    if (order := session.scalar(select(Order).filter_by(processing_task_id=task.id))) is not None:
        return order
    raise Lost(task.id)
