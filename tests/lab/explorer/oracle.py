"""Whatever is explored is explored again, in every schedule, and compared with the graph of merged states.

    python -m pytest -p tests.lab.explorer.oracle tests/lab

As a pytest plugin it does so after each test. Where there are too many schedules to run them all, 200 are run that are
chosen at random. Not covered: explorations on a server, where every schedule is run anyway.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from taskref_edu.lab.explorer.budget import Budget
from taskref_edu.lab.explorer.errors import CannotMerge
from taskref_edu.lab.explorer.errors_in_words import error_text
from taskref_edu.lab.explorer.graph import Graph, Schedules, Texts
from taskref_edu.lab.explorer.merging import merged_graph
from taskref_edu.lab.explorer.result import ExplorationResult
from taskref_edu.lab.explorer.run_schedules import Explored, run_all
from taskref_edu.lab.explorer.trial import Trial

MOST = 3_000  # schedules: up to here every one is run
SAMPLED = 200
Asked = tuple[Explored, Callable[[], Trial]]


@contextmanager
def collected() -> Iterator[list[Asked]]:
    """The explorations that end meanwhile, each with what opens it again."""
    asked: list[Asked] = []
    original = ExplorationResult.__init__

    @wraps(original)
    def init(self: ExplorationResult, explored: Explored, open_trial: Any, trial: Any) -> None:
        original(self, explored, open_trial, trial)
        if isinstance(trial, Trial) and explored.whole and not explored.reason:
            asked.append((explored, open_trial))

    ExplorationResult.__init__ = init
    try:
        yield asked
    finally:
        ExplorationResult.__init__ = original


def compare(explored: Explored, open_trial: Callable[[], Trial]) -> str:
    """How this exploration was compared. Raises AssertionError where the two differ."""
    with open_trial() as trial, Budget(100_000) as budget:
        try:
            merged = merged_graph(trial, budget)
        except CannotMerge as error:
            return f"cannot be merged: {error}"
    assert_same_counts(merged, explored.graph)
    if merged.start.all > MOST:
        with open_trial() as trial:
            assert_same_verdicts(merged, trial)
        return f"{SAMPLED} schedules of more than {MOST:,}"
    with open_trial() as trial, Budget(MOST + 1) as budget:
        every = run_all(trial, budget, merge=False)
    assert_equal(merged, every.graph)
    return "every schedule"


def assert_same_counts(one: Graph, other: Graph) -> None:
    """How many there are, break and err, in which words, and which of them is the shortest."""
    assert (one.start.all, one.start.broken, one.start.erring) == (
        other.start.all,
        other.start.broken,
        other.start.erring,
    )
    assert one.shortest() == other.shortest()
    assert one.texts() == other.texts()


def assert_equal(one: Graph, other: Graph) -> None:
    """Every schedule, with its verdict and its errors."""
    assert list(Schedules(one)) == list(Schedules(other))
    assert dict(Texts(one, "problems")) == dict(Texts(other, "problems"))
    assert dict(Texts(one, "errors")) == dict(Texts(other, "errors"))
    assert_same_counts(one, other)


def assert_same_verdicts(graph: Graph, trial: Trial) -> None:
    """Some schedules, chosen at random, each run for real."""
    schedules, generator = Schedules(graph), random.Random(1)
    for schedule in [schedules[generator.randrange(len(schedules))] for _ in range(SAMPLED)]:
        outcome = trial.replay(schedule)
        problems = trial.problems(outcome)
        errors = tuple(f"{letter}: {error_text(error)}" for letter, error in outcome.errors.items())
        end = graph.states[graph.walk(schedule)[-1]]
        outcome.forget()
        assert (problems, errors) == (end.problems, end.errors), schedule


# As a pytest plugin

_ways = Counter[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with collected() as asked:
        yield
    for explored, open_trial in asked:
        item.user_properties.append(("compared", compare(explored, open_trial)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _ways.update([str(way) for name, way in report.user_properties if name == "compared"])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("explorations compared with the exhaustive walk")
    for way, number in sorted(_ways.items()):
        terminalreporter.line(f"{number:6,} {way}")
