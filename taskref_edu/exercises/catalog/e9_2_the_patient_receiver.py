"""9.2: apply each message once; from every state that deliveries can lead to, killed at every point, and twice at once.

Every order with any number of repeats is covered by walking the states of the database, not the orders: a receiver
that keeps all it knows there is in one of 16 states, whatever came before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session

from taskref_edu import writing
from taskref_edu.exercises.catalog._clicks import LOCK_TIMEOUT, ONE_PROCESS, holds_a_lock, is_locked, why_it_died
from taskref_edu.exercises.catalog._worlds import opened, some_ids
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.exercises.runtime_slips import callers
from taskref_edu.lab import explore, explore_crashes
from taskref_edu.lab.explorer.errors import ActorNeverEnds
from taskref_edu.lab.explorer.explore_crashes import Crashes

TABLES = [
    "CREATE TABLE received (message_id INTEGER PRIMARY KEY)",
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
]


@dataclass(frozen=True)
class Message:
    """What the other side sends: an id that it made, and how much to add."""

    id: int
    amount: int


MESSAGES = [Message(id, 10**place) for place, id in enumerate((3, 5, 8, 9))]  # any two sums differ
WORLDS = 16
Receive = Callable[[Session, Message], Any]
State = tuple[tuple[int, ...], int]  # the ids received, and the balance


def empty(engine: Engine) -> None:
    """The start of every run: nothing received, nothing on the account."""
    with writing(engine) as session:
        for statement in (*TABLES, "INSERT INTO account VALUES (1, 0)"):
            session.execute(text(statement))


@contextmanager
def database() -> Iterator[Engine]:
    with opened("as_written") as engine:
        empty(engine)
        yield engine


def state_of(session: Session) -> State:
    ids = session.scalars(text("SELECT message_id FROM received ORDER BY message_id")).all()
    return tuple(ids), balance(session)


def balance(session: Session) -> int:
    return session.execute(text("SELECT balance FROM account WHERE id = 1")).scalar_one()


def put(session: Session, state: State) -> None:
    """Bring the database to this state."""
    session.execute(text("DELETE FROM received"))
    for id in state[0]:
        session.execute(text("INSERT INTO received VALUES (:id)"), {"id": id})
    session.execute(text("UPDATE account SET balance = :balance"), {"balance": state[1]})


def check_every_order(receive: Receive) -> None:
    """In every sequence of four messages, with any number of repeats, each is on the account exactly once."""
    reached: dict[State, list[int]] = {((), 0): []}
    waiting = list(reached)
    with database() as engine:
        while waiting:
            before = waiting.pop()
            for message in MESSAGES:
                came = [*reached[before], message.id]
                after = _deliver(receive, engine, before, message, came)
                _judge(came, after[1])
                if after not in reached:
                    reached[after] = came
                    waiting.append(after)


def _deliver(receive: Receive, engine: Engine, state: State, message: Message, came: Sequence[int]) -> State:
    with writing(engine) as session:
        put(session, state)
    with writing(engine) as session:
        with callers(session):
            receive(session, message)
        first = state_of(session)
        session.rollback()
    with writing(engine) as session:
        kept = state_of(session)
        if kept != state:
            stays = "The caller rolled back, and something stays. Leave out `commit()`: the caller commits."
            raise CheckFailed(stays, expected=_told(state), found=_told(kept))
        receive(session, message)
    with writing(engine) as session:
        second = state_of(session)
    if second != first:
        problem = (
            f"Message {message.id} came, its caller rolled back, and it came again: this time something else happened"
        )
        raise CheckFailed(f"{problem}. Only the database knows what holds.", expected=_told(first), found=_told(second))
    return second


def _told(state: State) -> dict[str, Any]:
    return {"received": list(state[0]), "the account": state[1]}


def _judge(came: Sequence[int], found: int) -> None:
    wanted = sum(message.amount for message in MESSAGES if message.id in came)
    if found == wanted:
        return
    *earlier, last = came
    plural = "s" if len(earlier) > 1 else ""
    then = f"After message{plural} {', '.join(map(str, earlier))}, message {last}" if earlier else f"Message {last}"
    problem = f"{then} {_told_by_digits(found, came)}: {found} on the account, {wanted} expected."
    raise CheckFailed(problem, expected={"the account": wanted}, found={"the account": found})


def _told_by_digits(found: int, came: Sequence[int]) -> str:
    """What became of the last message: each digit of the account says how many times one message was applied."""
    times = {message.id: found // message.amount % 10 if found > 0 else 0 for message in MESSAGES}
    lost = [str(id) for id in came[:-1] if not times[id]]
    if times[came[-1]] and lost:
        return f"is applied, and what message {lost[0]} had added is gone"
    if came[-1] not in came[:-1] and not times[came[-1]]:
        return "is dropped, although it is new"
    return "is applied once more" if max(times.values()) > 1 else "leaves the account wrong"


def check_in_random_worlds(receive: Receive) -> None:
    """Any ids, amounts and balances, other accounts, and work of the caller's in the same transaction."""
    dice = random.Random(92)
    with database() as engine:
        for size in range(WORLDS):
            known, message = some_ids(dice, size), Message(dice.randint(1, 6_000), dice.choice([1, 7, 250, -40]))
            if known and dice.random() < 0.5:
                message = Message(dice.choice(known), message.amount)
            balances = {
                1: dice.choice([dice.randint(-99, 30), dice.randint(0, 9_999)]),
                2: dice.randint(0, 99),
                17: dice.randint(0, 99),
            }
            with writing(engine) as session:
                _fill(session, known, balances)
                with callers(session):
                    receive(session, message)
                found = dict(session.execute(text("SELECT id, balance FROM account")).all())  # type: ignore[arg-type]
                noted = set(session.scalars(text("SELECT message_id FROM received")))
                session.rollback()
            _expect_applied_once(message, known, balances, found, noted)


def _expect_applied_once(
    message: Message, known: Sequence[int], balances: Mapping[int, int], found: Mapping[int, int], noted: set[int]
) -> None:
    """The message changed its account if it was new, and nothing otherwise; and its id is noted."""
    new = message.id not in known
    wanted = {**balances, 1: balances[1] + message.amount} if new else balances
    what = f"Message {message.id} ({message.amount:+}) is {'new' if new else 'known'}; received: {known}."
    if found != wanted:
        id = next(id for id in {**wanted, **found} if found.get(id) != wanted.get(id))
        there = f"was {balances.get(id)}, is {found.get(id)}, and should be {wanted.get(id)}"
        problem = f"{what} The balance of account {id} {there}."
        accounts = ({f"account {id}": balance for id, balance in each.items()} for each in (wanted, found))
        raise CheckFailed(problem, expected=next(accounts), found=next(accounts))
    if noted != {*known, message.id}:
        problem = f"{what} Noted afterwards are {sorted(noted)}; expected its id, and those before."
        raise CheckFailed(problem, expected={*known, message.id}, found=noted)


def _fill(session: Session, known: Sequence[int], balances: Mapping[int, int]) -> None:
    session.execute(text("DELETE FROM account"))
    rows = [{"id": id, "balance": balance} for id, balance in balances.items()]
    session.execute(text("INSERT INTO account VALUES (:id, :balance)"), rows)
    if known:
        session.execute(text("INSERT INTO received VALUES (:id)"), [{"id": id} for id in known])


def check_every_crash(receive: Receive) -> None:
    """Killed before any step of any delivery, and sent everything once more, the account is right."""
    for first in range(len(MESSAGES)):  # each message is at each place once, and one is repeated
        order = [*MESSAGES[first:], *MESSAGES[:first], MESSAGES[first]]
        lost = _crashes(receive, order)
        if not lost.holds:
            sample = next(iter(lost.problems.values()))[0]
            ids = ", ".join(str(message.id) for message in order)
            raise CheckFailed(f"Messages {ids} come, it is killed, and they come again: {sample}.", lost)


def _crashes(receive: Receive, order: Sequence[Message]) -> Crashes:
    def deliver(engine: Engine) -> None:
        for message in order:
            with Session(engine) as session:  # a plain BEGIN
                receive(session, message)
                session.commit()

    return explore_crashes(deliver, setup=empty, recover=deliver, invariant=_all_applied, schema=None)


def _all_applied(session: Session) -> list[str]:
    found, wanted = balance(session), sum(message.amount for message in MESSAGES)
    if found == wanted:
        return []
    return [f"{found} on the account, {wanted} expected, so one is {'lost' if found < wanted else 'applied twice'}"]


def check_two_receivers(receive: Receive) -> None:
    """Two receivers get the same message at the same time, under every schedule: applied once, and none fails."""

    def receiver(engine: Engine) -> None:
        with Session(engine) as session:  # a plain BEGIN
            receive(session, MESSAGES[0])
            session.commit()

    errors: list[BaseException] = []

    def applied_once(session: Session, raised: Mapping[str, BaseException]) -> list[str]:
        errors.extend(raised.values())
        return _applied_once(session, raised)

    assert not holds_a_lock(receive), ONE_PROCESS
    try:
        found = explore([receiver, receiver], setup=empty, invariant=applied_once, schema=None, patience=LOCK_TIMEOUT)
    except ActorNeverEnds:
        raise CheckFailed(
            f"Of two receivers, one waits for the other, and not in the database. {ONE_PROCESS}"
        ) from None
    if found.broken:
        problem = found.problems[found.shortest or found.broken[0]][0]
        raise CheckFailed(f"In {len(found.broken)} of {found.count} schedules of two receivers, {problem}.", found)
    if found.errors:
        why = "`database is locked`: it reads before it writes" if all(map(is_locked, errors)) else why_it_died(errors)
        raise CheckFailed(f"In {len(found.errors)} of {found.count} schedules, a receiver fails with {why}.", found)


def _applied_once(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
    found = balance(session)
    return [] if errors or found == 1 else [f"{found} is on the account; the message said 1"]


APPLY = """session.execute(
    text("UPDATE account SET balance = balance + :amount WHERE id = 1"), {"amount": message.amount}
)"""
INSIDE = "    " + APPLY.replace("\n", "\n    ")
NOTE = 'session.execute(text("INSERT INTO received VALUES (:id)"), {"id": message.id})'
NOTE_ONCE = 'session.execute(text("INSERT INTO received VALUES (:id) ON CONFLICT DO NOTHING"), {"id": message.id})'


def _answer(*lines: str, head: str = "from sqlalchemy import text") -> str:
    body = "\n".join(lines).replace("\n", "\n    ")
    return f'{head}\n\n\ndef receive(session, message):\n    """Apply the message, once."""\n    {body}\n'


EXERCISE = Exercise(
    id="9.2",
    title="The patient receiver",
    objective="9-receiver",
    goal="""
You are the other side. Messages come late, repeated, and in any sequence; two receivers may get the same one at once.
Write `receive(session, message)`: add `message.amount` to account 1, **once** for each `message.id`. Other
accounts stay, and so does what else is in account 1. The caller commits, has done other work in the same transaction,
and may have begun with a plain BEGIN; a repeat is no error, and no receiver gets one.

```sql
CREATE TABLE received (message_id INTEGER PRIMARY KEY);
CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
```
""",
    stub='''
from sqlalchemy import text


def receive(session, message):
    """Apply the message, once."""
    ...
''',
    checks=[check_every_order, check_in_random_worlds, check_every_crash, check_two_receivers],
    errors=[
        ("UNIQUE constraint failed", "A repeated message is no error: whoever delivered it expects an acknowledgement"),
    ],
    hints=[
        "What must be written down, so that a repeat is recognised tomorrow, by another process? And in whose "
        "transaction, compared with the change of the account?",
        "To check whether the id is there and to insert it afterwards leaves a gap. "
        "`INSERT … ON CONFLICT DO NOTHING` does both, and `rowcount` says whether the id was new.",
        """
Write down first; apply only if it was new:

```python
new = session.execute(text("INSERT INTO received … ON CONFLICT DO NOTHING"), {"id": message.id})
if new.rowcount == ...:
    session.execute(text("UPDATE account SET balance = balance + :amount WHERE id = 1"), ...)
```
""",
    ],
    solution=_answer(f"new = {NOTE_ONCE}", "if new.rowcount:", INSIDE),
    discussion="""
The table `received` is an **inbox**. Note and effect are in one transaction, so that no crash separates them; the
INSERT is first, so that a second receiver waits for it and then finds a conflict.

At-least-once on the way, and an effect that is there once: together that is what people mean by "exactly once".

`ON CONFLICT` matters on PostgreSQL: a refused INSERT would spoil the caller's whole transaction there. And an inbox
grows; delete ids older than the longest time after which the other side may repeat.
""",
    wrong_answers=[
        Wrong(_answer(APPLY), "is applied once more"),
        Wrong(
            _answer(
                'last = session.execute(text("SELECT max(message_id) FROM received")).scalar_one()',
                "if last is None or message.id > last:",
                f"    {NOTE}",
                INSIDE,
            ),
            "is dropped, although it is new",
        ),
        Wrong(
            _answer(
                'known = text("SELECT 1 FROM received WHERE message_id = :id")',
                'if session.execute(known, {"id": message.id}).first() is None:',
                f"    {NOTE}",
                INSIDE,
            ),
            "a receiver fails with `database is locked`: it reads before it writes",
        ),
        Wrong(_answer(NOTE_ONCE, APPLY), "is applied once more"),
        Wrong(
            _answer(f"new = {NOTE_ONCE}", "if new.rowcount:", INSIDE.replace(" WHERE id = 1", "")),
            "The balance of account 2 was",
        ),
        Wrong(_answer(NOTE, APPLY), "A repeated message is no error"),
        Wrong(
            _answer(f"new = {NOTE_ONCE}", "session.commit()", "if new.rowcount:", INSIDE),
            "Leave it out: the caller commits",
        ),
        Wrong(
            _answer(
                "if message.id not in SEEN:",
                "    SEEN.add(message.id)",
                INSIDE,
                head="from sqlalchemy import text\n\nSEEN = set()",
            ),
            "Only the database knows what holds",
        ),
        Wrong(
            _answer(
                "try:",
                f"    {NOTE}",
                "except IntegrityError:",
                "    return",
                "session.commit()",
                APPLY,
                head="from sqlalchemy import text\nfrom sqlalchemy.exc import IntegrityError",
            ),
            "Leave it out: the caller commits",
        ),
    ],
)
