"""More models for notebooks and checks, besides Order. In a module, because a cell that defines a table runs only once.

They stand for models of your own, reduced to an id and the references to tasks.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, MetaData
from sqlmodel import Field, SQLModel

from ..models import BigId, Task


def task_id_column(name: str | None = None) -> Column[int]:
    """A column that references a task: nullable, and set to NULL when the task is deleted."""
    task_id = Task.__table__.c.id  # type: ignore[attr-defined]
    return Column(name, BigId, ForeignKey(task_id, ondelete="SET NULL"), nullable=True)


class Parcel(SQLModel, table=True):
    """An object with two kinds of background work: printing a label, and booking a pick-up."""

    __tablename__ = "parcel"  # pyright: ignore[reportAssignmentType]
    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    address: str
    label_task_id: int | None = Field(default=None, sa_column=task_id_column())
    pickup_task_id: int | None = Field(default=None, sa_column=task_id_column())


class Invoice(SQLModel, table=True):
    """A model with malicious names: pasted into SQL without quoting, they would end the statement."""

    __tablename__ = 'invoice"; DROP TABLE orders; --'  # pyright: ignore[reportAssignmentType]
    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True))
    printing_task_id: int | None = Field(default=None, sa_column=task_id_column('print "it" now; --'))
    mailing_task_id: int | None = Field(default=None, sa_column=task_id_column("mailing"))
