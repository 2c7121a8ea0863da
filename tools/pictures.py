"""Draws the pictures of docs/pictures that come out of a real run: `make pictures`.

broken_schedule.svg: two clicks of the document's inverted snippet, in the breaking schedule with the fewest switches.
A picture more is a function more in PICTURES. Not covered: two_arrows.svg, which is drawn by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order, as_written, writing
from taskref_edu.lab import explore
from taskref_edu.lab.shop import live_payments

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"


def one_order(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Order(id=7, customer="Ann", amount=2500))


def click(engine: Engine) -> None:
    as_written.inverted_enqueue_payment_once(engine, Order(id=7, customer="Ann", amount=2500))


def one_payment(session: Session) -> list[str]:
    live = live_payments(session)
    return [] if len(live) == 1 else [f"{len(live)} live payments for order 7"]


def broken_schedule() -> str:
    """The breaking schedule of two clicks with the fewest switches."""
    return explore([click, click], setup=one_order, invariant=one_payment, schema="as_written").svg()


PICTURES: dict[str, Callable[[], str]] = {"broken_schedule.svg": broken_schedule}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
        print(FOLDER / name)
