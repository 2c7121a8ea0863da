"""In somebody else's project: greenlet alone, tables and classes with our names, a global engine that is redirected."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest
from sqlalchemy import Engine
from sqlmodel import Field, Relationship, Session, SQLModel, select

from taskref_edu.lab import explore


class Board(SQLModel, table=True):
    __tablename__ = "board_of_another_project"  # pyright: ignore[reportAssignmentType]
    id: int = Field(primary_key=True)
    tasks: list["Task"] = Relationship(back_populates="board")


class Task(SQLModel, table=True):
    __tablename__ = "task"  # pyright: ignore[reportAssignmentType]
    id: int = Field(primary_key=True)
    done: int = 0
    board_id: int | None = Field(default=None, foreign_key="board_of_another_project.id")
    board: Board | None = Relationship(back_populates="tasks")


class Order(SQLModel, table=True):
    __tablename__ = "orders"  # pyright: ignore[reportAssignmentType]
    id: int = Field(primary_key=True)


TABLES = [SQLModel.metadata.tables[name] for name in ("board_of_another_project", "task", "orders")]


def setup(engine: Engine) -> None:
    SQLModel.metadata.create_all(engine, tables=TABLES)
    with Session(engine) as session:
        session.add(Task(id=1, board=Board(id=1)))
        session.commit()


def finish(engine: Engine) -> None:
    with Session(engine) as session:
        done = session.get_one(Board, 1).tasks[0].done
    with Session(engine) as session:
        session.get_one(Task, 1).done = done + 1
        session.commit()


def both_counted(session: Session, errors: dict[str, BaseException]) -> list[str]:
    done = session.exec(select(Task.done)).one()
    return [] if done == 2 - len(errors) else [f"{done} counted"]


def test_tables_and_classes_with_our_names() -> None:
    found = explore([finish, finish], setup=setup, invariant=both_counted, schema=None)
    assert found.broken
    wanted = r"(?s)schedules break.*1 counted.*To run only this one: schedules="
    with pytest.raises(AssertionError, match=wanted) as caught:
        found.assert_holds()
    shown = caught.traceback.filter(caught)  # what pytest leaves out of its report is not in it
    assert str(shown[-1].path) == __file__


ENGINE: ContextVar[Engine] = ContextVar("engine")


@contextmanager
def session_of_the_application() -> Iterator[Session]:
    with Session(ENGINE.get()) as session:
        yield session


def finish_globally() -> None:
    with session_of_the_application() as session:
        session.get_one(Task, 1).done += 1
        session.commit()


def test_a_global_engine_is_redirected_by_a_context_variable() -> None:
    def actor(engine: Engine) -> None:
        ENGINE.set(engine)  # each actor has a context of its own, and each schedule begins with an empty one
        finish_globally()

    found = explore([actor, actor], setup=setup, invariant=both_counted, schema=None)
    assert found.holds
    assert found.errors
    with pytest.raises(AssertionError, match=r"(?s)0 of .* break.*One with an error: .*database is locked"):
        found.assert_holds(errors="refuse")


def test_greenlet_is_all_that_it_needs() -> None:
    program = """
import sys
for name in ("IPython", "ipywidgets", "anywidget", "matplotlib", "orjson", "jupytext", "psycopg"):
    sys.modules[name] = None
from taskref_edu.lab import explore, explore_crashes
from tests.lab.explorer.actors import click_inverted, one_live_task, one_order
print(explore([click_inverted] * 2, setup=one_order, invariant=one_live_task, schema="as_written"))
print(explore_crashes(click_inverted, setup=one_order, invariant=one_live_task, schema="as_written"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("26 of 28 schedules break; nobody gets an error\n")
