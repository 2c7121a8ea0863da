"""8.4: put effect, completion and commit in order; they are assembled, killed at every point, and run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import TaskQueue, writing
from taskref_edu.exercises.catalog._answer_forms import letters_of as letters
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.models import utc_now
from taskref_edu.queue.running_task import RunningTask

FIRST_LINE = "with Session(engine) as session:"
LINES = {
    "A": "session.execute(text(\"INSERT INTO ledger (entry) VALUES ('order 7: paid')\"))",
    "B": "queue.complete(session, task)",
    "C": "session.commit()",
    "D": "queue.heartbeat(session, task)",
    "E": "session.rollback()",
}
LISTED = "\n".join([f"   {FIRST_LINE}", *(f"{letter}      {line}" for letter, line in LINES.items())])
Arrange = Callable[[], Any]
letters_of = partial(letters, lines=LINES)
Work = Callable[[Engine, TaskQueue, RunningTask], None]


def work_of(letters: str) -> Work:
    """The lines in this order, as what a worker does after its claim."""
    code = compile("\n    ".join([FIRST_LINE, *(LINES[letter] for letter in letters)]), "<your lines>", "exec")

    def work(engine: Engine, queue: TaskQueue, task: RunningTask) -> None:
        exec(code, {"engine": engine, "queue": queue, "task": task, "Session": Session, "text": text})

    return work


def claimed(engine: Engine) -> None:
    """The start of every run: an empty ledger, and one task that a worker has claimed."""
    with writing(engine) as session:
        session.execute(text("CREATE TABLE ledger (id INTEGER PRIMARY KEY, entry TEXT)"))
        queue = TaskQueue(engine)
        queue.enqueue(session, "process_payment")
        queue.claim(session)


def first_worker(work: Work) -> Callable[[Engine], None]:
    """The worker that has claimed the task: it holds lease token 1."""

    def first(engine: Engine) -> None:
        queue = TaskQueue(engine)
        work(engine, queue, RunningTask(1, "process_payment", None, 1, 1, queue))

    return first


def next_worker(work: Work) -> Callable[[Engine], None]:
    """A minute later: the lease is over, the task is claimed again if it is there, and the lines run again."""

    def second(engine: Engine) -> None:
        queue = TaskQueue(engine, now=_in_a_minute)
        with writing(engine) as session:
            queue.reclaim(session)
            task = queue.claim(session)
        if task is not None:
            work(engine, queue, task)

    return second


def _in_a_minute() -> datetime:
    return utc_now() + timedelta(minutes=1)


def check_undisturbed(arrange: Arrange) -> None:
    """Undisturbed, the ledger has one row and the task has succeeded."""
    work = work_of(letters_of(arrange))
    left: dict[str, Any] = {}

    def undisturbed(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
        status = session.execute(text("SELECT status FROM task")).scalar_one()
        left.update({"rows in the ledger": _rows(session), "the task": status})
        return _undisturbed(session, errors)

    found = explore([first_worker(work)], setup=claimed, invariant=undisturbed, schema="inverted")
    if said := [problem for problems in found.problems.values() for problem in problems]:
        expected = {"rows in the ledger": 1, "the task": "succeeded"}
        raise CheckFailed(f"Even undisturbed: {said[0]}.", expected=expected, found=left)


def check_every_crash(arrange: Arrange) -> None:
    """Killed before any of its steps and run again by another worker, the ledger has exactly one row."""
    work = work_of(letters_of(arrange))
    lost = explore_crashes(
        first_worker(work), setup=claimed, recover=next_worker(work), invariant=_once, schema="inverted"
    )
    if not lost.holds:
        count = f"{len(lost.broken)} of {lost.count} crash points"
        raise CheckFailed(f"Killed at {count}: {_meaning(lost.problems)}.", lost)


def check_every_take_over(arrange: Arrange) -> None:
    """The first worker is alive and late: beside one that takes over, under every schedule, one row."""
    work = work_of(letters_of(arrange))
    found = explore([first_worker(work), next_worker(work)], setup=claimed, invariant=_once, schema="inverted")
    if not found.holds:
        count = f"{len(found.broken)} of {found.count} schedules"
        raise CheckFailed(f"Late beside another worker, in {count}: {_meaning(found.problems)}.", found)


def _rows(session: Session) -> int:
    return session.execute(text("SELECT count(*) FROM ledger")).scalar_one()


def _once(session: Session) -> list[str]:
    count = _rows(session)
    return [] if count == 1 else [f"the ledger has {count} rows"]


def _undisturbed(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
    if errors:
        return [f"the lines stop with {type(error).__name__}: {error}" for error in errors.values()]
    count = _rows(session)
    if count != 1:
        return [f"there are {count} rows in the ledger; the payment is one"]
    status = session.execute(text("SELECT status FROM task")).scalar_one()
    again = f"the payment is in the ledger, and the task is still {status}: it will be paid again"
    return [] if status == "succeeded" else [again]


def _meaning(problems: Mapping[str, tuple[str, ...]]) -> str:
    """What the rows mean for the customer."""
    texts = {text for found in problems.values() for text in found}
    if "the ledger has 0 rows" in texts:
        return "the task had succeeded and nobody was paid, so the effect is lost"
    if "the ledger has 2 rows" in texts:
        return "the effect was committed and the task was not ended, so it is paid twice"
    return min(texts)


def _wrong(letters: str, message: str) -> Wrong:
    return Wrong(f'def after_the_claim():\n    return "{letters}"', message)


EXERCISE = Exercise(
    id="8.4",
    title="The effect, once",
    objective="8-effect",
    core=True,
    goal=f"""
A worker has claimed a task. Arrange the lines so that they leave **exactly one row** in the ledger: undisturbed,
killed at any point and run again by another worker, and late beside a worker that took over. Undisturbed, no line may
raise an error, and the task has succeeded. You may leave lines out and use a line twice. Return the letters, such as
`"ABC"`.

```python
{LISTED}
```
""",
    stub='''
def after_the_claim():
    """The letters of the lines, in sequence."""
    return ""
''',
    checks=[check_undisturbed, check_every_crash, check_every_take_over],
    hints=[
        "A crash can come between any two commits. What is then in the ledger, and what does the task's status say?",
        "If the effect is committed first, the next worker does it again. If the completion is committed first, "
        "nobody does it. How many commits does that leave?",
        """
Two changes, one commit:

```python
with Session(engine) as session:
    ...  # one of the two changes
    ...  # the other
    session.commit()
```
""",
    ],
    solution='''
def after_the_claim():
    """The letters of the lines, in sequence."""
    return "BAC"
''',
    discussion="""
`"ABC"` and `"BAC"` both pass: what counts is that one commit carries both. `completing()` does it in this shape, with
line D first: a stale holder is refused *before* its effect, and every worker locks the task first.

The handler still ran twice. Only its effect is there once, because effect and completion are in the same database.
A charge at a card company is not: there you need a key by which *they* see that it is the same payment.
""",
    wrong_answers=[
        _wrong("BCAC", "nobody was paid, so the effect is lost"),
        _wrong("ACBC", "so it is paid twice"),
        _wrong("AC", "the task is still running: it will be paid again"),
        _wrong("AB", "there are 0 rows in the ledger"),
        _wrong("ABCAC", "there are 2 rows in the ledger"),
        _wrong("BC", "there are 0 rows in the ledger"),
        _wrong("ABCB", "the lines stop with StaleLease"),
        _wrong("DACBC", "so it is paid twice"),
        _wrong("ABF", "There is no line `F`"),
    ],
)
