"""7.1: reserve any row of any model, through any column that references a task, against every other click."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from taskref_edu import Order, Task, TaskQueue, reading, writing
from taskref_edu.exercises.catalog._invoices import (
    Invoice,
    Model,
    Reservation,
    invoices,
    references,
    rows,
    some_reservations,
)
from taskref_edu.exercises.catalog._worlds import changes, opened, rows_of
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab import explore

Reserve = Callable[..., Any]
WORLDS = 9


def _reserved_alone(reserve: Reserve, model: Model, name: str, other: str) -> None:
    with opened() as engine:
        rows(engine)
        queue = TaskQueue(engine)
        with writing(engine) as session:
            row = session.get_one(model, 7)
            with callers(session):
                said = reserve(session, queue, row, getattr(model, name), "some_work")
            _expect_reserved(session, model, name, said)
            with callers(session):
                again = reserve(session, queue, row, getattr(model, name), "some_work")
            _expect_refused(session, model, again)
            if other:
                assert reserve(session, queue, row, getattr(model, other), "other_work"), (
                    f"`{name}` is taken, and `{other}` of the same row was refused, too."
                )
            session.rollback()
        with reading(engine) as session:
            count = len(session.exec(select(Task.id)).all())
        assert not count, "After the caller's `rollback()` the task is still there: the function committed by itself."


def _expect_reserved(session: Session, model: Model, name: str, said: Any) -> None:
    """One task, which only this column of row 7 references, and which was returned."""
    place = f"{name} of {model.__name__.lower()} 7"
    tasks, found = session.exec(select(Task.id, Task.type)).all(), references(session)
    if place not in found:
        raise CheckFailed(f"{model.__name__} 7, which should be reserved, is gone.", expected="there", found="gone")
    types = [type for _, type in tasks]
    if types != ["some_work"]:
        none = f"After reserving {model.__name__.lower()} 7 there is no task."
        others = f"Tasks found: {tasks}; expected one, `some_work`."
        raise CheckFailed(others if tasks else none, expected=["some_work"], found=types)
    set_to = {where: task_id for where, task_id in found.items() if task_id is not None}
    if set_to != {place: tasks[0][0]}:
        what = f"`{place}` should reference the task; the reference is in: {', '.join(set_to) or 'none'}."
        other = f"`{place}` is {found[place]!r}; the task is {tasks[0][0]}."
        problem = other if [*set_to] == [place] else what
        raise CheckFailed(problem, expected={place: tasks[0][0]}, found=set_to)
    if not isinstance(said, Task):
        returned = f"The row was free; expected the task, returned was `{said!r:.60}`."
        raise CheckFailed(returned, expected="a task", found=said)


def _expect_refused(session: Session, model: Model, again: Any) -> None:
    """None for who comes later, and no second task."""
    if again is not None:
        returned = f"{model.__name__} 7 was reserved already; expected None, got {_said(again)}."
        raise CheckFailed(returned, expected=None, found=again)
    left = len(session.exec(select(Task.id)).all())
    if left != 1:
        behind = f"A reservation that came too late left a task behind: {left} tasks for one row."
        raise CheckFailed(behind, expected={"tasks": 1}, found={"tasks": left})


def check_an_order(reserve: Reserve) -> None:
    """An order is reserved once: one task, one reference, and None for whoever comes later."""
    _reserved_alone(reserve, Order, "processing_task_id", "")


def check_a_model_with_hostile_names(reserve: Reserve) -> None:
    """The same for a model and columns that the function has never seen."""
    _reserved_alone(reserve, Invoice, "printing_task_id", "mailing_task_id")


def check_in_random_worlds(reserve: Reserve) -> None:
    """In random databases, with rows read long ago, for any row, column and type: what counts is the table."""
    with opened() as engine:
        invoices(engine)
        for case in some_reservations(random.Random(71), WORLDS):
            if problem := _problem(reserve, engine, case):
                plainer = _problem(reserve, engine, case.just_read())  # if it fails without being old, too
                found = plainer or problem
                found.details = str(case)
                raise found


def _problem(reserve: Reserve, engine: Engine, case: Reservation) -> CheckFailed | None:
    """What is wrong with reserving this row, which is so in the table, and was otherwise when it was read."""
    queue = TaskQueue(engine, max_attempts=case.max_attempts)
    with case.placed(engine) as session:
        before, references_before = rows_of(session), references(session)
        with callers(session):
            said = reserve(session, queue, case.row(), getattr(case.model, case.name), case.type)
        new = {
            key: changed
            for key, changed in changes(before, rows_of(session)).items()
            if [*(changed or ())] != ["processing_task_id"]  # which is among the references
        }
        moved = {key: value for key, value in references(session).items() if references_before.get(key) != value}
        if case.now is not None:
            return None if said is None and not new and not moved else _not_refused(case, said, [*new, *moved])
        return _not_reserved(case, said, new, moved)


def _said(said: Any) -> str:
    return f"task {said.id}" if isinstance(said, Task) else f"`{said!r:.60}`"


def _not_refused(case: Reservation, said: Any, changed: list[Any]) -> CheckFailed:
    rows = ", ".join(" ".join(map(str, key)) if isinstance(key, tuple) else key for key in changed) or "nothing"
    problem = (
        f"{case.about()} So it is taken, and {_said(said)} was returned; changed: {rows}. Expected: None, no change."
    )
    found = {"returned": said, **dict.fromkeys(changed, "changed")}
    return CheckFailed(problem, expected={"returned": None}, found=found)


def _not_reserved(
    case: Reservation, said: Any, new: dict[tuple[str, int], Any], moved: Mapping[str, Any]
) -> CheckFailed | None:
    about, place, queued = case.about(), case.place, {"status": "pending", "max_attempts": case.max_attempts}
    if not isinstance(said, Task):
        returned = f"{about} So it is free, and {_said(said)} was returned; expected the task."
        return CheckFailed(returned, expected="a task", found=said)
    stored = new.pop(("task", said.id or 0), None)
    wanted = {"type": case.type, **queued}
    kept = {column: stored[column] for column in wanted} if stored else "not stored"
    if kept != wanted:
        other = f"Task {said.id} was returned, and it is not stored as `queue.enqueue` stores a `{case.type}`."
        return CheckFailed(f"{about} {other}", expected=wanted, found=kept)
    if new or moved != {place: said.id}:
        changed = {**moved, **{" ".join(map(str, key)): "changed" for key in new}}
        problem = f"{about} Afterwards it should reference task {said.id}; changed: {', '.join(changed) or 'nothing'}."
        return CheckFailed(problem, expected={place: said.id}, found=changed)
    return None


def click_on(reserve: Reserve, model: Model, name: str, begin: Callable[[Engine], Any]) -> Callable[[Engine], bool]:
    """A request that reads the row in a transaction that is then over, and reserves it in the next one."""

    def click(engine: Engine) -> bool:
        with reading(engine) as session:
            row = session.get_one(model, 7)
        with begin(engine) as session:
            task = reserve(session, TaskQueue(engine), row, getattr(model, name), "some_work")
            session.commit()
        return task is not None

    return click


def one_winner(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, bool]) -> list[str]:
    """Of all clicks one won, and its task is the only one."""
    tasks = session.exec(select(Task.id)).all()
    owned = {task_id for task_id in references(session).values() if task_id is not None}
    broken = [f"{len(tasks)} tasks for one row"] if len(tasks) > 1 else []
    broken += [f"no row references task {task_id}" for task_id in tasks if task_id not in owned]
    return broken if errors or sum(results.values()) == 1 else [*broken, f"the clicks were told {results}"]


def check_every_schedule(reserve: Reserve) -> None:
    """Two clicks, in every interleaving of their statements: one task, one winner, and nobody gets an error."""
    earlier = "inside `writing()`, and the row read in an earlier transaction"
    for begin, how in ((writing, earlier), (Session, "inside a deferred transaction")):
        for model, name in ((Order, "processing_task_id"), (Invoice, "printing_task_id")):
            clicks = [click_on(reserve, model, name, begin)] * 2
            found = explore(clicks, setup=rows, invariant=one_winner, schema="inverted")
            where = f"Two clicks on one {model.__name__.lower()}, each {how}"
            if not found.complete:
                raise CheckFailed(f"{where} take too many steps to try every interleaving; three are enough.", found)
            count = f"{len(found.broken or found.errors)} of {found.count} schedules"
            if found.problems:
                problem = found.problems[found.shortest or ""][0]
                raise CheckFailed(f"{where}: {problem}, in {count}. What was read before may be old by now.", found)
            if found.errors:
                why = "Read first, write later cannot wait; write first"
                raise CheckFailed(f"{where}: one gets an error in {count}. {why}.", found)


def _wrong(body: str, message: str) -> Wrong:
    code = f"{IMPORTS}\ndef reserve(session, queue, row, column, type):\n{indent(body.strip(), '    ')}"
    return Wrong(code, message)


IMPORTS = "from sqlalchemy import text, update\nfrom sqlmodel import col\nfrom taskref_edu import Order\n"

EXERCISE = Exercise(
    id="7.1",
    title="Any column",
    objective="7-column",
    goal="""
Write `reserve(session, queue, row, column, type)`: enqueue a task of this type and let `row` reference it in
`column`. Return the task. If the row has one there already, return None and leave no new task behind.

`column` is a model's attribute, such as `Parcel.label_task_id`; `column.class_` is its model, and every model has an
`id`. `row` may be old: reserved by now, or free by now. Do not commit. The caller has other work in the same
transaction, which must stay, and may have begun with a plain BEGIN: of two requests at the same instant one gets the
task, the other None, and nobody an error.
""",
    stub='''
from sqlalchemy import update


def reserve(session, queue, row, column, type):
    """Enqueue a task that `row` references in `column`; None if it references one already."""
    ...
''',
    checks=[check_an_order, check_a_model_with_hostile_names, check_in_random_worlds, check_every_schedule],
    errors=[
        (
            r"'str' object is not callable",
            "`type` is a parameter here: the name of the task's type. The row's model is `column.class_`",
        ),
        (
            r"UNIQUE constraint failed: orders",
            "The UPDATE changed more than one row: its WHERE must name the row, by its id",
        ),
        (
            r"additional tables in the SET|Unconsumed column names",
            "The column does not belong to the model that is updated, or was given as text: "
            "`update(column.class_)`, and `.values({column: task.id})`",
        ),
        (
            r"FOREIGN KEY constraint failed",
            "The row references a task that is not there: enqueue first, and take the id that the task has got",
        ),
        (
            r"syntax error|unrecognized token|no such column|one statement at a time",
            "A name was pasted into SQL, and this one ends it. Give SQLAlchemy the column itself, and it quotes: "
            "`update(column.class_).values({column: task.id})`",
        ),
    ],
    hints=[
        "You know this for orders already: enqueue, then a conditional UPDATE whose row count says who won. "
        "Where does it say `Order`, and where `processing_task_id`?",
        "`column.class_` takes the place of `Order`, `column` that of the reference. `.values({column: task.id})` "
        "takes a column where `.values(name=…)` needs a name. The loser's task goes with a savepoint, "
        "`session.begin_nested()`.",
        """
```python
with session.begin_nested() as savepoint:
    task = queue.enqueue(session, type)
    free = update(column.class_).where(column.class_.id == row.id, column.is_(None))
    if session.execute(free.values({column: ...})).rowcount:
        return task
    savepoint.rollback()
```
""",
    ],
    solution='''
from sqlalchemy import update


def reserve(session, queue, row, column, type):
    """Enqueue a task that `row` references in `column`; None if it references one already."""
    model = column.class_
    with session.begin_nested() as savepoint:
        task = queue.enqueue(session, type)
        free = update(model).where(model.id == row.id, column.is_(None))
        if session.execute(free.values({column: task.id})).rowcount:
            return task
        savepoint.rollback()
        return None
''',
    discussion="""
The condition stands in the UPDATE itself, so that nobody can come between the check and the write. And the first
statement writes: in a deferred transaction SQLite lets a writer wait only while it has not read anything.

A column is handed over as an object, not as text. So nothing needs quoting, and nothing can be misspelt or injected.

This is `TaskReference.enqueue_once`, all but keys of other names than `id`.
""",
    wrong_answers=[
        _wrong(
            """
with session.begin_nested() as savepoint:
    task = queue.enqueue(session, type)
    free = update(Order).where(Order.id == row.id, col(Order.processing_task_id).is_(None))
    if session.execute(free.values(processing_task_id=task.id)).rowcount:
        return task
    savepoint.rollback()
""",
            "the reference is in: processing_task_id of order 7",
        ),
        _wrong(
            """
with session.begin_nested() as savepoint:
    task = queue.enqueue(session, type)
    table, name = column.class_.__tablename__, column.key
    sql = f"UPDATE {table} SET {name} = {task.id} WHERE id = {row.id} AND {name} IS NULL"
    if session.execute(text(sql)).rowcount:
        return task
    savepoint.rollback()
""",
            "A name was pasted into SQL",
        ),
        _wrong(
            """
if getattr(row, column.key) is None:
    task = queue.enqueue(session, type)
    session.execute(update(column.class_).where(column.class_.id == row.id).values({column: task.id}))
    setattr(row, column.key, task.id)
    return task
""",
            "So it is taken, and task",
        ),
        _wrong(
            """
row = session.get(column.class_, row.id, populate_existing=True)
if getattr(row, column.key) is None:
    task = queue.enqueue(session, type)
    setattr(row, column.key, task.id)
    return task
""",
            "Read first, write later cannot wait",
        ),
        _wrong(
            """
task = queue.enqueue(session, type)
free = update(column.class_).where(column.class_.id == row.id, column.is_(None))
return task if session.execute(free.values({column: task.id})).rowcount else None
""",
            "A reservation that came too late left a task behind",
        ),
        _wrong("return session.execute(update(type(row)).values({column: 1}))", "`type` is a parameter here"),
        _wrong(
            """
if getattr(row, column.key) is not None:
    return None
with session.begin_nested() as savepoint:
    task = queue.enqueue(session, type)
    free = update(column.class_).where(column.class_.id == row.id, column.is_(None))
    if session.execute(free.values({column: task.id})).rowcount:
        return task
    savepoint.rollback()
""",
            "So it is free, and `None` was returned",
        ),
        _wrong(
            """
task = queue.enqueue(session, type)
free = update(column.class_).where(column.class_.id == row.id, column.is_(None))
if session.execute(free.values({column: task.id})).rowcount:
    return task
session.rollback()
""",
            "takes back all that the caller did, too",
        ),
        _wrong("return queue.enqueue(session, type)", "the reference is in: none"),
    ],
)
