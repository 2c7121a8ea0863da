"""Orders beside invoices, for 7.1: rows that reference a task, now and when they were read."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, select

from taskref_edu import Order, TaskReference, writing
from taskref_edu.exercises.catalog._worlds import World, about_reference, inverted_world, placed, some_ids
from taskref_edu.lab.example_models import Invoice
from taskref_edu.models import LIVE

Model = type[Order] | type[Invoice]
REFERENCES = ["printing_task_id", "mailing_task_id"]  # of an invoice


def invoices(engine: Engine) -> None:
    """The table of invoices, with what the library's own reference needs: an answer may use that."""
    Invoice.metadata.create_all(engine)
    for column in (Invoice.printing_task_id, Invoice.mailing_task_id):
        TaskReference(column, "some_work").install(engine)


def rows(engine: Engine) -> None:
    """Two orders and two invoices of the same ids; none is reserved."""
    invoices(engine)
    with writing(engine) as session:
        session.add_all(Order(id=id, customer=f"customer {id}", amount=1000) for id in (7, 8))
        session.add_all(Invoice(id=id) for id in (7, 8))


def references(session: Session) -> dict[str, int | None]:
    """Every reference in the database, by where it stands."""
    found: dict[str, int | None] = {}
    for model, names in ((Order, ["processing_task_id"]), (Invoice, REFERENCES)):
        for row in session.exec(select(model).execution_options(populate_existing=True)):
            found |= {f"{name} of {model.__name__.lower()} {row.id}": getattr(row, name) for name in names}
    return found


@dataclass(frozen=True)
class Reservation:
    """A row to be reserved in a database; `old` is the task that it referenced when it was read."""

    world: World
    billed: list[dict[str, Any]]
    model: Model
    name: str
    stored: Mapping[str, Any]
    old: int | None
    type: str
    max_attempts: int

    @property
    def now(self) -> int | None:
        """The task that the row references in the table."""
        return self.stored[self.name]

    @property
    def place(self) -> str:
        """The reference, such as `processing_task_id of order 7`."""
        return f"{self.name} of {self.model.__name__.lower()} {self.stored['id']}"

    def about(self) -> str:
        """The reference, now and when the row was read; a sentence."""
        return about_reference(f"`{self.place}`", self.now, self.old)

    def row(self) -> Order | Invoice:
        """The row as it was read in a transaction that is over."""
        row = self.model(**{**self.stored, self.name: self.old})
        make_transient_to_detached(row)
        return row

    def just_read(self) -> Reservation:
        """The same, but read a moment ago."""
        return replace(self, old=self.now)

    @contextmanager
    def placed(self, engine: Engine) -> Iterator[Session]:
        """A transaction in which the tables hold these rows; nothing of it stays."""
        with placed(engine, self.world) as session:
            session.execute(insert(Invoice), self.billed)
            yield session

    def __str__(self) -> str:
        return f"invoices: {self.billed}\n{self.world}"


def some_reservations(dice: random.Random, largest: int) -> Iterator[Reservation]:
    """Of orders and of invoices: a free row, one that references a live task, and one whose task has ended."""
    for size in range(1, largest):
        world = inverted_world(dice, size)
        statuses = {task["id"]: task["status"] for task in world.tasks}
        ids = [dice.choice(world.orders)["id"], *some_ids(dice, size)]  # orders and invoices share an id
        billed = invoice_rows(dice, list(dict.fromkeys(ids)), [*statuses])
        for model, name, stored in (
            (Order, "processing_task_id", world.orders),
            (Invoice, dice.choice(REFERENCES), billed),
        ):
            kinds = {row[name] and statuses[row[name]] in LIVE: row for row in stored}
            for number, row in enumerate(kinds.values(), size):
                old = (None, 4_711, row[name])[number % 3]
                type, attempts = f"work_{dice.randint(1, 99)}", dice.randint(1, 9)
                yield Reservation(world, billed, model, name, row, old, type, attempts)


def invoice_rows(dice: random.Random, ids: list[int], tasks: list[int]) -> list[dict[str, Any]]:
    """Invoices, of which about half reference a task by each column; no two the same one."""
    free = {name: dice.sample(tasks, len(tasks)) for name in REFERENCES}
    return [
        {"id": id, **{name: free[name].pop() if free[name] and dice.random() < 0.5 else None for name in REFERENCES}}
        for id in ids
    ]
