"""The first level of the series: two clicks on one order, as the document writes them, for a learner to break."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlmodel import Session

from ...approaches import as_written
from ...lab.shop import add_orders, live_payments
from ...models import Order
from .scheduler import Scheduler


def break_the_shop() -> Scheduler:
    """Ann clicks *Pay* twice. Show the game: the player decides which click runs its next statement."""
    return Scheduler(
        [click, click],
        setup=order_7,
        invariant=paid_once,
        schema="as_written",
        goal="Make order 7 be paid twice.",
        names={"A": "Ann’s first click", "B": "Ann’s second click"},
        captions={
            "SELECT": "Is order 7 being paid?",
            "INSERT": "Enqueue the payment",
            "UPDATE": "Save the task in order 7",
        },
    )


def click(engine: Engine) -> None:
    """Enqueue a payment of order 7 unless there is one."""
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))


def order_7(engine: Engine) -> None:
    """The shop before the two clicks."""
    add_orders(engine, [7])


def paid_once(session: Session) -> list[str]:
    """What is broken: more than one live payment of the only order."""
    found = len(live_payments(session))
    return [f"{found} live payments for order 7"] if found > 1 else []
