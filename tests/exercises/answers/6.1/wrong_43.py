# wrong: every type that begins with process_ counts as a payment
from sqlmodel import select
from taskref_edu import Order, Task

def holds(session):
    live = {t.id for t in session.exec(select(Task)) if t.type.startswith('process_') and t.status in ('pending', 'running')}
    refs = [(o.id, o.processing_task_id) for o in session.exec(select(Order)) if o.processing_task_id]
    named = [t for _, t in refs]
    broken = [f'task {id} has no order' for id in live if id not in named]
    broken += [f'order {o} names task {t}' for o, t in refs if t not in live]
    broken += [f'task {t} twice' for t in set(named) if named.count(t) > 1]
    return broken
