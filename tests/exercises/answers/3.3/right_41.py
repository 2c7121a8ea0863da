# right: the id in the payload, too: it does no harm
from sqlmodel import col
from sqlalchemy import update
from taskref_edu import Order

def enqueue_payment_once(session, queue, order):
    with session.begin_nested() as sp:
        task = queue.enqueue(session, 'process_payment', {'order_id': order.id})
        if session.execute(update(Order).where(Order.id == order.id, col(Order.processing_task_id).is_(None)).values(processing_task_id=task.id)).rowcount == 1:
            return task
        sp.rollback()
    return None
