"""The scripted scenarios, as data: each a list of steps and the rule that it shows.

A step is told first; where it has choices it is a question, and the learner guesses. Then it happens, and the answer is
said and pointed at in the picture. Each scenario begins with its workers stopped and an order of its own, and so works
on a panel that was used before.
"""

from __future__ import annotations

from dataclasses import dataclass

Act = tuple[str | float, ...]  # ("click", name of a button), ("storm", clicks, how), ("seconds", 3), ("workers", 2)
FINISHED, RUNS, IDLE, STORM_OVER = "all tasks finished", "a task running", "worker idle", "storm over"
ORDER, PAY, START, CANCEL = (("click", name) for name in ("new_order", "pay", "start", "cancel"))


@dataclass(frozen=True)
class Choice:
    """One answer to a question. `when`: whether it is right; or a comparison, asked of each side after the step.

    A comparison counts what the step has added: "pending == 2" is true where two tasks more are pending than before.
    """

    text: str
    when: bool | str


@dataclass(frozen=True)
class ScenarioStep:
    """`say` is shown before, `acts` are done on Next, and what follows waits `until` a condition (`conditions.py`).

    point: what the answer points at: "order" (the selected one), "task" (its task), "orphan", "dangling".
    """

    say: str
    acts: tuple[Act, ...]
    until: str | None = None
    choices: tuple[Choice, ...] = ()
    answer: str = ""
    point: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A story, and the rule that it shows in one line."""

    steps: tuple[ScenarioStep, ...]
    rule: str


SCENARIOS = {
    "double click": Scenario((
        ScenarioStep(
            "A new order, and two clicks on Pay at the same moment, as the document writes them: check whether a "
            "payment is in process, then enqueue one. How many payments will be pending?",
            (ORDER, ("storm", 2, "as written")), STORM_OVER,
            (Choice("one", "pending == 1"), Choice("two", "pending == 2"), Choice("none", "pending == 0")),
            "Both clicks checked before either had enqueued, so both went on. Where there is one payment, a unique "
            "index refused the other; where there are two, one is an orphan or the card is charged twice.",
            ("order", "task", "orphan")),
        ScenarioStep(
            "A new order, and two clicks again, each approach at its best: check and set in one statement, or a unique "
            "index that refuses. How many payments now?",
            (ORDER, ("storm", 2, "at its best")), STORM_OVER,
            (Choice("one", "pending == 1"), Choice("two", "pending == 2")),
            "The database decides, in one statement: the second click changes no row, or its INSERT is refused.",
            ("order", "task")),
        ScenarioStep(
            "The worker starts. How many of the pending payments will fail?",
            (("seconds", 1), START), FINISHED,
            (Choice("none", "failed == 0"), Choice("one", "failed == 1"), Choice("two", "failed == 2")),
            "No order points at an orphan, so its handler knows no order and fails. A second payment whose payload "
            "names the order would have charged the card again."),
    ), "Check, then enqueue, is no lock: guard with one statement, or with a unique index."),
    "cancel in flight": Scenario((
        ScenarioStep(
            "A payment is requested for a new order. The task is pending; no worker is running. Then the payment is "
            "cancelled. Is that final?",
            (ORDER, PAY, CANCEL), None,
            (Choice("yes, at once", "cancelled == 1"), Choice("no, a worker may still run it", "pending == 1")),
            "One UPDATE moves the pending task to cancelled. No worker can claim it any more.", ("order",)),
        ScenarioStep(
            "Pay is clicked again; this task takes five seconds, and the worker starts.",
            (("seconds", 5), PAY, START), RUNS),
        ScenarioStep(
            "Now the payment is cancelled while its task is running. When does the task stop?",
            (CANCEL,), FINISHED,
            (Choice("at once", False), Choice("at its next checkpoint", True), Choice("not at all", False)),
            "The row only records the request. The handler stops at its next checkpoint.", ("order",)),
        ScenarioStep(
            "Cancel payment is clicked again, after the task has ended. What is left to cancel?",
            (CANCEL,), None, (Choice("nothing", True), Choice("the charge, which is paid back", False)),
            "An ended task never changes its status again. A refund would be a task of its own."),
    ), "Cancelling moves a pending task; a running one is only asked to stop."),
    "worker killed": Scenario((
        ScenarioStep(
            "A payment is requested for a new order. Its task takes three seconds, and the worker starts.",
            (("seconds", 3), ORDER, PAY, START), RUNS),
        ScenarioStep(
            "The worker is killed while the task is running, and can write nothing more. What does the "
            "task's row say now?",
            (("click", "crash"),), None,
            (Choice("pending", False), Choice("running", True), Choice("failed", False)),
            "Nothing has told the database. The row says running until the lease runs out: watch its seconds.",
            ("order", "task")),
        ScenarioStep(
            "A new worker starts. When may it take the task?",
            (START,), FINISHED,
            (Choice("at once", False), Choice("when the dead one's lease has run out", True), Choice("never", False)),
            "A lease that has run out is no longer the dead worker's. The task was claimed again, as attempt 2.",
            ("order", "task")),
    ), "A dead worker's task is free again when its lease has run out, and not before."),
    "zombie": Scenario((
        ScenarioStep(
            "A payment is requested for a new order. Its task takes three seconds, and the worker starts.",
            (("seconds", 3), ORDER, PAY, START), RUNS),
        ScenarioStep(
            "The worker stands still, as in a long pause of its machine, and comes back after its lease. A second "
            "worker gets the task meanwhile. Whose result counts?",
            (("click", "zombie"),), IDLE,
            (Choice("the first worker's", False), Choice("the second worker's", True), Choice("both", False)),
            "The first one's lease token was stale when it came back: its result was refused, and the order is paid "
            "once.", ("order", "task")),
        ScenarioStep("Back to one worker.", (("workers", 1),), FINISHED),
    ), "A result counts only with the lease token that was given out last."),
    "pruning": Scenario((
        ScenarioStep(
            "Payments are requested for two new orders, and the worker runs both tasks.",
            (("seconds", 0.5), ORDER, PAY, ORDER, PAY, START), FINISHED),
        ScenarioStep(
            "The worker is stopped, and a third payment is requested: its task is pending.",
            (("click", "stop"), ORDER, PAY)),
        ScenarioStep(
            "The finished tasks are deleted. What happens to the order whose payment is still pending?",
            (("click", "prune"),), None,
            (Choice("nothing", "pending == 0"), Choice("its task is deleted, too", "pending < 0")),
            "Only tasks that have ended are deleted. Orders stay, and so does whatever is in process.",
            ("order", "task")),
        ScenarioStep("The worker starts again.", (START,), FINISHED),
    ), "Tasks may be thrown away once they have ended; what the shop knows stands in its orders."),
    "typo": Scenario((
        ScenarioStep(
            "A new order. Then somebody slips: in classic a key of the payload is mistyped; inverted has no key, there "
            "the reference is forgotten. Who objects?",
            (ORDER, ("click", "typo")), None,
            (Choice("nobody", "pending == 1"), Choice("the database", "pending == 0")),
            "The task is in. In classic its payload names no order, in inverted no order points at it.",
            ("orphan", "dangling")),
        ScenarioStep(
            "The right payment as well, and the worker starts. Which task fails?",
            (PAY, ("seconds", 1), START), FINISHED,
            (Choice("the slipped one", "failed == 1"), Choice("both", "failed == 2"), Choice("none", "failed == 0")),
            "Open the failed task (press ›): classic's error shows the payload, and so whose payment was lost; "
            "inverted's orphan cannot say.", ("order",)),
    ), "A reference that the database checks cannot be mistyped; one in a payload can."),
}  # fmt: skip


def scenario(name: str) -> Scenario:
    """The scenario; ValueError that lists the known ones if there is none of that name."""
    if name not in SCENARIOS:
        raise ValueError(f"scenario {name!r} found; one of {', '.join(SCENARIOS)} expected")
    return SCENARIOS[name]
