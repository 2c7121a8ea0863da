"""4.3: where a running payment may check whether it is to stop; the lines are run, and cancelled at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from taskref_edu import Order, Task, TaskQueue, Worker, inverted, reading, writing
from taskref_edu.exercises.catalog._answer_forms import letters_of as letters
from taskref_edu.exercises.catalog._worlds import opened
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore
from taskref_edu.queue.running_task import RunningTask

ORDER = 7
LINES = {
    "A": "task.checkpoint()   # stops here if somebody asked the task to stop",
    "B": "order = load(task)",
    "C": "charge(order)       # the card company: nobody can undo it",
    "D": "mark_paid(task)     # the order is paid and the task completed, in one transaction",
}
LISTED = "\n".join(f"{letter}  {line}" for letter, line in LINES.items())
MOST = 12  # letters
Arrange = Callable[[], Any]
letters_of = partial(letters, lines=LINES, once="BCD", most=MOST)


def one_order(engine: Engine) -> None:
    """Order 7, its pending payment, and the book of the card company."""
    with writing(engine) as session:
        order = Order(id=ORDER, customer="Ada", amount=1000)
        session.add(order)
        inverted.enqueue_payment(session, TaskQueue(engine), order)
        session.connection().exec_driver_sql("CREATE TABLE charge (order_id INTEGER)")


def charge(engine: Engine, order: Order) -> None:
    """One line in the card company's book. It knows nothing of our transactions."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("INSERT INTO charge VALUES (?)", (order.id,))


def load(task: RunningTask) -> Order:
    """The order, in a read transaction that is over at once."""
    with task.reading() as session:
        return inverted.order_for(session, task)


def mark_paid(task: RunningTask) -> None:
    """The effect and the completion."""
    with task.completing() as session:
        inverted.order_for(session, task).status = "paid"


def run(letters: str, engine: Engine, before: Mapping[int, Callable[[Engine], Any]]) -> None:
    """A worker that runs these lines once; `before` is what somebody else does just before a line of that number."""
    queue = TaskQueue(engine, max_attempts=1)

    @queue.handler("process_payment")
    def handler(task: RunningTask) -> None:
        names = {"task": task, "load": load, "charge": lambda order: charge(engine, order), "mark_paid": mark_paid}
        for number, letter in enumerate(letters):
            before.get(number, lambda _: None)(engine)
            exec(LINES[letter], names)

    Worker(queue).step()


def cancels(engine: Engine) -> None:
    """Somebody changes their mind."""
    with writing(engine) as session:
        inverted.cancel_payment(session, TaskQueue(engine), Order(id=ORDER, customer="Ada", amount=1000))


def outcome(session: Session) -> tuple[int, bool]:
    """How often the card was charged, and whether the order is paid."""
    charges = session.connection().exec_driver_sql("SELECT count(*) FROM charge").scalar_one()
    return charges, session.get_one(Order, ORDER).status == "paid"


def trial(letters: str, before: Mapping[int, Callable[[Engine], Any]]) -> tuple[int, bool, str | None]:
    """The outcome of one run, and the task's error."""
    with opened() as engine:
        one_order(engine)
        run(letters, engine, before)
        with reading(engine) as session:
            return *outcome(session), session.get_one(Task, 1).error


def check_undisturbed(arrange: Arrange) -> None:
    """Undisturbed, the card is charged once, and the order is paid."""
    charges, paid, error = trial(letters_of(arrange), {})
    if error and "NameError" in error:
        raise CheckFailed("A line uses `order`, and no line above it loads one.", error)
    times = f"{charges} time{'s' * (charges != 1)}"
    said = f"Undisturbed, the card was charged {times} and the order is {'paid' if paid else 'not paid'}"
    if (charges, paid) != (1, True):
        raise CheckFailed(
            f"{said}; expected one charge and a paid order.",
            error,
            expected={"charges": 1, "the order": "paid"},
            found={"charges": charges, "the order": "paid" if paid else "not paid"},
        )


def check_charged_is_paid(arrange: Arrange) -> None:
    """Cancelled at any step of the database, it is charged and paid, or neither."""
    letters = letters_of(arrange)

    def payment(engine: Engine) -> None:
        run(letters, engine, {})

    found = explore([payment, cancels], setup=one_order, invariant=charged_is_paid, schema="inverted")
    if not found.holds:
        problem = found.problems[found.shortest or ""][0]
        count = f"any of {len(found.broken)} of the {found.count} possible moments"
        raise CheckFailed(f"If the cancel arrives at {count}, {problem}.", found)


def charged_is_paid(session: Session) -> Sequence[str]:
    """The invariant: no money without a paid order, no paid order without money."""
    charges, paid = outcome(session)
    if charges and not paid:
        return ["the card is charged and the order not paid: a checkpoint after the charge stops halfway"]
    return ["the order is paid and the card not charged"] if paid and not charges else []


def check_in_time(arrange: Arrange) -> None:
    """If the cancel comes before the last line above the charge, nothing is charged."""
    letters = letters_of(arrange)
    for number in range(letters.find("C")):
        charges, _, _ = trial(letters, {number: cancels})
        if charges:
            raise CheckFailed(
                f"Asked to stop before line {letters[number]} (number {number + 1} of `{letters}`), it went on and "
                "charged the card. Nothing was charged by then, so it could still have stopped.",
                expected={"charges": 0},
                found={"charges": charges},
            )


def _wrong(letters: str, message: str) -> Wrong:
    return Wrong(f'def lines_of_payment():\n    return "{letters}"', message)


EXERCISE = Exercise(
    id="4.3",
    title="Where may it stop?",
    objective="4-checkpoint",
    goal=f"""
Arrange these lines. A may be used several times, the others once or not at all. Whenever somebody cancels, the
card must be charged and the order paid, or neither. And nothing may be charged if the cancel came before the charge
could begin.
Return the letters, such as `"ABC"`.

```python
{LISTED}
```
""",
    stub='''
def lines_of_payment():
    """The letters of the lines, in sequence."""
    return ""
''',
    checks=[check_undisturbed, check_charged_is_paid, check_in_time],
    hints=[
        "Which line cannot be undone? Before it, stopping is free. After it, stopping leaves a mess.",
        "A checkpoint sees the requests made by then. Loading takes time, too: a checkpoint above it misses one "
        "that comes while it loads.",
        """
The last line before the charge decides. Which letter stands in place of the dot?

```python
return "B.CD"
```
""",
    ],
    solution='''
def lines_of_payment():
    """The letters of the lines, in sequence."""
    return "ABACD"
''',
    discussion="""
`"BACD"` is as right: the checkpoint just before the charge is the one that counts. The first one only saves the
loading.

Between that checkpoint and the charge there is always a gap, and a request that falls into it comes too late. It must
lose cleanly: the charge is made, so the payment is completed, and the customer is told so. From there a refund is a
task of its own.
""",
    wrong_answers=[
        _wrong("ABCD", "Asked to stop before line B"),
        _wrong("BCD", "Asked to stop before line B"),
        _wrong("BACAD", "a checkpoint after the charge stops halfway"),
        _wrong("ABCAD", "a checkpoint after the charge stops halfway"),
        _wrong("BADC", "Asked to stop before line D"),
        _wrong("BAD", "charged 0 times"),
        _wrong("BAC", "the order is not paid"),
        _wrong("BACCD", "Line C is there more than once"),
        _wrong("ACBD", "A line uses `order`"),
    ],
)
