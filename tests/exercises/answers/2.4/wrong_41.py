# wrong: the first hundred orders only
# must say: In a table of 2,500 orders
from sqlmodel import select
from taskref_edu import Order
from taskref_edu.errors import OrphanTask, PayloadError

def find_order(session, task):
    for order in session.exec(select(Order).limit(100)):
        if order.processing_task_id == task.id:
            return order
    raise OrphanTask(f'task {task.id}')
