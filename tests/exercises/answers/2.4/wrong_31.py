# wrong: the order is found by the payload's id first
from sqlmodel import select
from taskref_edu import Order
from taskref_edu.errors import OrphanTask
def find_order(session, task):
    if task.payload and "order_id" in task.payload:
        order = session.get(Order, task.payload["order_id"])
    else:
        order = session.exec(select(Order).where(Order.processing_task_id == task.id)).first()
    if order is None:
        raise OrphanTask(f"task {task.id} has no order")
    return order
