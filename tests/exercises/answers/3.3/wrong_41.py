# wrong: only new orders can be paid
# must not say: when it was read
from sqlmodel import col
from sqlalchemy import update
from taskref_edu import Order

def enqueue_payment_once(session, queue, order):
    with session.begin_nested() as sp:
        task = queue.enqueue(session, 'process_payment')
        n = session.execute(update(Order).where(Order.id == order.id, Order.status == order.status, Order.amount == order.amount, Order.status == 'new', col(Order.processing_task_id).is_(None)).values(processing_task_id=task.id)).rowcount
        if n:
            return task
        sp.rollback()
