"""What clicks on orders do: functions that work in the caller's transaction and return a sentence.

All take the same arguments, including the approach's module, so that both sides do the same.

Not covered: the click storm (`click_storm.py`).
"""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType

from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy import func
from sqlmodel import Session, col, select

from ...approaches import inverted
from ...arguments import counted
from ...errors import TaskNotFound
from ...models import LIVE, Order, Task, TaskStatus
from ...queue.task_queue import TaskQueue

CUSTOMERS = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony")


def new_order(session: Session) -> Order:
    """Create an order; customer and amount follow from its number."""
    number = (session.exec(select(func.max(Order.id))).one() or 0) + 1
    order = Order(customer=CUSTOMERS[number % len(CUSTOMERS)], amount=500 * (1 + number * 7 % 19))
    session.add(order)
    session.flush()
    return order


def pay(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    """Enqueue a payment of the order, unless one is in process or it is paid."""
    order = existing(session, order_id)
    if order.status == "paid":
        return f"order {order_id}: already paid"
    task = approach.enqueue_payment_once(session, queue, order)
    if task is None:
        return f"order {order_id}: a payment is in process already"
    return f"order {order_id}: payment enqueued as task {task.id}"


def cancel(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    """Cancel the payment of the order: at once while it is pending, as a request while it runs."""
    order, before = existing(session, order_id), _cancelled(session)
    if not approach.cancel_payment(session, queue, order):
        return f"order {order_id}: nothing to cancel"
    return f"order {order_id}: " + ("payment cancelled" if _cancelled(session) > before else "asked to stop")


def cancel_all(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    """Cancel the payment of every order in process; this does not find tasks without an order."""
    before = _cancelled(session)
    found = [approach.cancel_payment(session, queue, order) for order in approach.orders_in_process(session)]
    not_found = select(func.count()).where(col(Task.status).in_(LIVE), col(Task.cancel_requested_at).is_(None))
    left = session.exec(not_found).one()
    if not sum(found) and not left:
        return "nothing to cancel"
    cancelled = _cancelled(session) - before
    text = f"all orders: {cancelled} cancelled, {sum(found) - cancelled} asked to stop"
    return text + (f"; {counted(left, 'task')} that no order leads to: not found" if left else "")


def delete(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    """Delete the order, even if its payment is in process: the task is left behind."""
    order = existing(session, order_id)
    in_process = any(other.id == order_id for other in approach.orders_in_process(session))
    session.delete(order)
    try:
        session.flush()
    except sqlalchemy_errors.IntegrityError:
        session.rollback()
        return f"order {order_id}: kept; a task references it, and the foreign key of this schema holds it"
    if not in_process:
        return f"order {order_id}: deleted"
    left = "an orphan: no order points at it" if approach is inverted else "a dangling reference"
    return f"order {order_id}: deleted; its task is now {left}"


def typo(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    """Enqueue a payment with a mistake: a mistyped key, or a forgotten reference."""
    existing(session, order_id)
    if approach is inverted:
        task = queue.enqueue(session, inverted.PAYMENT)
        return f"order {order_id}: task {task.id} enqueued, and no order references it: an orphan"
    payload = {"orderid": order_id}
    try:
        task = queue.enqueue(session, approach.PAYMENT, payload)
    except sqlalchemy_errors.IntegrityError:
        session.rollback()
        return f"order {order_id}: {payload} was refused by a CHECK of this schema"
    return f"order {order_id}: task {task.id} enqueued with {payload}, and nobody objected"


def prune(session: Session, queue: TaskQueue, approach: ModuleType, order_id: int) -> str:
    return f"prune: {counted(queue.prune(session, timedelta(0)), 'task')} that had ended deleted; orders stay"


def existing(session: Session, order_id: int) -> Order:
    """The order; TaskNotFound if it was deleted."""
    order = session.get(Order, order_id)
    if order is None:
        raise TaskNotFound(f"order {order_id} not found: it was deleted; select another one")
    return order


def _cancelled(session: Session) -> int:
    return session.exec(select(func.count()).where(Task.status == TaskStatus.CANCELLED)).one()


ON_ORDERS = {"pay": pay, "cancel": cancel, "delete": delete, "typo": typo}  # these need a selected order
ON_ALL = {"cancel_all": cancel_all, "prune": prune}
CLICKS = ON_ORDERS | ON_ALL
