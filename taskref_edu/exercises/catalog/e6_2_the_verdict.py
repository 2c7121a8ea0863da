"""6.2: for which side each of the five numbered claims holds; compared with the experiments, which are run here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from taskref_edu import Order, reading, writing
from taskref_edu.approaches import as_written, classic, inverted
from taskref_edu.exercises.catalog._answer_forms import missing_key, predictions
from taskref_edu.exercises.exercise import CheckFailed, Exercise, Wrong
from taskref_edu.lab import explore
from taskref_edu.lab.shop import HOW, SIDES, Approach, How, Shop, add_orders, code_lines, live_payments, schema_of
from taskref_edu.lab.tables import Table

CLAIMS = {
    1: "database-enforced relationships",
    2: "simplified worker functions",
    3: "easier tracking of processing state",
    4: "natural prevention of duplicates",
    5: "guaranteed access to the current object",
}
WORDS = ("classic", "inverted", "both", "neither")
Seen = tuple[bool, str]  # whether the claim holds for the side, and what was seen
Verdict = Callable[[], Any]


@contextmanager
def open_shop(how: How, side: Approach) -> Iterator[Shop]:
    """A shop that is closed afterwards."""
    shop = Shop(how, side)
    try:
        yield shop
    finally:
        shop.close()


def enforced(how: How, side: Approach) -> Seen:
    """A reference to nothing is written: is it refused?"""
    with open_shop(how, side) as shop:
        try:
            with writing(shop.engine) as session:
                if side == "classic":
                    shop.queue.enqueue(session, "process_payment", {"order_id": 999})
                else:
                    session.get_one(Order, 11).processing_task_id = 999
        except IntegrityError as error:
            return True, f"a reference to nothing was refused ({error.orig})"
    return False, "a reference to nothing was stored"


def worker_lines(how: How, side: Approach) -> int:
    """The lines from a claimed task to its effect: the handler, and what it calls to find its order."""
    if how == "as written":
        return code_lines(getattr(as_written, f"{side}_process_payment"))
    if side == "classic":
        return code_lines(classic.process_payment, classic.order_for, classic.Payment)
    return code_lines(inverted.process_payment, inverted.order_for)


def simpler(how: How, side: Approach) -> Seen:
    """Fewer lines than the other side's."""
    other: Approach = "inverted" if side == "classic" else "classic"
    lines, others = worker_lines(how, side), worker_lines(how, other)
    return lines < others, f"{lines} lines of handler and look-up, and {others} on the other side"


def tracked(how: How, side: Approach) -> Seen:
    """Five orders in the five states of a task: does the list show the live ones, and no other?"""
    with open_shop(how, side) as shop:
        for id, status in enumerate(("succeeded", "failed", "cancelled", "running", "pending"), 11):
            shop.pay_up_to(status, id)
        listed = shop.in_process()
    return listed == [14, 15], f"{listed} listed where 14 runs and 15 waits"


def prevented(how: How, side: Approach) -> Seen:
    """Two clicks in every interleaving of their statements: is there ever a second payment?"""

    def click(engine: Engine) -> bool:
        return Shop(how, side, engine).pay_once(11) is not None

    def one_payment(session: Session) -> list[str]:
        return ["two payments"] if len(live_payments(session)) > 1 else []

    schema = schema_of(how, side)
    found = explore([click, click], setup=add_orders, invariant=one_payment, schema=schema)
    return found.holds, f"{len(found.broken)} of {found.count} schedules end with two payments"


def sees_now(how: How, side: Approach) -> Seen:
    """The order changes while its task waits: does the worker see the change?"""
    with open_shop(how, side) as shop:
        task = shop.pay(11)
        with writing(shop.engine) as session:
            session.get_one(Order, 11).amount = 1
        with reading(shop.engine) as session:
            new = shop.order_for(session, task).amount == 1
    return new, f"the worker sees the {'new' if new else 'old'} amount"


EXPERIMENTS = {1: enforced, 2: simpler, 3: tracked, 4: prevented, 5: sees_now}


def run(claim: int, how: How) -> tuple[str, dict[Approach, str]]:
    """For which side the claim holds, and what was seen on each."""
    seen: dict[Approach, Seen] = {side: EXPERIMENTS[claim](how, side) for side in SIDES}
    kept = [side for side in SIDES if seen[side][0]]
    who = "both" if len(kept) == 2 else kept[0] if kept else "neither"
    return who, {side: words for side, (_, words) in seen.items()}


def answers_of(verdict: Verdict) -> dict[int, tuple[str, str]]:
    """What the learner returned, once it is two words for each claim."""
    said = verdict()
    if not isinstance(said, dict):
        form = "a dict with the claims 1 to 5 as its keys"
        raise CheckFailed(f"`{said!r:.60}` returned; expected {form}.", expected=form, found=said)
    for claim in CLAIMS:
        if claim not in said:
            raise missing_key(claim, said, [*CLAIMS])
        pair = said[claim]
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(word in WORDS for word in pair)):
            is_capital = re.search("|".join(WORDS), str(pair).lower()) and str(pair) != str(pair).lower()
            small = ", in small letters" if is_capital else ""
            raise CheckFailed(
                f"Claim {claim}: `{pair!r:.60}` found; expected two words, each one of {', '.join(WORDS)}{small}.",
                expected={f"claim {claim}": "two words"},
                found={f"claim {claim}": pair},
            )
    return said


def _compare(verdict: Verdict, place: int) -> None:
    how = HOW[place]
    said = {claim: pair[place] for claim, pair in answers_of(verdict).items() if claim in CLAIMS}
    found = {claim: run(claim, how) for claim in CLAIMS}
    for claim, (who, seen) in found.items():
        if said[claim] != who:
            rows = Table({"side": side, "seen": words} for side, words in seen.items())
            differing: list[Approach] = [
                side for side in seen if (who in ("both", side)) != (said[claim] in ("both", side))
            ]
            raise CheckFailed(
                f'Claim {claim} ({CLAIMS[claim]}), {how}: you say "{said[claim]}", and the run says "{who}". '
                f"{differing[0].capitalize()}: {seen[differing[0]]}.",
                rows,
                **predictions(
                    {f"claim {one}, {how}": word for one, word in said.items()},
                    {f"claim {one}, {how}": word for one, (word, _) in found.items()},
                    told=f"claim {claim}, {how}",
                ),
            )


def check_as_written(verdict: Verdict) -> None:
    """As the document writes them, each claim holds for the side that you say."""
    _compare(verdict, 0)


def check_at_their_best(verdict: Verdict) -> None:
    """At their best, each claim holds for the side that you say."""
    _compare(verdict, 1)


RIGHT = {
    1: ("inverted", "both"),
    2: ("inverted", "inverted"),
    3: ("neither", "both"),
    4: ("neither", "both"),
    5: ("both", "both"),
}


def _code(answers: dict[int, tuple[str, str]]) -> str:
    lines = "".join(f"        {claim}: {pair!r},\n" for claim, pair in answers.items()).replace("'", '"')
    return f'def verdict():\n    """Claim -> (as written, at their best)."""\n    return {{\n{lines}    }}\n'


def _wrong(claim: int, pair: tuple[str, str], message: str) -> Wrong:
    return Wrong(_code(RIGHT | {claim: pair}), message)


EXERCISE = Exercise(
    id="6.2",
    title="The verdict",
    objective="6-verdict",
    core=True,
    goal="""
For each numbered claim, say for which side it holds: first as the document writes it, then at its best. The words are
`"classic"`, `"inverted"`, `"both"`, `"neither"`. Claim 2 holds for the side with fewer lines of handler and look-up.

The check runs the experiments again and compares.
""",
    stub='''
def verdict():
    """Claim -> (for which side it holds as written, for which at its best)."""
    return {
        1: ("?", "?"),  # database-enforced relationships
        2: ("?", "?"),  # simplified worker functions
        3: ("?", "?"),  # easier tracking of processing state
        4: ("?", "?"),  # natural prevention of duplicates
        5: ("?", "?"),  # guaranteed access to the current object
    }
''',
    checks=[check_as_written, check_at_their_best],
    hints=[
        "Go by the outputs above, not by what the document promises. Each experiment has two lines of results.",
        "One claim holds for both from the beginning; two hold for neither as written, and for both after the "
        "repairs. For claim 1, look at what classic's generated column did.",
        """
Three of the ten words are yours to find:

```python
return {
    1: ("inverted", ...),
    2: ("inverted", ...),
    3: ("neither", "both"),
    4: ("neither", "both"),
    5: ("both", ...),
}
```
""",
    ],
    solution=_code(RIGHT),
    discussion="""
Where a claim is a repair that both sides can have (an index, a constraint, a trigger), it is no argument for a side.
What is left to inverted alone is the shorter worker; the code outside the worker is longer.

The experiments measure what they measure. Another reader may count other lines, or find a better classic.
""",
    wrong_answers=[
        _wrong(1, ("inverted", "inverted"), "Classic: a reference to nothing was refused"),
        _wrong(5, ("inverted", "inverted"), "Classic: the worker sees the new amount"),
        _wrong(5, ("both", "inverted"), "Claim 5 (guaranteed access to the current object), at their best"),
        _wrong(3, ("inverted", "both"), "Inverted: [11, 12, 14, 15] listed where 14 runs and 15 waits"),
        _wrong(3, ("classic", "both"), "Classic: [15] listed where 14 runs and 15 waits"),
        _wrong(4, ("inverted", "inverted"), "schedules end with two payments"),
        _wrong(4, ("neither", "inverted"), "Classic: 0 of"),
        _wrong(2, ("inverted", "both"), "lines of handler and look-up"),
        _wrong(2, ("inverted", "only inverted"), "expected two words"),
    ],
)
