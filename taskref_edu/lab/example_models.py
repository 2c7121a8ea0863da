"""More models for notebooks and checks, beside Order: a table cannot be defined in a cell that is run twice.

They stand in for models of yours; everything that makes a parcel a parcel is left out.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, MetaData
from sqlmodel import Field, SQLModel

from ..models import BigId, Task

TASK_ID = Task.__table__.c.id  # type: ignore[attr-defined]


def task_id_column(name: str | None = None) -> Column[int]:
    """A column that references a task: nullable, and emptied when the task is deleted."""
    key = ForeignKey(TASK_ID, ondelete="SET NULL")
    return Column(name, BigId, key, nullable=True) if name else Column(BigId, key, nullable=True)


class Parcel(SQLModel, table=True):
    """Something with two kinds of background work: a label to be printed, and a pick-up to be booked."""

    __tablename__ = "parcel"  # pyright: ignore[reportAssignmentType]
    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    address: str
    label_task_id: int | None = Field(default=None, sa_column=task_id_column())
    pickup_task_id: int | None = Field(default=None, sa_column=task_id_column())


class Invoice(SQLModel, table=True):
    """A model with names that nobody expects: pasted into an SQL text, they would end it."""

    __tablename__ = 'invoice"; DROP TABLE orders; --'  # pyright: ignore[reportAssignmentType]
    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    printing_task_id: int | None = Field(default=None, sa_column=task_id_column('print "it" now; --'))
    mailing_task_id: int | None = Field(default=None, sa_column=task_id_column("mailing"))
