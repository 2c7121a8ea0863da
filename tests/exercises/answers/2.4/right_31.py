# right: text SQL through from_statement, one_or_none by hand
from sqlalchemy import text
from sqlmodel import select
from taskref_edu import Order
from taskref_edu.errors import OrphanTask
def find_order(session, task):
    found = session.scalars(select(Order).from_statement(text("SELECT * FROM orders WHERE processing_task_id = :t")), {"t": task.id}).all()
    if found:
        return found[0]
    raise OrphanTask("task %d: nobody points at it" % task.id)
