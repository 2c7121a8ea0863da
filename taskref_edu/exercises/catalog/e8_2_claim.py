"""8.2: one UPDATE … RETURNING that takes the oldest due task; two and three workers, under every schedule."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from textwrap import dedent, indent
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session, delete, select

from taskref_edu import Task, TaskStatus, writing
from taskref_edu.exercises.catalog._worlds import NOW as WORLD_NOW
from taskref_edu.exercises.catalog._worlds import (
    Row,
    World,
    changes,
    judge_worlds,
    opened,
    placed,
    queries_and_changes,
    rows_of,
    some_ids,
    some_time,
    task_row,
    worlds,
)
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab import capture_sql, explore

Claim = Callable[[Session, datetime, datetime], Any]
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
WORLDS = 24
WORLD_UNTIL = WORLD_NOW + timedelta(seconds=47, microseconds=13)
UNTIL = NOW + timedelta(seconds=30)
# So SQLite finds the larger of two equal ids first, unless the claim asks for the smaller one.
LARGER_ID_FIRST = (
    "DROP INDEX task_by_status",  # an answer may name it, with INDEXED BY
    "CREATE INDEX task_by_status ON task (status, available_at, id DESC) WHERE status='pending' OR status='running'",
)
ENOUGH = 200  # schedules; one statement each gives 6 with three workers
STATUSES: dict[str, dict[str, Any]] = {  # and what else the table asks of each
    "pending": {},
    "running": {"lease_expires_at": NOW},
    **{end: {"finished_at": NOW, "error": "no card"} for end in ("succeeded", "failed", "cancelled")},
}


def task(status: str, minutes: int) -> Task:
    """A task that was or will be due `minutes` from now."""
    due = NOW + timedelta(minutes=minutes)
    return Task(type="process_payment", status=TaskStatus(status), available_at=due, **STATUSES[status])


def check_takes_one(claim: Claim) -> None:
    """Of two due tasks one is taken: running, its token raised, its lease set; the caller commits."""
    with opened() as engine:
        with writing(engine) as session:
            session.add_all([task("pending", -2), task("pending", -1)])
        with Session(engine) as session:
            with callers(session):
                found = claim(session, NOW, UNTIL)
            _judge_id(found)
            session.rollback()
        with writing(engine) as session:
            kept = set(session.exec(select(Task.status))) != {"pending"}
            assert not kept, "The function commits. Leave that to the caller: it may have more to do."
            claim(session, NOW, UNTIL)
        with Session(engine) as session:
            _judge_rows(session.get_one(Task, 1), session.get_one(Task, 2))


def _judge_id(found: Any) -> None:
    if found is None:
        raise CheckFailed("Nothing returned, and a task is due; expected its id, 1.", expected=1, found=None)
    if not isinstance(found, int):
        bare = f"`{found!r:.60}` returned; expected the bare id, 1: `scalar_one_or_none()`."
        raise CheckFailed(bare, expected=1, found=found)


def _judge_rows(taken: Task, other: Task) -> None:
    until = taken.lease_expires_at
    columns = {"status": taken.status, "lease_token": taken.lease_token, "lease_expires_at": until and f"{until}"}
    found = {"task 1": columns, "task 2": {"status": other.status}}
    wanted = {"status": "running", "lease_token": 1, "lease_expires_at": f"{UNTIL}"}
    problem = ""
    if taken.status != "running":
        problem = f"The task that was taken is {taken.status}; expected running."
    elif other.status != "pending":
        problem = "Two tasks were due and both are running: one claim took them all."
    elif taken.lease_token != 1:
        token = f"`lease_token` is {taken.lease_token} after the first claim, not 1"
        problem = f"{token}: each claim needs a number of its own."
    elif until != UNTIL:
        problem = f"`lease_expires_at` is {until}; expected `until`."
    if problem:
        raise CheckFailed(problem, expected={"task 1": wanted, "task 2": {"status": "pending"}}, found=found)


def check_oldest_due_first(claim: Claim) -> None:
    """On six random tables: the oldest due pending task, the smaller id among equals, and none early."""
    with opened() as engine:
        for seed in range(6):
            _judge_order(engine, claim, random.Random(seed))


def _judge_order(engine: Engine, claim: Claim, chance: random.Random) -> None:
    statuses = ["pending"] * 7 + list(STATUSES)
    with writing(engine) as session:
        session.execute(delete(Task))
        rows = [task(status, chance.randint(-3, 2)) for status in chance.sample(statuses, len(statuses))]
        session.add_all(rows)
    by_id = {row.id: row for row in rows}
    due = [row for row in rows if row.status == "pending" and row.available_at <= NOW]
    for expected in [*sorted(due, key=lambda row: (row.available_at, row.id)), None]:
        with writing(engine) as session:
            found = claim(session, NOW, UNTIL)
        if found != (expected and expected.id):
            problem = f"{_order_text(by_id.get(found), expected)}."
            raise CheckFailed(problem, expected=expected and expected.id, found=found)
        if expected:
            expected.status = TaskStatus.RUNNING


def _order_text(found: Task | None, expected: Task | None) -> str:
    """What is wrong with claiming `found`."""
    if found is None and expected:
        return f"Nothing returned; at {NOW:%H:%M} task {expected.id} is due, since {expected.available_at:%H:%M}"
    if found is None:
        return "No task has the id that was returned"
    if found.status != "pending":
        return f"Task {found.id} was claimed, and it is {found.status}: only pending tasks are free"
    if found.available_at > NOW:
        return f"Task {found.id} was claimed before its `available_at`: it is not due yet"
    if expected is None:
        return f"Task {found.id} was claimed, and no task is due"
    is_older = expected.available_at < found.available_at
    why = "has been due for longer" if is_older else "is as old and has the smaller id"
    return f"Task {found.id} was claimed before task {expected.id}, which {why}"


def check_in_random_worlds(claim: Claim) -> None:
    """In random databases, at random times: the right task with the right values, and nothing else is changed."""
    with opened() as engine:
        with writing(engine) as session:
            for statement in LARGER_ID_FIRST:
                session.execute(text(statement))
        judge_worlds(worlds(82, WORLDS, _due_world, 12), lambda world: _problem(claim, engine, world))


def _due_world(dice: random.Random, size: int) -> World:
    """Tasks of which most are pending, due near `NOW` or at the very instant; tokens and attempts are anything."""
    statuses = ["pending", "pending", *STATUSES]
    rows = [dict(task_row(dice, id, status=dice.choice(statuses))) for id in some_ids(dice, size)]
    equal = some_time(dice)
    for row in rows:
        row["available_at"] = equal if dice.random() < 0.4 else row["available_at"]
    return World(tuple(rows))


def _problem(claim: Claim, engine: Engine, world: World) -> CheckFailed | None:
    due = [row for row in world.tasks if row["status"] == "pending" and row["available_at"] <= WORLD_NOW]
    first = min(due, key=lambda row: (row["available_at"], row["id"]), default=None)
    with placed(engine, world) as session:
        before = rows_of(session)
        with callers(session), capture_sql(engine) as captured:
            got = claim(session, WORLD_NOW, WORLD_UNTIL)
        statements, new = queries_and_changes(captured), changes(before, rows_of(session))
    if got != (first and first["id"]):
        expected = f"task {first['id']}, {_state(first)}" if first else "None"
        taken = next((f"task {row['id']}, {_state(row)}" for row in world.tasks if row["id"] == got), f"`{got!r:.40}`")
        problem = f"At {WORLD_NOW:%H:%M:%S.%f} the function returned {taken}; expected {expected}."
        return CheckFailed(problem, expected=first and first["id"], found=got)
    if len(statements) != 1:
        more = f"{len(statements)} statements were sent; one is to find the task, to take it and to tell its id."
        return CheckFailed(more, "\n".join(statements), expected=1, found=len(statements))
    return _wrongly_changed(first, new)


def _wrongly_changed(first: Row | None, new: dict[tuple[str, int], Any]) -> CheckFailed | None:
    """What is wrong with these changes, where this task was the one to be claimed."""
    wanted = {}
    if first:
        until = f"{WORLD_UNTIL:%Y-%m-%d %H:%M:%S.%f}"
        token = first["lease_token"] + 1
        wanted = {("task", first["id"]): {"status": "running", "lease_token": token, "lease_expires_at": until}}
    if new != wanted:
        found = {key: row or {"row": "deleted"} for key, row in new.items()}
        right = {(key, name, value) for key, row in wanted.items() for name, value in row.items()}
        wrong = {(key, name, value) for key, row in found.items() for name, value in row.items()} - right
        told = ", ".join(
            f"`{name}` of {table} {id} became {value}" for (table, id), name, value in sorted(wrong, key=str)
        )
        values = "`running`, a token one more than before, `until`, and nothing else" if first else "no change"
        return CheckFailed(f"{told or 'Not all was set'}; expected: {values}.", expected=wanted, found=found)
    return None


def _state(task: Row) -> str:
    """Why it may be taken, or not."""
    due = task["available_at"]
    when = (
        "at this very instant" if due == WORLD_NOW else f"{'from' if due > WORLD_NOW else 'since'} {due:%d %H:%M:%S.%f}"
    )
    return f"which is {task['status']}{f' and due {when}' if task['status'] == 'pending' else ''}"


def check_every_schedule(claim: Claim) -> None:
    """Two workers, each statement its own transaction: under every schedule each gets a task of its own."""
    _explore(claim, 2, isolation_level="AUTOCOMMIT")


def check_nobody_is_refused(claim: Claim) -> None:
    """Two workers, each in one deferred transaction: none gets `database is locked`."""
    _explore(claim, 2)


def check_three(claim: Claim) -> None:
    """Three workers, each statement its own transaction: each gets a task of its own."""
    _explore(claim, 3, isolation_level="AUTOCOMMIT")


def _explore(claim: Claim, workers: int, **options: str) -> None:
    def worker(engine: Engine) -> Any:
        with engine.connect().execution_options(**options) as connection, Session(connection) as session:
            got = claim(session, NOW, UNTIL)
            session.commit()
            return got

    def a_task_for_each(engine: Engine) -> None:
        with writing(engine) as session:
            session.add_all([task("pending", minutes) for minutes in range(-workers, 0)])

    found = explore([worker] * workers, setup=a_task_for_each, invariant=_one_each, max_runs=ENOUGH)
    of = f"of the {found.count} schedules of {workers} workers"
    if found.broken:
        worst = max(problem for problems in found.problems.values() for problem in problems)  # "two …" before "a …"
        raise CheckFailed(f"In {len(found.broken)} {of}, {worst}.", found)
    if found.errors:
        why = "`database is locked`: a transaction that has read before it writes cannot wait"
        raise CheckFailed(f"In {len(found.errors)} {of}, a worker gets {why}.", found)
    more = f"Not proven: {workers} workers have more than {ENOUGH} schedules; with one statement each there are few."
    assert found.complete, more


def _one_each(session: Session, errors: Mapping[str, BaseException], results: Mapping[str, Any]) -> list[str]:
    taken = [got for got in results.values() if got is not None]
    problems = [f"two workers get task {got}" for got in sorted(set(taken)) if taken.count(got) > 1]
    return problems if len(taken) == len(results) else [*problems, "a worker gets none although one is left for it"]


SOLUTION = '''
from sqlmodel import select, update

from taskref_edu import Task


def claim(session, now, until):
    """Take the oldest due task; its id, or None."""
    due = (Task.status == "pending") & (Task.available_at <= now)
    oldest = select(Task.id).where(due).order_by(Task.available_at, Task.id).limit(1).scalar_subquery()
    taken = (
        update(Task)
        .where(Task.id == oldest, Task.status == "pending")
        .values(status="running", lease_token=Task.lease_token + 1, lease_expires_at=until)
        .returning(Task.id)
    )
    return session.execute(taken).scalar_one_or_none()
'''
TAKES_ALL = SOLUTION.replace(".scalar_one_or_none()", ".scalars().first()")
ONLY_BY_ID = SOLUTION.replace('oldest, Task.status == "pending"', "oldest")
COMMITS = SOLUTION.replace("return session.execute", "id = session.execute") + "    session.commit()\n    return id\n"


def _changed(old: str, new: str, message: str, code: str = SOLUTION) -> Wrong:
    """The solution with one thing changed."""
    return Wrong(code.replace(old, new), message)


def _look_first(take: str, message: str) -> Wrong:
    """An answer that looks with a SELECT, and takes with a second statement."""
    head = """
from sqlmodel import select, update
from taskref_edu import Task

def claim(session, now, until):
    query = select(Task).where(Task.status == "pending", Task.available_at <= now)
    task = session.exec(query.order_by(Task.available_at, Task.id).limit(1)).first()
    if task is None:
        return None
    new = {"status": "running", "lease_token": Task.lease_token + 1, "lease_expires_at": until}
    this = update(Task).where(Task.id == task.id)
"""
    return Wrong(head + indent(dedent(take).strip(), "    "), message)


EXERCISE = Exercise(
    id="8.2",
    title="Claim",
    objective="8-claim",
    goal="""
Write `claim(session, now, until)`: in **one statement**, take the oldest due task and return its id, or `None`.

A task is due if it is pending and `available_at` is not after `now`; among equals the smaller id comes first.
Set `status`, raise `lease_token` by one, set `lease_expires_at` to `until`; nothing else changes. The caller commits,
and may have begun with a plain BEGIN: of two workers at the same instant each gets a task of its own, nobody an error.
""",
    stub='''
from sqlmodel import select, update

from taskref_edu import Task


def claim(session, now, until):
    """Take the oldest due task; its id, or None."""
    ...
''',
    checks=[
        check_takes_one,
        check_oldest_due_first,
        check_every_schedule,
        check_nobody_is_refused,
        check_three,
        check_in_random_worlds,
    ],
    errors=[
        (
            r"No row was found",
            "No task is due, and `scalar_one()` insists on one; `scalar_one_or_none()` gives None, as the goal asks",
        ),
    ],
    hints=[
        "A SELECT that finds, then an UPDATE that takes, leaves a gap between the two. How could the UPDATE do the "
        "finding itself?",
        "An UPDATE may hold a SELECT: `UPDATE task SET … WHERE id = (SELECT id FROM task WHERE … ORDER BY … LIMIT 1) "
        "RETURNING id`.",
        """
`scalar_subquery()` makes a SELECT usable as one value:

```python
oldest = select(Task.id).where(...).order_by(...).limit(1).scalar_subquery()
taken = update(Task).where(Task.id == oldest).values(status="running", ...).returning(Task.id)
return session.execute(taken).scalar_one_or_none()
```
""",
    ],
    solution=SOLUTION,
    discussion="""
The condition on the status is there twice. On SQLite once is enough: one writer at a time. On PostgreSQL two UPDATEs
may find the same id; the second waits, then evaluates its WHERE again, and the second `status` is what makes it take
nothing.
There one also writes `FOR UPDATE SKIP LOCKED`, so that workers pass each other instead of waiting.
""",
    wrong_answers=[
        _look_first(
            """
            task.status, task.lease_token, task.lease_expires_at = "running", task.lease_token + 1, until
            session.flush()
            return task.id
            """,
            "two workers get task 1",
        ),
        _look_first(
            "return task.id if session.execute(this.where(Task.status == 'pending').values(new)).rowcount else None",
            "a worker gets none although one is left for it",
        ),
        _look_first(
            """
            taken = session.execute(this.where(Task.status == "pending").values(new)).rowcount
            return task.id if taken else claim(session, now, until)
            """,
            "a transaction that has read before it writes cannot wait",
        ),
        _changed("Task.id == oldest, ", "Task.available_at <= now, ", "one claim took them all", TAKES_ALL),
        _changed('(Task.status == "pending") & ', "", "only pending tasks are free", ONLY_BY_ID),
        _changed(" & (Task.available_at <= now)", "", "it is not due yet"),
        _changed("order_by(Task.available_at, Task.id)", "order_by(Task.id)", "which has been due for longer"),
        _changed(" lease_token=Task.lease_token + 1,", "", "each claim needs a number of its own"),
        _changed(".scalar_one_or_none()", ".one_or_none()", "returned a row that holds the value"),
        _changed("return session", "found = session", "Nothing returned, and a task is due"),
        Wrong(COMMITS, "Leave it out: the caller commits"),
        _changed("lease_token=Task.lease_token + 1", "lease_token=1", "one more than before"),
        _changed(
            "return session.execute(taken).scalar_one_or_none()",
            "id = session.execute(taken).scalar_one_or_none()\n    session.execute(select(Task.id))\n    return id",
            "statements were sent; one is to find the task",
        ),
    ],
)
