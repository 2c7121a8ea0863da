"""Numbers what each actor knows: one number for each history of answers.

Of an actor that has ended, only what the invariant receives counts: its error and its result.
"""

from __future__ import annotations

from typing import Any

from .answer_log import AnswerLog, Learnt, LearntMore
from .errors import CannotMerge
from .errors_in_words import error_text
from .exploration import Exploration
from .step_effects import Local, NextStep, known_names


class LocalStates:
    """Numbers the local states, and compares them with later runs. takes: how many arguments the invariant has."""

    def __init__(
        self, exploration: Exploration, log: AnswerLog, learnt: Learnt, takes: int, known: list[Local]
    ) -> None:
        self._exploration, self._log, self._learnt, self._takes = exploration, log, learnt, takes
        self._letters = [actor.letter for actor in exploration.actors]
        self._locals = known
        self._numbers: dict[Any, int] = {}

    def number(self, index: int, before: Any, answers: str, seen: Any, steps: int) -> int:
        """The number of an actor's local state after these answers."""
        actor = self._exploration.actors[index]
        names = self._locals[before].names if isinstance(before, int) else frozenset()
        step = self._next(index)
        key = self._end_key(index, (before, answers), seen) if step is None else (before, answers, seen, *step[:3])
        number = self._numbers.get(key)
        if number is not None:
            self.compare(index, self._locals[number])
            return number
        local = self._new(seen, steps)
        number = self._numbers[key] = local.number
        if step is None:
            local.ended = True
            local.error = None if actor.error is None else self._log.plain(error_text(actor.error))
            knows_more = self._takes > 1
            local.names = names | known_names(answers, *key) if knows_more else known_names(*key)
        else:
            local.step = step
            local.parameters, local.created = self._log.parameters(index, f"{actor.letter}{number}")
            local.names = names | known_names(answers) | frozenset(local.created)
        return number

    def _new(self, seen: Any, steps: int) -> Local:
        """A new local state, with these transactions and connections with unfetched rows."""
        local = Local(len(self._locals), steps)
        self._locals.append(local)
        local.transactions, local.unfinished = seen
        local.reads = any(reads for _, reads, holds in local.transactions if not holds)
        local.holds = any(holds for *_, holds in local.transactions)
        return local

    def _next(self, index: int) -> NextStep | None:
        step = self._log.next[index]
        if self._exploration.actors[index].ended or step is None:
            return None
        if step.tables.depends:
            raise CannotMerge(f"{step.sql!r} depends on {step.tables.depends}")
        return NextStep(self._log.connection(index, step.connection), step.kind, step.sql, step.tables)

    def _end_key(self, index: int, history: Any, seen: Any) -> Any:
        """Of an actor that has ended, what the invariant receives: its error, its result."""
        actor, takes = self._exploration.actors[index], self._takes
        who = self._letters[index] if self._learnt.unstable else None
        error = None if actor.error is None else self._log.plain(error_text(actor.error))
        result: Any = None
        if error is not None and takes > 1:
            result = history  # an exception may carry any value that the actor has seen
        elif takes > 2:
            result = repr(self._log.rows([[actor.result]])) if _is_simple(actor.result) else history
        return ("end", who, error, result, seen)

    def compare(self, index: int, local: Local) -> None:
        """Compare the actor with another run in which it got the same answers.

        Raises CannotMerge if it sends another statement, LearntMore if only values differ.
        """
        actor, step = self._exploration.actors[index], self._log.next[index]
        if actor.ended != local.ended:
            raise CannotMerge(f"{actor.letter} ended in one run, and not in another, after the same answers")
        if local.ended or step is None or local.step is None:
            return
        if step.sql != local.step.sql or step.kind is not local.step.kind:
            raise CannotMerge(f"{actor.letter} sends {step.sql!r} and {local.step.sql!r} after the same answers")
        parameters, _ = self._log.parameters(index, f"{actor.letter}{local.number}")
        if parameters == local.parameters:
            return
        if [place for place, _ in parameters] != [place for place, _ in local.parameters]:
            raise CannotMerge(f"{actor.letter} sends {parameters} and {local.parameters} after the same answers")
        pairs = zip(parameters, local.parameters, strict=True)
        self._learnt.unstable |= {(step.sql, place) for (place, value), (_, other) in pairs if value != other}
        raise LearntMore


def _is_simple(value: Any) -> bool:
    return (
        value is None
        or type(value) in (bool, int, float, str, bytes)
        or (type(value) is tuple and all(map(_is_simple, value)))
    )
