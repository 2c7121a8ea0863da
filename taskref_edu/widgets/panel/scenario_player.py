"""Plays one scenario on a panel: step by step with Next, or automatically with pauses for reading.

The panel's watcher checks the condition that a step waits for; there is no thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .conditions import EVERY, comparison
from .scenarios import Act, ScenarioStep, scenario

BEFORE = ("storm over", "worker idle")  # what must be true before a scenario begins
PACE = 4.0  # seconds between two steps when all are played: time to read a sentence
Counts = Mapping[str, Mapping[str, int]]  # side -> what is counted there -> how many


class ScenarioPlayer:
    """One scenario on one panel; `shown` is what the learner sees of it.

    act(act) executes one action of a step; still_open(condition) returns why a condition is not met, or None;
    counts() returns the counts of each side.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[Act], None],
        still_open: Callable[[str], str | None],
        counts: Callable[[], Counts],
    ) -> None:
        self.name = name
        self._steps, self._rule = scenario(name).steps, scenario(name).rule
        self._act, self._still_open, self._counts = act, still_open, counts
        self._lock = threading.RLock()  # Next is called on any thread, check() by the watcher
        self._number = 0  # of the step that is shown
        self._asks = True  # it is shown, and has not been executed
        self._before: Counts = {}
        self._guess: int | None = None
        self._right: dict[str, int] = {}  # side -> the choice that was right there
        self._then: tuple[Act, ...] = ()  # what is executed when the present wait is over
        self.waits_for: str | None = None
        self._plays = False  # by itself
        self._due = self._check_at = 0.0

    @property
    def ended(self) -> bool:
        """Whether all steps were executed, and none is waited for."""
        return self._number == len(self._steps) - 1 and not self._asks and self.waits_for is None

    @property
    def asks_for_a_guess(self) -> bool:
        """Whether a question with choices is open."""
        return self._asks and self.waits_for is None and bool(self._step.choices)

    @property
    def text(self) -> str:
        """The current step, in one line."""
        waits = f", waits until {self.waits_for}" if self.waits_for else ""
        return f"{self.name}, step {self._number + 1} of {len(self._steps)}{waits}"

    @property
    def points(self) -> tuple[str, ...]:
        """What the answer refers to in the picture."""
        return self._step.point if self._has_answer else ()

    @property
    def shown(self) -> dict[str, Any]:
        """What the browser shows."""
        step = self._step
        return {
            "name": self.name,
            "place": f"step {self._number + 1} of {len(self._steps)}",
            "say": step.say,
            "choices": [choice.text for choice in step.choices],
            "asks": self._asks and self.waits_for is None,
            "guess": self._guess,
            "right": sorted(set(self._right.values())),
            "waits": self.waits_for or "",
            "answer": f"{self._verdict()}{step.answer}" if self._has_answer else "",
            "rule": f"The rule: {self._rule}" if self.ended else "",
            "next": "Let it happen" if self._asks and step.choices else "Next",
        }

    def begin(self) -> None:
        """Wait until the workers that were stopped hold no task, and until a storm is over."""
        self.waits_for = next((one for one in BEFORE if self._still_open(one) is not None), None)

    def guess(self, choice: int) -> None:
        """Choose an answer, and execute the step."""
        with self._lock:
            if self._asks and self.waits_for is None and 0 <= choice < len(self._step.choices):
                self._guess = choice
                self.next()

    def next(self) -> str | None:
        """Execute the step, or show the next one; a sentence if neither is possible now."""
        with self._lock:
            if self.ended:
                return f"{self.name}: at its end; Run plays it again"
            if self.waits_for is not None:
                return f"{self.name}: not yet, it waits until {self.waits_for}"
            if not self._asks:
                self._tell_next()
                return None
            self._before = self._counts()
            self._asks = False
            self._then = self._step.then
            self._execute(self._step.acts, self._step.once or self._step.until)
        return None

    def play(self) -> None:
        """Execute the remaining steps, one every PACE seconds."""
        self._due, self._plays = time.monotonic(), True

    def check(self) -> None:
        """Check whether the wait is over, and continue if it plays automatically. Called by the watcher."""
        with self._lock:
            if self.waits_for is not None:
                if time.monotonic() < self._check_at:
                    return
                self._check_at = time.monotonic() + EVERY
                if self._still_open(self.waits_for) is not None:
                    return
                self.waits_for = None
                if self._then:
                    then, self._then = self._then, ()
                    self._execute(then, self._step.until)
                    return
                if self._asks:
                    self.begin()
                self._due = time.monotonic() + PACE
                if not self._asks:
                    self._happened()
            if self._plays and not self.ended and time.monotonic() >= self._due:
                self.next()
                self._due = time.monotonic() + PACE

    @property
    def _step(self) -> ScenarioStep:
        return self._steps[self._number]

    @property
    def _has_answer(self) -> bool:
        return not self._asks and self.waits_for is None and bool(self._step.answer)

    def _execute(self, acts: Iterable[Act], until: str | None) -> None:
        for act in acts:
            self._act(act)
        self.waits_for = until
        if until is None:
            self._happened()

    def _tell_next(self) -> None:
        self._number += 1
        self._asks, self._guess, self._right = True, None, {}

    def _happened(self) -> None:
        """Determine the right choices; a step without an answer is followed by the next one at once."""
        now = self._counts()
        for side, counts in now.items():
            added = {name: count - self._before[side][name] for name, count in counts.items()}
            for number, choice in enumerate(self._step.choices):
                if choice.when is True or (isinstance(choice.when, str) and comparison(choice.when)(added)):
                    self._right[side] = number
        if not self._step.answer and not self.ended:
            self._tell_next()

    def _verdict(self) -> str:
        """What is right, and whether the guess was."""
        choices, right = self._step.choices, self._right
        if not right:
            return ""
        if len(set(right.values())) == 1:
            found = choices[next(iter(right.values()))].text
        else:
            found = ", ".join(f"{side} {choices[number].text}" for side, number in right.items())
        if self._guess is None:
            return f"{found[0].upper()}{found[1:]}. "
        return f"{'Right' if self._guess in right.values() else 'Not so'}: {found}. "
