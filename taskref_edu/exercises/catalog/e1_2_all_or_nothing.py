"""1.2: put the lines of the atomic block in order; they are assembled and run under every crash and every schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from taskref_edu import Order, Task, TaskQueue, Worker, as_written, inverted, writing
from taskref_edu.exercises.catalog._answer_forms import indentation_problem
from taskref_edu.exercises.catalog._answer_forms import letters_of as letters
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.models import LIVE

ORDER = 7
LINES = {
    "A": "with writing(engine) as session:",
    "B": '    task = queue.enqueue(session, "process_payment")',
    "C": "    order = session.get_one(Order, 7)",
    "D": "    order.processing_task_id = task.id",
    "E": "    session.commit()",
    "F": 'task = as_written.enqueue(engine, "process_payment")',
}
LISTED = "\n".join(f"{letter}  {line}" for letter, line in LINES.items())
Arrange = Callable[[], Any]
letters_of = partial(letters, lines=LINES, once=LINES)


def click_of(letters: str) -> Callable[[Engine], None]:
    """The lines in this order as a function that can be run on an engine."""
    text = "\n".join(LINES[letter] for letter in letters)
    try:
        code = compile(text, "<your lines>", "exec")
    except SyntaxError:
        raise CheckFailed(indentation_problem(LINES, letters), text) from None

    def click(engine: Engine) -> None:
        names = {"engine": engine, "queue": TaskQueue(engine), "writing": writing, "Order": Order}
        exec(code, {**names, "as_written": as_written})

    return click


def check_pays_the_order(arrange: Arrange) -> None:
    """Undisturbed, the lines enqueue one task, and the order references it."""
    left: dict[str, Any] = {}

    def undisturbed(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
        reference = session.get_one(Order, ORDER).processing_task_id
        count = session.exec(select(func.count()).select_from(Task)).one()
        left.update({"tasks": count, f"order {ORDER} references": "a task" if reference else None})
        return paid_for(session, errors)

    found = explore([click_of(letters_of(arrange))], setup=one_order, invariant=undisturbed, schema="inverted")
    if said := [problem for problems in found.problems.values() for problem in problems]:
        expected = {"tasks": 1, f"order {ORDER} references": "a task"}
        raise CheckFailed(f"Even undisturbed: {said[0]}.", expected=expected, found=left)


def check_every_crash(arrange: Arrange) -> None:
    """Killed before any of its steps, the block leaves no task without its order."""
    letters = letters_of(arrange)
    lost = explore_crashes(click_of(letters), setup=one_order, invariant=no_orphan, schema="inverted")
    if not lost.holds:
        count = f"{len(lost.broken)} of {lost.count} crash points"
        raise CheckFailed(f"{count} leave a task without its order: {_reason(letters)}.", lost)


def check_every_schedule_with_a_worker(arrange: Arrange) -> None:
    """Whenever a worker claims, it finds the order of the task that it claims."""
    letters = letters_of(arrange)
    found = explore([click_of(letters), work], setup=one_order, invariant=nothing_failed, schema="inverted")
    if not found.holds:
        count = f"In {len(found.broken)} of {found.count} schedules"
        raise CheckFailed(f"{count} a fast worker claims the task and finds no order: {_reason(letters)}.", found)


def _reason(letters: str) -> str:
    if "F" in letters:
        return "line F commits the task on its own, before the order references it"
    return "line E commits the task before the order references it"


def one_order(engine: Engine) -> None:
    """The start of every run."""
    with writing(engine) as session:
        session.add(Order(id=ORDER, customer="Ada", amount=1000))


def work(engine: Engine) -> None:
    """A worker that looks once, and runs what it finds."""
    queue = TaskQueue(engine)
    queue.handler("process_payment")(inverted.process_payment)
    Worker(queue).step()


def no_orphan(session: Session) -> list[str]:
    """Every task that still waits or runs is referenced by an order."""
    owned = select(Order.processing_task_id).where(col(Order.processing_task_id).is_not(None))
    lonely = session.exec(select(Task.id).where(col(Task.status).in_(LIVE), col(Task.id).not_in(owned)))
    return [f"no order references task {task_id}" for task_id in lonely]


def nothing_failed(session: Session) -> list[str]:
    """No task failed or is left without its order."""
    failed = session.exec(select(Task.error).where(Task.status == "failed"))
    return [*map(str, failed), *no_orphan(session)]


def paid_for(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
    """The lines ran to their end; there is one task, and the order references it."""
    if errors:
        return [_meaning(error) for error in errors.values()]
    count = session.exec(select(func.count()).select_from(Task)).one()
    if count != 1:
        return [f"{count} tasks are enqueued; one is wanted"]
    return [] if session.get_one(Order, ORDER).processing_task_id else [f"order {ORDER} references no task"]


def _meaning(error: BaseException) -> str:
    if isinstance(error, NameError):
        return f"a line uses `{error.name}`, and no line above it makes one"
    return f"the lines stop with {type(error).__name__}: {error}"


def _wrong(letters: str, message: str) -> Wrong:
    return Wrong(f'def atomic_block():\n    return "{letters}"', message)


EXERCISE = Exercise(
    id="1.2",
    title="All or nothing",
    objective="1-atomic",
    core=True,
    goal=f"""
Arrange these lines so that they enqueue a payment of order 7 and let the order reference its task, whatever
crashes and however fast a worker is. Not all of them are needed. Each line is used once or not at
all, and none may raise an error. Return the letters, such as `"ABC"`.

```python
{LISTED}
```
""",
    stub='''
def atomic_block():
    """The letters of the lines, in sequence."""
    return ""
''',
    checks=[check_pays_the_order, check_every_crash, check_every_schedule_with_a_worker],
    hints=[
        "Which two changes must be committed together? Both must stand inside one transaction.",
        "`writing(engine)` commits once, at the end of its block. A line that commits earlier, or that has a "
        "transaction of its own, tears the two changes apart.",
        """
The block has this shape; the two lines that commit by themselves, E and F, are not needed:

```python
with writing(engine) as session:
    task = ...
    order = ...
    order.processing_task_id = task.id
```
""",
    ],
    solution='''
def atomic_block():
    """The letters of the lines, in sequence."""
    return "ABCD"
''',
    discussion="""
B and C may change places: what counts is that both changes are committed by the same commit. Even line E does no
harm as the last one; in between it lets a worker see a task that no order references yet.

The document's later snippets drop `transaction.atomic()`. That is line F, and it is the fault that you just saw.
""",
    wrong_answers=[
        _wrong("ABECD", "line E commits the task before the order references it"),
        _wrong("ABCED", "line E commits the task before the order references it"),
        _wrong("FACD", "line F commits the task on its own"),
        _wrong("ABC", "order 7 references no task"),
        _wrong("ABCDF", "2 tasks are enqueued"),
        _wrong("ACDB", "a line uses `task`, and no line above it makes one"),
        _wrong("ABBCD", "Line B is there more than once"),
        _wrong("BCD", "Line B is indented, and no block is open above it"),
        _wrong("ACFD", "Line D is indented, and no block is open above it"),
        _wrong("FA", "Line A opens a block, and no line follows it"),
    ],
)
