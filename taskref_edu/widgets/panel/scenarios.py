"""The scripted scenarios, as data: each a list of steps, a sentence to read first and then what happens.

A sentence asks what will happen, so that the learner guesses before the click on Next. Each scenario begins with its
workers stopped and an order of its own, and so works on a panel that was used before.
"""

from __future__ import annotations

from dataclasses import dataclass

Act = tuple[str | float, ...]  # ("click", name of a button), ("storm", clicks, how), ("seconds", 3), ("workers", 2)
FINISHED, RUNS, IDLE = "all tasks finished", "a task running", "worker idle"


@dataclass(frozen=True)
class ScenarioStep:
    """`say` is shown before, `acts` are done on Next, and the next step waits `until` a condition (`conditions.py`)."""

    say: str
    acts: tuple[Act, ...]
    until: str | None = None


SCENARIOS: dict[str, tuple[ScenarioStep, ...]] = {
    "double click": (
        ScenarioStep("A new order. Nobody has paid it.", (("click", "new_order"),)),
        ScenarioStep(
            "Two clicks on Pay at the same moment, as the document writes them: each looks whether a payment is in "
            "process, then enqueues. How many payments will there be?",
            (("storm", 2, "as written"),),
            "storm over",
        ),
        ScenarioStep(
            "A new order, and two clicks again, each approach at its best: check and set in one statement, or a unique "
            "index that refuses. How many payments of this order?",
            (("click", "new_order"), ("storm", 2, "at its best")),
            "storm over",
        ),
        ScenarioStep("The worker starts. What becomes of the payments too many?",
                     (("seconds", 1), ("click", "start")), FINISHED),
    ),
    "cancel in flight": (
        ScenarioStep("A new order is paid. The task waits; nobody works.", (("click", "new_order"), ("click", "pay"))),
        ScenarioStep("Cancelled while it waits. Is that final?", (("click", "cancel"),)),
        ScenarioStep(
            "Paid once more, by a task that takes five seconds, and the worker starts.",
            (("seconds", 5), ("click", "pay"), ("click", "start")),
            RUNS,
        ),
        ScenarioStep(
            "Cancelled while it runs. Does it stop at once, at its next checkpoint, or not at all?",
            (("click", "cancel"),),
            FINISHED,
        ),
        ScenarioStep("Cancelled once more, after its end. What is there left to cancel?",
                     (("click", "cancel"), ("seconds", 2))),
    ),
    "worker killed": (
        ScenarioStep(
            "A new order is paid, by a task that takes three seconds. The worker starts.",
            (("seconds", 3), ("click", "new_order"), ("click", "pay"), ("click", "start")),
            RUNS,
        ),
        ScenarioStep("The worker dies in the middle of it, without a word. What does the table say now?",
                     (("click", "crash"),)),
        ScenarioStep(
            "A new worker starts. May it take the task at once? It has to wait until the dead one's lease runs out. "
            "Which attempt will it be?",
            (("click", "start"),),
            FINISHED,
        ),
    ),
    "zombie": (
        ScenarioStep(
            "A new order is paid, by a task that takes three seconds. The worker starts.",
            (("seconds", 3), ("click", "new_order"), ("click", "pay"), ("click", "start")),
            RUNS,
        ),
        ScenarioStep(
            "The worker stands still: a long pause of the garbage collector, a laptop that was closed. It is not dead, "
            "and will be back after its lease. A second worker gets the task meanwhile. Whose result counts?",
            (("click", "zombie"),),
            IDLE,
        ),
        ScenarioStep("How often was the order paid? Look at the attempts, then back to one worker.",
                     (("workers", 1),), FINISHED),
    ),
    "pruning": (
        ScenarioStep(
            "Two new orders are paid, and the worker runs both tasks.",
            (("seconds", 0.5), *(("click", "new_order"), ("click", "pay")) * 2, ("click", "start")),
            FINISHED,
        ),
        ScenarioStep("A third payment waits, while the worker is stopped.",
             (("click", "stop"), ("click", "new_order"), ("click", "pay"))),
        ScenarioStep("The finished tasks are deleted. What happens to their orders, and to the third task?",
             (("click", "prune"),)),
        ScenarioStep("The worker starts again.", (("click", "start"), ("seconds", 2)), FINISHED),
    ),
    "typo": (
        ScenarioStep("A new order.", (("click", "new_order"),)),
        ScenarioStep(
            "Somebody slips. In classic the key in the payload is mistyped; inverted has no key, there somebody "
            "forgets the reference. Who objects?",
            (("click", "typo"),),
        ),
        ScenarioStep("The right payment as well, and the worker starts. What becomes of the two tasks, and which "
             "error tells "
             "you whose payment was lost?",
             (("click", "pay"), ("seconds", 1), ("click", "start")), FINISHED),
    ),
}  # fmt: skip


def scenario(name: str) -> tuple[ScenarioStep, ...]:
    """The steps; ValueError that lists the known ones if there is none of that name."""
    if name not in SCENARIOS:
        raise ValueError(f"scenario {name!r} found; one of {', '.join(SCENARIOS)} expected")
    return SCENARIOS[name]
