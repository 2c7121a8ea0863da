"""8.1: for each of three planted bugs, the schedule with the fewest switches; every schedule is run to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getsource
from typing import Any

from sqlalchemy import Engine, Row, text
from sqlmodel import Session

from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore
from taskref_edu.lab.explorer.errors import NoSuchSchedule
from taskref_edu.lab.explorer.result import ExplorationResult
from taskref_edu.lab.player.recording import switches

Schedules = Callable[[], Any]
TABLES = [
    "CREATE TABLE task (id INTEGER PRIMARY KEY, status TEXT, token INTEGER DEFAULT 0, done_by INTEGER)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, task_id INTEGER)",
]


def run(engine: Engine, sql: str, **values: Any) -> Row[Any]:
    """One statement in a transaction of its own, so that it is one step; its first row, if it has one."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        result = connection.execute(text(sql), values)
        return result.first() if result.returns_rows else None  # type: ignore[return-value]


# The planted bugs. The goal shows this text, so it carries no annotations.
# fmt: off
def click(engine):  # type: ignore[no-untyped-def]
    order = run(engine, "SELECT task_id FROM orders WHERE id = 7")
    if order.task_id is None:
        task = run(engine, "INSERT INTO task (status) VALUES ('pending') RETURNING id")
        run(engine, "UPDATE orders SET task_id = :id WHERE id = 7", id=task.id)


def report(engine):  # type: ignore[no-untyped-def]
    running = run(engine, "SELECT count(*) FROM task WHERE status = 'running'")
    pending = run(engine, "SELECT count(*) FROM task WHERE status = 'pending'")
    return running[0] + pending[0]


def claim(engine):  # type: ignore[no-untyped-def]
    return run(engine, "UPDATE task SET status = 'running', token = token + 1 WHERE status = 'pending' RETURNING token")


def worker(engine):  # type: ignore[no-untyped-def]
    mine = claim(engine)
    if mine:
        run(engine, "UPDATE task SET status = 'succeeded', done_by = :me WHERE status = 'running'", me=mine.token)


def reclaim(engine):  # type: ignore[no-untyped-def]
    run(engine, "UPDATE task SET status = 'pending' WHERE status = 'running'")
# fmt: on


SHOWN = [click, report, claim, worker, reclaim]
LISTED = "\n\n".join(getsource(function).replace("  # type: ignore[no-untyped-def]", "") for function in SHOWN)


def no_task(engine: Engine) -> None:
    """Order 7, and nobody has clicked yet."""
    for table in TABLES:
        run(engine, table)
    run(engine, "INSERT INTO orders (id) VALUES (7)")


def one_task(engine: Engine) -> None:
    """One task that waits."""
    no_task(engine)
    run(engine, "INSERT INTO task (status) VALUES ('pending')")


def one_payment(session: Session) -> list[str]:
    """Two clicks make one task."""
    count = session.execute(text("SELECT count(*) FROM task")).scalar_one()
    return [f"there are {count} tasks for one order"] if count != 1 else []


def counted_once(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, Any]) -> list[str]:
    """The one task is in the report, once."""
    return [] if results["A"] == 1 else [f"the report counts {results['A']} live tasks, and there is 1"]


def own_success(session: Session) -> list[str]:
    """Whoever records the success holds the latest claim."""
    task = session.execute(text("SELECT token, done_by FROM task")).one()
    stolen = task.done_by not in (None, task.token)
    return [f"the holder of claim {task.done_by} ended claim {task.token}"] if stolen else []


@dataclass(frozen=True)
class Bug:
    """A planted bug: who takes part, from which start, and what must hold."""

    name: str
    actors: Sequence[Callable[[Engine], Any]]
    setup: Callable[[Engine], None]
    holds: Callable[..., list[str]]

    def explored(self) -> ExplorationResult:
        """Every schedule of it."""
        return explore(self.actors, setup=self.setup, invariant=self.holds, schema=None)


BUGS = [
    Bug("Bug 1 (two clicks)", [click, click], no_task, one_payment),
    Bug("Bug 2 (the report)", [report, claim], one_task, counted_once),
    Bug("Bug 3 (the late worker)", [worker, reclaim, claim], one_task, own_success),
]


def check_two_clicks(schedules: Schedules) -> None:
    """Two clicks: your schedule makes two tasks, and none does it with fewer switches."""
    _judge(schedules, 0)


def check_report(schedules: Schedules) -> None:
    """The report: your schedule makes it miss the task, and none does it with fewer switches."""
    _judge(schedules, 1)


def check_late_worker(schedules: Schedules) -> None:
    """The late worker: your schedule lets it end somebody else's claim, and none does it with fewer switches."""
    _judge(schedules, 2)


def _judge(schedules: Schedules, number: int) -> None:
    bug, schedule = BUGS[number], _three(schedules())[number]
    if not schedule:
        raise CheckFailed(f"{bug.name}: there is no schedule yet; expected letters in quotes.")
    letters = "ABC"[: len(bug.actors)]
    strange = [letter for letter in schedule if letter not in letters]
    if strange:
        capital = ", in capital letters" if strange[0].upper() in letters else ""
        named = f"{bug.name}: `{schedule}` names `{strange[0]}`; its actors are {', '.join(letters)}{capital}."
        raise CheckFailed(named)
    found = bug.explored()
    if schedule not in found.problems:
        raise _holds(bug, found, schedule)
    fewest = switches(found.shortest or "")
    said = f"{bug.name}: `{schedule}` breaks it with {switches(schedule)} switches; {fewest} are enough."
    if switches(schedule) != fewest:
        raise CheckFailed(said, expected={"switches": fewest}, found={"switches": switches(schedule)})


def _three(answer: Any) -> Sequence[str]:
    expected, form = 'expected three schedules in quotes, such as `"AB", "AB", "ABC"`', "three texts, such as 'ABC'"
    if isinstance(answer, tuple | list) and len(answer) != 3:
        raise CheckFailed(f"{len(answer)} values returned; {expected}.", expected=form, found=answer)
    if not isinstance(answer, tuple | list) or not all(isinstance(one, str) for one in answer):
        raise CheckFailed(f"`{answer!r:.60}` returned; {expected}.", expected=form, found=answer)
    return answer


def _holds(bug: Bug, found: ExplorationResult, schedule: str) -> CheckFailed:
    """What to say of a schedule that breaks nothing: it cannot be, or it does no harm."""
    try:
        trace = found.replay(schedule)
    except NoSuchSchedule as error:
        return CheckFailed(f"{bug.name}: `{schedule}` {error.why}. Each statement that runs has its own letter.")
    serial = switches(schedule) < len(bug.actors)
    why = ": one after the other, each actor is right" if serial else ""
    return CheckFailed(f"{bug.name}: after `{schedule}` nothing is broken{why}.", trace)


def _wrong(first: str, second: str, third: str, message: str) -> Wrong:
    return Wrong(f'def schedules():\n    return "{first}", "{second}", "{third}"', message)


EXERCISE = Exercise(
    id="8.1",
    title="Be the scheduler",
    objective="8-schedule",
    goal=f"""
Each statement below commits by itself. For each bug, return the schedule that shows it with the fewest switches
from one actor to another. Write one letter for every statement that runs.

| | actors | it is broken if |
|---|---|---|
| 1 | A: `click`, B: `click`; no task yet | there are two tasks |
| 2 | A: `report`, B: `claim`; one task waits | the report does not say 1 |
| 3 | A: `worker`, B: `reclaim`, C: `claim`; one task waits | `done_by` is not the latest `token` |

```python
{LISTED}```
""",
    stub='''
def schedules():
    """A schedule for each of the three bugs, such as "AABB"."""
    return "", "", ""
''',
    checks=[check_two_clicks, check_report, check_late_worker],
    hints=[
        "Ask of each bug: what does an actor *know* that may no longer be true when it acts? Let somebody change "
        "that in between.",
        "Bug 1: both must have looked before either writes its number on the order. Bug 2: the task must change its "
        "status between the two counts. Bug 3: somebody else must hold the task when A comes back.",
        """
Switch only when you must. Bug 1, in the sequence of the statements:

```python
"A..."  # A reads
"ABBB"  # B reads, enqueues, saves its reference: A knows nothing of it
"ABBB" + "..."  # what is left of A?
```

Bug 3 uses all three actors, and A both begins and ends.
""",
    ],
    solution='''
def schedules():
    """A schedule for each of the three bugs, such as "AABB"."""
    return "ABBBAA", "ABA", "ABCA"
''',
    discussion="""
The three bugs are one: *check, then act*, and in between somebody changed what was checked. Two
clicks (notebook 03), a list made of two queries (05), and a worker that is late (here).

A break with few switches is the one to show to a colleague. A break with many is as real, and as likely.
""",
    wrong_answers=[
        _wrong("AAABBB", "ABA", "ABCA", "cannot happen: after 'AAAB', B has no step left"),
        _wrong("AAAB", "ABA", "ABCA", "one after the other, each actor is right"),
        _wrong("ABABAB", "ABA", "ABCA", "breaks it with 5 switches; 2 are enough"),
        _wrong("ABBA", "ABA", "ABCA", "ends too early"),
        _wrong("AABBBBA", "ABA", "ABCA", "cannot happen"),
        _wrong("ABBBAA", "AAB", "ABCA", "Bug 2 (the report): after `AAB` nothing is broken"),
        _wrong("ABBBAA", "ABC", "ABCA", "names `C`"),
        _wrong("ABBBAA", "ABA", "AABC", "Bug 3 (the late worker): after `AABC` nothing is broken"),
        _wrong("ABBBAA", "ABA", "ABAC", "Bug 3 (the late worker): after `ABAC` nothing is broken"),
        Wrong('def schedules():\n    return "ABBBAA"', "expected three schedules in quotes"),
    ],
)
