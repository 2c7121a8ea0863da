"""9.1: put the lines of a relay in order; they are assembled, killed at every point, and run beside a click."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine, Row, text
from sqlmodel import Session

from taskref_edu.exercises.catalog._answer_forms import indentation_problem
from taskref_edu.exercises.catalog._answer_forms import letters_of as letters
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore, explore_crashes

LINES = {
    "A": "messages = unsent(engine)       # SELECT id, body FROM outbox WHERE sent = 0 ORDER BY id",
    "B": "for message in messages:",
    "C": "    send(engine, message)       # the other store has it from here on",
    "D": "    mark(engine, message)       # UPDATE outbox SET sent = 1 WHERE id = …",
    "E": "mark_all(engine)                # UPDATE outbox SET sent = 1",
    "F": "send_all(engine, messages)      # one request with all of them",
}
LISTED = "\n".join(f"{letter}  {line}" for letter, line in LINES.items())
TABLES = [
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0)",
    # A table, so that the crash lab can put it back. Nothing that the shop rolls back takes a message out of it.
    "CREATE TABLE their_store (body TEXT NOT NULL)",
]
ARRIVED = "EXISTS (SELECT 1 FROM their_store WHERE their_store.body = outbox.body)"
Arrange = Callable[[], Any]
letters_of = partial(letters, lines=LINES, once=LINES)


def run(engine: Engine, sql: str, values: Any = None) -> Sequence[Row[Any]]:
    """One statement in a transaction of its own, so that it is one step; its rows."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        result = connection.execute(text(sql), values)
        return result.all() if result.returns_rows else []


def unsent(engine: Engine) -> Sequence[Row[Any]]:
    return run(engine, "SELECT id, body FROM outbox WHERE sent = 0 ORDER BY id")


def send(engine: Engine, message: Row[Any]) -> None:
    run(engine, "INSERT INTO their_store VALUES (:body)", {"body": message.body})


def send_all(engine: Engine, messages: Sequence[Row[Any]]) -> None:
    for message in messages:
        send(engine, message)


def mark(engine: Engine, message: Row[Any]) -> None:
    run(engine, "UPDATE outbox SET sent = 1 WHERE id = :id", {"id": message.id})


def mark_all(engine: Engine) -> None:
    run(engine, "UPDATE outbox SET sent = 1")


def relay_of(letters: str) -> Callable[[Engine], None]:
    """The lines in this order, as one round of the relay."""
    lines = "\n".join(LINES[letter] for letter in letters)
    try:
        code = compile(lines, "<your lines>", "exec")
    except SyntaxError:
        raise CheckFailed(indentation_problem(LINES, letters), lines) from None

    def relay(engine: Engine) -> None:
        names = {function.__name__: function for function in (unsent, send, send_all, mark, mark_all)}
        exec(code, {"engine": engine, **names})

    return relay


def two_messages(engine: Engine) -> None:
    """The start of every run: two orders were committed, each with its message in the outbox."""
    for table in TABLES:
        run(engine, table)
    run(engine, "INSERT INTO outbox (body) VALUES ('pay order 7'), ('pay order 8')")


def click(engine: Engine) -> None:
    """A customer, at any moment: one more order with its message."""
    run(engine, "INSERT INTO outbox (body) VALUES ('pay order 9')")


def check_undisturbed(arrange: Arrange) -> None:
    """Undisturbed, each message is sent, and is not sent again by the next round."""
    relay = relay_of(letters_of(arrange))
    left: dict[Any, Any] = {}

    def undisturbed(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
        for body, times, sent in session.execute(text(f"SELECT body, {_TIMES}, sent FROM outbox")):
            left[body] = {"times sent": times, "marked": bool(sent)}
        return _sent_and_marked(session, errors)

    found = explore([relay], setup=two_messages, invariant=undisturbed, schema=None)
    if said := [problem for problems in found.problems.values() for problem in problems]:
        expected = {body: {"times sent": 1, "marked": True} for body in left}
        raise CheckFailed(f"Even undisturbed: {said[0]}.", expected=expected, found=left)


def check_every_crash(arrange: Arrange) -> None:
    """Killed before any of its steps and started again, the relay has sent every message."""
    relay = relay_of(letters_of(arrange))
    lost = explore_crashes(relay, setup=two_messages, recover=relay, invariant=_all_arrived, schema=None)
    if not lost.holds:
        count = f"{len(lost.broken)} of {lost.count} crash points"
        raise CheckFailed(f"Killed at {count}, it leaves a message marked that nobody has sent: lost for ever.", lost)


def check_every_click(arrange: Arrange) -> None:
    """Whenever a customer clicks, no message is marked that was not sent."""
    relay = relay_of(letters_of(arrange))
    found = explore([relay, click], setup=two_messages, invariant=_no_mark_without_message, schema=None)
    if not found.holds:
        count = f"In {len(found.broken)} of {found.count} schedules"
        raise CheckFailed(f"{count} an order comes in between the read and the mark: marked, and never sent.", found)


def _sent_and_marked(session: Session, errors: Mapping[str, BaseException]) -> list[str]:
    for error in errors.values():
        if isinstance(error, NameError):
            return [f"a line uses `{error.name}`, and no line above it makes one"]
        return [f"the lines stop with {type(error).__name__}: {error}"]
    times = session.execute(text(f"SELECT min({_TIMES}), max({_TIMES}), min(sent) FROM outbox")).one()
    if times[0] == 0:
        return ["a message is not sent at all"]
    if times[1] > 1:
        return ["a message is sent twice by one round; repeats are for crashes"]
    return [] if times[2] else ["a message is sent and not marked, so every round sends it again"]


_TIMES = "(SELECT count(*) FROM their_store WHERE their_store.body = outbox.body)"


def _all_arrived(session: Session) -> list[str]:
    return [f"{body!r} never arrives" for body in session.scalars(text(f"SELECT body FROM outbox WHERE NOT {ARRIVED}"))]


def _no_mark_without_message(session: Session) -> list[str]:
    marked = session.scalars(text(f"SELECT body FROM outbox WHERE sent = 1 AND NOT {ARRIVED}"))
    return [f"{body!r} is marked and was not sent" for body in marked]


def _wrong(letters: str, message: str) -> Wrong:
    return Wrong(f'def one_round():\n    return "{letters}"', message)


EXERCISE = Exercise(
    id="9.1",
    title="The outbox relay",
    objective="9-relay",
    goal=f"""
Arrange the lines of a relay. Wherever it is killed, and whenever a customer clicks, no message may be lost.
A crash may repeat one; an undisturbed round sends each once and marks it. Each call commits by itself. You do not need
every line, and use none twice. Return the letters, such as `"ABC"`.

```python
{LISTED}
```
""",
    stub='''
def one_round():
    """The letters of the lines, in sequence."""
    return ""
''',
    checks=[check_undisturbed, check_every_crash, check_every_click],
    hints=[
        "Put your finger between each two lines, and say: here the process dies. Which message does the next round "
        "not find, although it was never sent?",
        "A mark says: this one has arrived. So it may not come before the sending. And it may only be set on messages "
        "that this round has read: meanwhile others come in.",
        """
The shape of one right answer:

```python
messages = ...
for message in messages:
    ...  # what may be repeated
    ...  # what must not come too early
```
""",
    ],
    solution='''
def one_round():
    """The letters of the lines, in sequence."""
    return "ABCD"
''',
    discussion="""
`"AFBD"` passes, too: all are sent, then each is marked. It repeats more after a crash.

Between the sending and the mark there is always a gap, because the two stores share no transaction. You choose on
which side of the gap a crash falls: *send, mark* repeats (at-least-once), *mark, send* loses (at-most-once).

On a server there is one more trap: to mark "everything up to the last id that I read". Ids are given out at the
INSERT and become visible at the COMMIT, so a smaller id can appear after a larger one.
""",
    wrong_answers=[
        _wrong("ABDC", "it leaves a message marked that nobody has sent: lost for ever"),
        _wrong("AEBC", "it leaves a message marked that nobody has sent: lost for ever"),
        _wrong("ABCE", "an order comes in between the read and the mark: marked, and never sent"),
        _wrong("AFE", "an order comes in between the read and the mark: marked, and never sent"),
        _wrong("ABC", "a message is sent and not marked, so every round sends it again"),
        _wrong("ABD", "a message is not sent at all"),
        _wrong("AFBCD", "a message is sent twice by one round"),
        _wrong("BCD", "a line uses `messages`, and no line above it makes one"),
        _wrong("ACD", "Line C is indented, and no block is open above it"),
        _wrong("ABCDD", "Line D is there more than once"),
    ],
)
