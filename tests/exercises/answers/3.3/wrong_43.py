# wrong: the type of the task is misspelt
# must say: nearly `process_payment`
# must not say: a worker runs both
from sqlmodel import col
from sqlalchemy import update
from taskref_edu import Order

def enqueue_payment_once(session, queue, order):
    with session.begin_nested() as sp:
        task = queue.enqueue(session, 'process_payments')
        if session.execute(update(Order).where(Order.id == order.id, col(Order.processing_task_id).is_(None)).values(processing_task_id=task.id)).rowcount:
            return task
        sp.rollback()
