# right: reserve with a marker row lock: BEGIN by writing first, then check
from sqlalchemy import text, update
from sqlmodel import select
from taskref_edu import Order
def enqueue_payment_once(session, queue, order):
    session.execute(text("UPDATE orders SET amount = amount WHERE id = :i"), {"i": order.id})
    taken = session.exec(select(Order.processing_task_id).where(Order.id == order.id)).one()
    if taken is not None:
        return None
    task = queue.enqueue(session, "process_payment")
    session.execute(update(Order).where(Order.id == order.id).values(processing_task_id=task.id))
    return task
