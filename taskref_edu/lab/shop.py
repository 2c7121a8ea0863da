"""The same shop four times: each approach, as the document writes it and at its best, behind the same verbs.

Orders are named by their ids. Each verb is a separate request, which works with an order that it has read earlier.

Not covered: the worker's thread.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Callable, Iterable
from inspect import getsource
from io import StringIO
from itertools import chain
from typing import Any, Literal

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from ..approaches import as_written, classic, inverted
from ..database.opening import open_database
from ..database.transactions import writing
from ..models import LIVE, PAYMENT, Order, Task, TaskStatus
from ..queue.task_queue import TaskQueue
from ..schema import SchemaName
from ..worker.worker import Worker

How = Literal["as written", "at their best"]
Approach = Literal["classic", "inverted"]
HOW: tuple[How, ...] = ("as written", "at their best")
SIDES: tuple[Approach, ...] = ("classic", "inverted")
BEST: dict[Approach, Any] = {"classic": classic, "inverted": inverted}


def schema_of(how: How, side: Approach) -> SchemaName:
    """The schema for a shop: as written, two bare tables; at its best, the approach's indexes, trigger, constraints."""
    return "as_written" if how == "as written" else side


def add_orders(engine: Engine, ids: Iterable[int] = range(11, 16)) -> None:
    """New orders with these ids."""
    with writing(engine) as session:
        session.add_all(Order(id=id, customer=f"customer {id}", amount=1000) for id in ids)


class Shop:
    """One of the four shops: on the given engine's database, or on a database of its own with five orders."""

    def __init__(self, how: How, side: Approach, engine: Engine | None = None) -> None:
        self.how: How = how
        self.side: Approach = side
        self.engine = engine or open_database(schema=schema_of(how, side))
        self.queue = TaskQueue(self.engine)
        self.queue.handler(PAYMENT)(self.verb("process_payment"))
        if engine is None:
            add_orders(self.engine)

    def verb(self, name: str) -> Callable[..., Any]:
        """The approach's own function of this name."""
        if self.how == "as written":
            return getattr(as_written, f"{self.side}_{name}")
        return getattr(BEST[self.side], name)

    def pay(self, id: int) -> Task:
        """Enqueue a payment, even if there is one already."""
        return self._request("enqueue_payment", id)

    def pay_once(self, id: int) -> Task | None:
        """Enqueue a payment unless one is in process."""
        return self._request("enqueue_payment_once", id)

    def cancel(self, id: int) -> int:
        """Cancel the order's payment."""
        return self._request("cancel_payment", id)

    def in_process(self) -> list[int]:
        """The ids of the orders in process, according to this shop."""
        listed = self.verb("orders_in_process")
        if self.how == "as written":
            return sorted(order.id for order in listed(self.engine))
        with Session(self.engine) as session:
            return [order.id for order in listed(session)]

    def order_for(self, session: Session, task: Any) -> Order:
        """The worker's lookup; as written, it is one line inside the document's handler."""
        if self.how == "at their best":
            return BEST[self.side].order_for(session, task)
        if self.side == "classic":
            return session.get_one(Order, task.payload["order_id"])
        return session.exec(select(Order).where(Order.processing_task_id == task.id)).one()

    def work(self) -> None:
        """Run the tasks that are due."""
        Worker(self.queue).run_until_idle()

    def pay_up_to(self, status: TaskStatus | str, id: int) -> None:
        """Pay an order, and bring its task to this status. No other task may be pending."""
        self.pay(id)
        if status == "cancelled":
            self.cancel(id)
        elif status == "succeeded":
            self.work()
        elif status != "pending":
            with writing(self.engine) as session:
                task = self.queue.claim(session)
                if status == "failed" and task is not None:
                    self.queue.fail(session, task, "card declined", retry=False)

    def live(self) -> int:
        """How many payments are pending or running."""
        with Session(self.engine) as session:
            return len(live_payments(session))

    def close(self) -> None:
        """Close the database's connections."""
        self.engine.dispose()

    def _request(self, name: str, id: int) -> Any:
        order = Order(id=id, customer="as read earlier", amount=0)
        if self.how == "as written":
            return self.verb(name)(self.engine, order)
        with writing(self.engine) as session:
            return self.verb(name)(session, self.queue, order)


def live_payments(session: Session) -> list[int | None]:
    """The ids of the payments that are pending or running."""
    return list(session.exec(select(Task.id).where(Task.type == PAYMENT, col(Task.status).in_(LIVE))))


def code_lines(*definitions: Any) -> int:
    """How many lines of code these functions and classes have, without docstrings, comments and blank lines."""
    return sum(len(_code(definition).splitlines()) for definition in definitions)


def code_tokens(*definitions: Any) -> int:
    """How many names, operators and literals they have, again without docstrings: a long line counts for more."""
    kinds = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    found = chain(*(tokenize.generate_tokens(StringIO(_code(definition)).readline) for definition in definitions))
    return sum(token.type in kinds for token in found)


def _code(definition: Any) -> str:
    node = ast.parse(getsource(definition)).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.unparse(node)
