"""The scripted scenarios of `scenarios.toml`: what each consists of, and how it is played on a panel.

A step is shown first; if it has choices it is a question, and the learner guesses. Then it is executed, and the answer
is shown, with what it refers to marked in the picture. Each scenario starts with stopped workers and creates its own
order, so it works on a panel that was used before. The panel's watcher checks the condition that a step waits for;
there is no thread of its own.
"""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from .conditions import EVERY, comparison

BEFORE = ("storm over", "worker idle")  # what must be true before a scenario begins
PACE = 4.0  # seconds between two steps when all are played: time to read a sentence
# What a page sends, {"click": name of a button} or {"set": {"seconds": 3}}; or {"until": a condition}.
Act = dict[str, Any]
Counts = Mapping[str, Mapping[str, int]]  # side -> what is counted there -> how many


@dataclass(frozen=True)
class Choice:
    """One answer to a question. `when`: whether it is right; or a comparison, evaluated on each side after the step.

    A comparison counts what the step has added: "pending == 2" is true if two more tasks are pending than before.
    """

    text: str
    when: bool | str


@dataclass(frozen=True)
class ScenarioStep:
    """`say` is shown first, `acts` are executed on Next: what must happen while a task runs does not wait for a reader.

    point: what the answer refers to: "order" (the selected one), "task" (its task), "orphan", "dangling".
    """

    say: str
    acts: tuple[Act, ...]
    choices: tuple[Choice, ...] = ()
    answer: str = ""
    point: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A list of steps, and the rule that they show, in one line."""

    rule: str
    steps: tuple[ScenarioStep, ...]


_FOUND = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
SCENARIOS = TypeAdapter(dict[str, Scenario]).validate_python(_FOUND)


class ScenarioPlayer:
    """One scenario on one panel; `shown` is what the learner sees of it.

    act(act) executes one action of a step; still_open(condition) returns why a condition is not met, or None;
    counts() returns the counts of each side. Raises ValueError, with the list, if there is no scenario of this name.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[Act], None],
        still_open: Callable[[str], str | None],
        counts: Callable[[], Counts],
    ) -> None:
        if name not in SCENARIOS:
            raise ValueError(f"scenario {name!r} found; one of {', '.join(SCENARIOS)} expected")
        self.name = name
        self._steps, self._rule = SCENARIOS[name].steps, SCENARIOS[name].rule
        self._act, self._still_open, self._counts = act, still_open, counts
        self._lock = threading.RLock()  # Next is called on any thread, check() by the watcher
        self._number = 0  # of the step that is shown
        self._asks = True  # it is shown, and nothing of it has been executed
        self._done = False  # all of it has been executed
        self._before: Counts = {}
        self._guess: int | None = None
        self._right: dict[str, int] = {}  # side -> the choice that was right there
        self._left: list[Act] = []  # of the step that is executed
        self.waits_for: str | None = None
        self._plays = False  # by itself
        self._due = self._check_at = 0.0

    @property
    def ended(self) -> bool:
        """Whether all steps were executed."""
        return self._done and self._number == len(self._steps) - 1

    @property
    def asks_for_a_guess(self) -> bool:
        """Whether a question with choices is open."""
        return self._asks and self.waits_for is None and bool(self._step.choices)

    @property
    def text(self) -> str:
        waits = f", waits until {self.waits_for}" if self.waits_for else ""
        return f"{self.name}, step {self._number + 1} of {len(self._steps)}{waits}"

    @property
    def points(self) -> tuple[str, ...]:
        """What the answer refers to in the picture."""
        return self._step.point if self._has_answer else ()

    @property
    def shown(self) -> dict[str, Any]:
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
            self._left = list(self._step.acts)
            self._execute()
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
                self._due = time.monotonic() + PACE
                if self._asks:
                    self.begin()
                else:
                    self._execute()
            if self._plays and not self.ended and time.monotonic() >= self._due:
                self.next()
                self._due = time.monotonic() + PACE

    @property
    def _step(self) -> ScenarioStep:
        return self._steps[self._number]

    @property
    def _has_answer(self) -> bool:
        return self._done and bool(self._step.answer)

    def _execute(self) -> None:
        """Execute what is left of the step, up to the next wait."""
        while self._left:
            act = self._left.pop(0)
            if condition := act.get("until"):
                self.waits_for = condition
                return
            self._act(act)
        self._happened()

    def _tell_next(self) -> None:
        self._number += 1
        self._asks, self._done, self._guess, self._right = True, False, None, {}

    def _happened(self) -> None:
        """Determine the right choices; a step without an answer is followed by the next one at once."""
        now = self._counts()
        for side, counts in now.items():
            added = {name: count - self._before[side][name] for name, count in counts.items()}
            for number, choice in enumerate(self._step.choices):
                if choice.when is True or (isinstance(choice.when, str) and comparison(choice.when)(added)):
                    self._right[side] = number
        self._done = True
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
