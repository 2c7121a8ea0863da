# wrong: repairs what is broken while it looks
# must say: an invariant only looks
from sqlmodel import col, select
from taskref_edu import Order, Task

def holds(session):
    is_live = (Task.type == "process_payment", col(Task.status).in_(["pending", "running"]))
    live = set(session.exec(select(Task.id).where(*is_live)))
    orders = [order for order in session.exec(select(Order)) if order.processing_task_id is not None]
    named = [order.processing_task_id for order in orders]
    broken = [f"no order references task {id}" for id in live if id not in named]
    broken += [f"task {id} is referenced twice" for id in set(named) & live if named.count(id) > 1]
    for order in orders:
        if order.processing_task_id not in live:
            broken.append(f"order {order.id} references task {order.processing_task_id}, no live payment")
            order.processing_task_id = None
    return broken
