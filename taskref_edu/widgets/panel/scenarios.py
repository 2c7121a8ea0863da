"""The scripted scenarios of `scenarios.toml`: each a list of steps and the rule that it shows.

A step is shown first; if it has choices it is a question, and the learner guesses. Then it is executed, and the answer
is shown, with what it refers to marked in the picture. Each scenario starts with stopped workers and creates its own
order, so it works on a panel that was used before.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

Act = dict[str, Any]  # as a page sends it: {"click": name of a button} or {"set": {"seconds": 3}}


@dataclass(frozen=True)
class Choice:
    """One answer to a question. `when`: whether it is right; or a comparison, evaluated on each side after the step.

    A comparison counts what the step has added: "pending == 2" is true if two more tasks are pending than before.
    """

    text: str
    when: bool | str


@dataclass(frozen=True)
class ScenarioStep:
    """`say` is shown first, `acts` are executed on Next; the following step waits `until` a condition is met.

    once, then: after the acts, as soon as this condition is met, these are executed as well. What must happen while a
        task runs does not wait for a reader.
    point: what the answer refers to: "order" (the selected one), "task" (its task), "orphan", "dangling".
    """

    say: str
    acts: tuple[Act, ...]
    until: str | None = None
    once: str | None = None
    then: tuple[Act, ...] = ()
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


def scenario(name: str) -> Scenario:
    """The scenario; ValueError that lists the known ones if there is none of that name."""
    if name not in SCENARIOS:
        raise ValueError(f"scenario {name!r} found; one of {', '.join(SCENARIOS)} expected")
    return SCENARIOS[name]
